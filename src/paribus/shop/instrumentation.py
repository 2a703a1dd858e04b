"""What broken instrumentation makes of events: missing, doubled, without a property, or with one of a wrong type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from paribus.shop.group import Group, joined
from paribus.shop.scenario import InstrumentationDefect
from paribus.shop.world import BROKEN, Booleans, Floats, Integers, Visits

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
