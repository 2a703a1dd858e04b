"""Real customers for a demo: the first half of 1997 at CDNOW, a shop for music, each order as an event."""

from __future__ import annotations

import csv
import io
import json
import lzma
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from paribus.app.simulated_history import landing_rows
from paribus.lake.record import microseconds

if TYPE_CHECKING:
    from paribus.lake import LandingRow

Json = dict[str, Any]
NAMES = ("first_order", "second_order", "third_order")
LATER = "later_order"
FUNNEL = "orders"
OWNER = "shop"
NOON = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Order:
    """One order of one customer.

    Attributes:
        row: its place in the source, 0 the first.
        customer: the customer's id.
        name: which order of this customer it is; the name of its event.
        time: the published day at noon, a minute later for each further order of the customer on that day.
        items: how many CDs.
        revenue: US dollars.
    """

    row: int
    customer: str
    name: str
    time: datetime
    items: int
    revenue: float

    @property
    def event_id(self) -> str:
        """The id of its event: the same however it is sent."""
        return f"cdnow-{self.row}"

    @property
    def properties(self) -> Json:
        """What its event carries."""
        return {"revenue": self.revenue, "items": self.items}


def orders() -> tuple[Order, ...]:
    """Every order of the example, in the order of time."""
    packed = (files("paribus") / "examples" / "cdnow" / "orders.csv.xz").read_bytes()
    rows = csv.DictReader(io.StringIO(lzma.decompress(packed).decode()))
    before: Counter[str] = Counter()
    on_day: Counter[tuple[str, date]] = Counter()
    found = []
    for row, each in sorted(enumerate(rows), key=lambda item: (item[1]["date"], item[0])):
        customer, day = each["customer"], datetime.strptime(each["date"], "%Y%m%d").replace(tzinfo=UTC)
        place, again = before[customer], on_day[customer, day.date()]
        before[customer] += 1
        on_day[customer, day.date()] += 1
        name = NAMES[place] if place < len(NAMES) else LATER
        time = day + NOON + timedelta(minutes=again)
        found.append(Order(row, customer, name, time, int(each["items"]), float(each["dollars"])))
    return tuple(sorted(found, key=lambda order: (order.time, order.row)))


def tracking_plan() -> Json:
    """The plan of these events: from a customer's first order to the second is the funnel."""
    said = {
        NAMES[0]: "A customer's first order.",
        NAMES[1]: "The same customer's second order.",
        NAMES[2]: "The third.",
        LATER: "The fourth, or one after it.",
    }
    properties = {
        "revenue": {"type": "number", "required": True, "minimum": 0},
        "items": {"type": "integer", "required": True, "minimum": 0},
    }
    events: Json = {
        name: {"description": text, "owner": OWNER, "semantics": "action", "properties": properties}
        for name, text in said.items()
    }
    events[NAMES[0]] |= {"semantics": "funnel_step", "funnel": {"funnel": FUNNEL, "step": 1}}
    events[NAMES[1]] |= {"semantics": "conversion", "funnel": {"funnel": FUNNEL, "step": 2}}
    return {"events": events}


def history(
    made: Sequence[Order], begin: datetime, days: int, plan: Any
) -> Iterator[tuple[int, list[LandingRow], int]]:
    """The days before the feature as landing rows, judged by the plan in force: (day, rows, events)."""
    for day in range(days):
        first, end = begin + timedelta(days=day), begin + timedelta(days=day + 1)
        texts = [_text(order) for order in made if first <= order.time < end]
        yield day, landing_rows(texts, microseconds(end), plan), len(texts)


def _text(order: Order) -> str:
    return json.dumps(
        {
            "event_id": order.event_id,
            "name": order.name,
            "time": order.time.isoformat().replace("+00:00", "Z"),
            "unit_type": "user",
            "unit": order.customer,
            "user_id": order.customer,
            "properties": order.properties,
            "context": {"process": "history"},
        }
    )
