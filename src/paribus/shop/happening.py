"""Events as columns: what the shop would send, before and after its instrumentation is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from paribus.shop.outcome import CHECKOUT, Outcome
from paribus.shop.scenario import InstrumentationDefect
from paribus.shop.world import (
    BROKEN,
    METHOD,
    PRODUCT,
    SEARCH,
    Booleans,
    Floats,
    Integers,
    Visits,
    World,
)

SECOND = 1_000_000
SEARCHES = 0.08
PRODUCTS = tuple(f"p{number:02d}" for number in range(1, 41))
CATEGORIES = ("shoes", "shirts", "bags", "toys", "books")
METHODS = ("card", "invoice", "wallet")
THEMES = ("price", "delivery", "payment", "quality")
ORDER_OF_EVENTS = (
    "session_started",
    "search_performed",
    "product_viewed",
    "cart_item_added",
    "login_completed",
    "checkout_started",
    "$request",
    "$error",
    "error_shown",
    "payment_submitted",
    "order_completed",
    "survey_answered",
    "support_ticket_opened",
    "refund_requested",
)
SEARCH_AT, VIEW_AT, CART_AT, CHECKOUT_AT, PAYMENT_AT, ORDER_AT = range(6)


@dataclass(frozen=True, slots=True)
class Group:
    """Events of one name.

    Attributes:
        name: of the event.
        user, visit: whose they are, and of which visit.
        known: whether the user was logged in then.
        context: code of device, country and returning; see `Contexts`.
        time, due: when they happened, and when they leave the device; microseconds since 1970.
        copy: 0, or 1 for the second of an event sent twice.
        columns: properties by name.
        absent, mistyped: rows whose property is missing, or of the wrong type.
    """

    name: str
    user: Integers
    visit: Integers
    known: Booleans
    context: Integers
    time: Integers
    due: Integers
    copy: Integers
    columns: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Booleans] = field(default_factory=dict)
    mistyped: Mapping[str, Booleans] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: Any) -> Group:
        plain: dict[str, Any] = {each.name: getattr(self, each.name)[rows] for each in fields(self)[1:8]}
        mapped: dict[str, Any] = {
            each.name: {name: column[rows] for name, column in getattr(self, each.name).items()}
            for each in fields(self)[8:]
        }
        return Group(self.name, **plain, **mapped)

    def properties(self) -> list[dict[str, Any]]:
        """The properties of each event, as plain values."""
        names = list(self.columns)
        if not names:
            return [{} for _ in range(len(self))]
        lists = [column.tolist() for column in self.columns.values()]
        found = [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]
        for name, rows in self.mistyped.items():
            for i in np.flatnonzero(rows).tolist():
                found[i][name] = mistyped(found[i][name])
        for name, rows in self.absent.items():
            for i in np.flatnonzero(rows).tolist():
                found[i].pop(name, None)
        return found


def mistyped(value: Any) -> Any:
    """A value of another type: a number as text, text as a number."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return 0 if isinstance(value, str) else f"{value} NOK" if isinstance(value, float) else f"n{value}"


def joined(groups: Sequence[Group]) -> Group:
    """Groups of one name and the same columns in one."""
    first = groups[0]
    if len(groups) == 1:
        return first
    plain: dict[str, Any] = {
        each.name: np.concatenate([getattr(group, each.name) for group in groups]) for each in fields(first)[1:8]
    }
    columns = {name: np.concatenate([np.asarray(group.columns[name]) for group in groups]) for name in first.columns}
    marked: dict[str, Any] = {
        kind: {
            name: np.concatenate([getattr(group, kind).get(name, np.zeros(len(group), np.bool_)) for group in groups])
            for name in {name for group in groups for name in getattr(group, kind)}
        }
        for kind in ("absent", "mistyped")
    }
    return Group(first.name, **plain, columns=columns, **marked)


class Contexts:
    """What is known around an event, by its code."""

    def __init__(self, world: World) -> None:
        self._countries = len(world.countries)
        self._known: list[dict[str, Any]] = [
            {"device": device, "country": country, "returning": returning, "simulated": True}
            for device in world.devices
            for country in world.countries
            for returning in (False, True)
        ]

    def code(self, visits: Visits) -> Integers:
        """The code of each visit's context."""
        code: Integers = (visits.device * self._countries + visits.country) * 2 + visits.returning
        return code

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, code: int) -> dict[str, Any]:
        return self._known[code]


def happened(world: World, contexts: Contexts, visits: Visits, out: Outcome, variants: Sequence[Any]) -> list[Group]:
    """The events of visits; `variants` is what `$request` says was in force, for each visit."""
    context = contexts.code(visits)
    reached, moments = out.reached, visits.moments
    at_checkout = reached[:, CHECKOUT]
    known = visits.known | at_checkout
    product = (visits.uniform[:, PRODUCT] * len(PRODUCTS)).astype(np.int64)
    price = np.round(6.0 + 2.2 * product + 0.9 * (product % 7), 2)
    label = _labels

    def group(name: str, rows: Booleans, time: Integers, *, is_known: Booleans = known, **columns: Any) -> Group:
        i = np.flatnonzero(rows)
        time = time // 1000 * 1000  # to the millisecond, so that each way of sending says the same
        return Group(
            name,
            visits.user[i],
            visits.number[i],
            is_known[i],
            context[i],
            time[i],
            time[i] + (0 if name.startswith("$") else visits.delay[i]),
            np.zeros(len(i), np.int64),
            {each: column[i] for each, column in columns.items()},
        )

    every = np.ones(len(visits), np.bool_)
    request_time = moments[:, CHECKOUT_AT] + (out.seconds * SECOND).astype(np.int64) + 60_000
    said = {
        "method": np.full(len(visits), "POST", dtype=object),
        "route": np.full(len(visits), world.scenario.requests.route, dtype=object),
        "status": np.where(out.failed, 500, 200),
        "seconds": out.seconds,
        "error": out.failed,
        "exception": _labels((None, "PaymentProviderError"), out.failed.astype(np.int64)),
        "variants": _objects(variants),
    }
    shown = out.failed | (reached[:, -1] & out.sold_out)
    theme = label(THEMES, visits.uniform[:, METHOD])
    order_time = moments[:, ORDER_AT]
    return [
        group(
            "session_started",
            every,
            visits.start,
            is_known=visits.known,
            device=label(world.devices, visits.device),
            country=label(world.countries, visits.country),
            returning=visits.returning,
            channel=label(world.channels, visits.channel),
        ),
        group(
            "search_performed",
            visits.uniform[:, SEARCH] < SEARCHES,
            moments[:, SEARCH_AT],
            is_known=visits.known,
            results=(visits.uniform[:, SEARCH] / SEARCHES * 60).astype(np.int64),
        ),
        group(
            "product_viewed",
            reached[:, 0],
            moments[:, VIEW_AT],
            is_known=visits.known,
            product=label(PRODUCTS, product),
            category=label(CATEGORIES, product % len(CATEGORIES)),
            price=price,
        ),
        group(
            "cart_item_added",
            reached[:, 1],
            moments[:, CART_AT],
            is_known=visits.known,
            product=label(PRODUCTS, product),
            price=price,
            quantity=out.cart_items,
        ),
        group("login_completed", at_checkout & ~visits.known, moments[:, CHECKOUT_AT] - SECOND // 2),
        group("checkout_started", at_checkout, moments[:, CHECKOUT_AT], items=out.cart_items, value=out.value),
        group("$request", at_checkout, request_time, **said),
        group("$error", out.failed, request_time, **said, origin=np.full(len(visits), "request", dtype=object)),
        group(
            "error_shown",
            shown,
            np.where(out.failed, request_time, order_time) + SECOND // 10,
            kind=label(("out_of_stock", "server_error"), out.failed.astype(np.int64)),
            route=said["route"],
        ),
        group(
            "payment_submitted",
            reached[:, CHECKOUT + 1],
            moments[:, PAYMENT_AT],
            method=label(METHODS, visits.uniform[:, METHOD]),
        ),
        group("order_completed", out.ordered, order_time, revenue=out.revenue, items=out.items),
        group("survey_answered", out.survey, order_time + 20 * SECOND, score=out.score, theme=theme),
        group("support_ticket_opened", out.ticket, order_time + 25 * SECOND, theme=theme),
        group("refund_requested", out.refund, order_time + visits.refund_delay, value=out.revenue),
    ]


def broken(
    group: Group, defects: Sequence[tuple[int, InstrumentationDefect]], concerned: Any, uniform: Floats
) -> Group:
    """The group as its broken instrumentation sends it.

    Args:
        defects: with their positions in the scenario.
        concerned: from a defect to the rows that it may break.
        uniform: a random number for each row.
    """
    for position, defect in defects:
        drawn = (uniform + position * 0.6180339887) % 1.0 < defect.share
        rows = concerned(defect, group) & drawn
        if not rows.any():
            continue
        if defect.kind == "event_missing":
            group, uniform = group[~rows], uniform[~rows]
        elif defect.kind == "event_doubled":
            again = replace(group[rows], copy=np.ones(int(rows.sum()), np.int64))
            group, uniform = joined([group, again]), np.concatenate([uniform, uniform[rows]])
        else:
            marked = "absent" if defect.kind == "property_missing" else "mistyped"
            before: Mapping[str, Booleans] = getattr(group, marked)
            old = before.get(defect.property, np.zeros(len(group), np.bool_))
            now: dict[str, Any] = {marked: {**before, defect.property: old | rows}}
            group = replace(group, **now)
    return group


def broken_uniform(visits: Visits, name: str, row: Integers) -> Floats:
    """The random number that decides whether an event's instrumentation fails in a visit."""
    column = ORDER_OF_EVENTS.index(name) % (BROKEN.stop - BROKEN.start)
    found: Floats = visits.uniform[row, BROKEN.start + column]
    return found


def _labels(names: Sequence[str | None], codes: Any) -> Any:
    """Names by code, or by uniform number."""
    table = np.array(names, dtype=object)
    if codes.dtype.kind == "f":
        codes = (codes * len(names)).astype(np.int64)
    return table[codes]


def _objects(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
