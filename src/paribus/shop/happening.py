"""What happens in visits, as the events that the shop would send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paribus.shop.group import Contexts, Group
from paribus.shop.outcome import CHECKOUT, Outcome
from paribus.shop.world import METHOD, PRODUCT, SEARCH, Booleans, Integers, Visits, World

SECOND = 1_000_000
SEARCHES = 0.08
PRODUCTS = tuple(f"p{number:02d}" for number in range(1, 41))
CATEGORIES = ("shoes", "shirts", "bags", "toys", "books")
METHODS = ("card", "invoice", "wallet")
THEMES = ("price", "delivery", "payment", "quality")
SEARCH_AT, VIEW_AT, CART_AT, CHECKOUT_AT, PAYMENT_AT, ORDER_AT = range(6)


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
