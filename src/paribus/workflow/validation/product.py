"""The product's own instrumentation, in its staging traffic: what arrives, in which shape, and how often.

Events may be missing, mistyped, sent twice or lost now and then. What is lost now and then shows only against another
measure: the share of units that go on from one step of the funnel to the next, compared with what production does; and
what never happens in production without another event before it, and now does. The feature may change the first, which
has to be far off; it does not change the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from paribus.lake.reading import LakeReader
from paribus.lake.rows import ask
from paribus.workflow.validation.arrival import held_back

Json = dict[str, Any]
LEAST_UNITS = 30
"""Units at a step before its share is compared with history."""
FEWER = 0.8
"""A step that keeps less than this share of its usual units, beyond chance, has lost events."""
ALPHA = 1e-4
ALWAYS = 0.98
"""Of the units with one event that had another on the same day in production: the other belongs to it."""
KNOWN_UNITS = 100
"""Units with the event in production before that is said."""
DOUBLED = 0.02
_UNIT = "coalesce(unit, user_id, anonymous_id)"
STATEMENT = f"""
SELECT name, count(*) AS events, count(DISTINCT {_UNIT}) AS units, count(*) FILTER (WHERE NOT planned) AS unplanned,
       count(*) - count(DISTINCT hash(name, {_UNIT}, properties, date_trunc('second', corrected_time))) AS doubled,
       count(*) FILTER (WHERE epoch_us(received_time) - epoch_us(corrected_time) > 300000000) AS late
FROM {{events}}
WHERE environment = $environment AND NOT list_contains($own, split_part(source, ':', -1))
GROUP BY name ORDER BY name
"""
_NEXT = f"""
WITH step AS (SELECT name, {_UNIT} AS unit, CAST(corrected_time AS DATE) AS day,
    environment IS NOT DISTINCT FROM $environment AS inside FROM {{events}}
  WHERE NOT list_contains($own, split_part(source, ':', -1)) GROUP BY ALL),
pair AS (SELECT unnest($first) AS first, unnest($second) AS second)
SELECT pair.first, pair.second, here.inside, count(*) AS units, count(next.unit) AS went_on
FROM pair JOIN step AS here ON here.name = pair.first
LEFT JOIN step AS next ON next.name = pair.second AND next.unit = here.unit AND next.day = here.day
  AND next.inside = here.inside
GROUP BY ALL
"""
_COLUMNS = (
    "name",
    "unit",
    "user_id",
    "anonymous_id",
    "properties",
    "planned",
    "corrected_time",
    "received_time",
    "source",
    "environment",
)


@dataclass(frozen=True, slots=True)
class EventHealth:
    """One event in the product's staging traffic.

    Attributes:
        held: events that broke the plan, by what broke.
        doubled: copies beyond the first: same unit, name, properties, within the same second.
    """

    event: str
    events: int
    units: int
    held: Mapping[str, int]
    doubled: int
    late: int
    unplanned: int


@dataclass(frozen=True, slots=True)
class Passage:
    """How many units with one event had another on the same day, in staging and usually.

    `belongs`: in production almost nobody has the first without the second.
    """

    first: str
    second: str
    units: int
    went_on: int
    usual: float
    p_value: float
    belongs: bool = False

    @property
    def is_lossy(self) -> bool:
        """Whether staging keeps fewer units than production, beyond chance; far fewer, where they may choose."""
        share = self.went_on / self.units if self.units else 1.0
        few = share < (1.0 if self.belongs else FEWER) * self.usual
        return self.units >= LEAST_UNITS and few and self.p_value < ALPHA

    @property
    def sentence(self) -> str:
        """What is lost, in words."""
        share = f"{self.went_on / self.units:.0%}" if self.units else "none"
        if self.belongs:
            return f"{self.second} is there for {share} of users with {self.first}, usually for {self.usual:.1%}"
        return f"{self.second} follows {self.first} for {share} of users, usually for {self.usual:.0%}"


def events(reader: LakeReader, environment: str, own: Sequence[str]) -> dict[str, EventHealth]:
    """Each event of the product in an environment; `own` are the labels of validation's own keys."""
    rows = ask(reader, STATEMENT, columns=_COLUMNS, values={"environment": environment, "own": list(own)})
    held = _held(reader, environment, own)
    names = sorted({row["name"] for row in rows} | set(held))
    by_name = {row["name"]: row for row in rows}
    found = {}
    for name in names:
        row = by_name.get(name, {})
        found[name] = EventHealth(
            name,
            int(row.get("events", 0)),
            int(row.get("units", 0)),
            dict(held.get(name, Counter())),
            int(row.get("doubled", 0)),
            int(row.get("late", 0)),
            int(row.get("unplanned", 0)),
        )
    return found


def passages(
    reader: LakeReader,
    steps: Sequence[str],
    environment: str,
    own: Sequence[str],
    *,
    wanted: Sequence[str] = (),
    planned: Sequence[str] = (),
) -> list[Passage]:
    """Each step of the funnel to the next on the same day, in an environment against all others.

    Args:
        reader: of the lake.
        steps: of the funnel.
        environment: of the staging traffic.
        own: labels of validation's own keys.
        wanted: events that have to arrive.
        planned: events that `wanted` ones may belong to.
    """
    from scipy.special import bdtr

    following = list(pairwise(steps))
    belonging = [(first, second) for second in wanted for first in planned if first != second]
    pairs = list(dict.fromkeys([*following, *belonging]))
    if not pairs:
        return []
    rows = ask(
        reader,
        _NEXT,
        names=sorted({name for pair in pairs for name in pair}),
        columns=_COLUMNS,
        values={
            "environment": environment,
            "own": list(own),
            "first": [first for first, _ in pairs],
            "second": [second for _, second in pairs],
        },
    )
    counted = {(row["first"], row["second"], row["inside"]): (row["units"], row["went_on"]) for row in rows}
    found = []
    for first, second in pairs:
        units, went_on = counted.get((first, second, True), (0, 0))
        all_units, all_went_on = counted.get((first, second, False), (0, 0))
        if not units or not all_units:
            continue
        usual = all_went_on / all_units
        if (first, second) in following:
            p_value = float(bdtr(went_on, units, usual)) if 0 < usual < 1 else 1.0
            found.append(Passage(first, second, units, went_on, usual, p_value))
        likely = (all_went_on + 1) / (all_units + 2)  # that it never failed yet does not say that it never will
        if (first, second) in belonging and all_units >= KNOWN_UNITS and likely >= ALWAYS:
            p_value = float(bdtr(went_on, units, likely)) if went_on < units else 1.0
            found.append(Passage(first, second, units, went_on, usual, p_value, belongs=True))
    return found


def _held(reader: LakeReader, environment: str, own: Sequence[str]) -> dict[str, Counter[str]]:
    """What is in quarantine for breaking the plan, by event and detail; of sources that are not validation's own."""
    found: dict[str, Counter[str]] = {}
    for row in held_back(reader, environment, own, but=True):
        if row["reason"] in {"contract", "unplanned"}:
            found.setdefault(str(row["name"]), Counter())[str(row["detail"])] += 1
    return found
