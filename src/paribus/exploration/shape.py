"""What a table of events holds beside unit, event and time: properties by event, attributes of units, amounts."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_VALUES = 12  # an attribute with more values is no segment
MOST_ATTRIBUTES = 6
ALMOST_ALWAYS = 0.95  # of an event's rows: a property that is there may be counted on
MOST_NUMBERS = 8
CODE = re.compile(r"(^|_)(status|code|version|port|year|month|day|hour|index|position|page|score|rank|zip)$")
_ID = re.compile(r"(^|_)(id|ids|uuid|guid|token|hash|key|email|phone|ip|name|url|path|referrer|user_agent)$")
MONEY = re.compile(
    r"revenue|amount|(^|_)(value|total|price|paid|spend|gmv|mrr|arr|income|fee)(_|$)|_usd$|_eur$", re.IGNORECASE
)
LATENCY = re.compile(r"latency|duration|(^|_)(ms|seconds|elapsed|response_time|load_time)(_|$)", re.IGNORECASE)
FAILURE = re.compile(r"error|exception|crash|fail", re.IGNORECASE)
REGRET = re.compile(r"refund|cancel|complain|return_request|unsubscri|churn|support_ticket|chargeback", re.IGNORECASE)
CONVERSION = re.compile(
    r"order_?(completed|placed)|purchase|transaction|checkout_?completed|payment_?(succeeded|completed)|subscri|"
    r"sign_?up|signed_up|register|activat|conver|complete|deposit|book(ed|ing)|trial_started|upgraded",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an event: its types, its share of the event's rows, how many values it has (of a sample)."""

    event: str
    name: str
    type: str
    present: float
    values: int
    place: str
    """properties, context, or column."""
    mixed: bool = False
    seen: tuple[str, ...] = ()
    """The texts that it was seen as, where they are few."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that is true of a unit when an event happens, of few values: a segment and a flag's condition.

    Attributes:
        name: as the events name it.
        column: of the event table that analyses read.
        values: the values that are told apart, most frequent first; all others are "other".
        in_context: flags can be decided by it, because the client sends it with every event.
    """

    name: str
    column: str
    values: tuple[str, ...]
    in_context: bool
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric property that analyses read from `column` of the event table."""

    name: str
    column: str
    events: tuple[str, ...]


def is_identifier(name: str, values: int, rows: int) -> bool:
    """Whether a property tells single things apart rather than groups of units."""
    return bool(_ID.search(name.lower())) or values > max(MOST_VALUES, 0.2 * rows)
