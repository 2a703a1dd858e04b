"""The product's own instrumentation, in its staging traffic: what arrives, in which shape, and how often.

Events may be missing, mistyped, sent twice or lost now and then. What is lost now and then shows only against another
measure: the share of units that go on from one step of the funnel to the next, compared with what production does; and
what never happens in production without another event before it, and now does. The feature may change the first, which
has to be far off; it does not change the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
ALPHA, ALPHA_BELONGING = 1e-4, 1e-3
"""By chance; production is taken to fail once more than it did, so what belongs is said with less than this."""
ALWAYS, SURELY = 0.98, 0.995
"""Of the units with one event that had another on the same day in production: the other belongs to it."""
LEAST_KNOWN, KNOWN_UNITS = 20, 100
"""Units in production before that is said of one event, and of all that something belongs to together."""
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
_DAYS = f"""
WITH seen AS (SELECT environment IS NOT DISTINCT FROM $environment AS inside, {_UNIT} AS unit,
    CAST(corrected_time AS DATE) AS day, list_sort(list(DISTINCT name)) AS names FROM {{events}}
  WHERE NOT list_contains($own, split_part(source, ':', -1)) GROUP BY 1, 2, 3)
SELECT inside, names, count(*) AS units FROM seen GROUP BY ALL ORDER BY ALL
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

    `belongs`: in production almost nobody has the first, or one of several, without the second.
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
        return self.units >= LEAST_UNITS and few and self.p_value < (ALPHA_BELONGING if self.belongs else ALPHA)

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
        wanted: events that have to arrive, whatever the feature does.
        planned: events that `wanted` ones may belong to.
    """
    from scipy.special import bdtr

    following = list(pairwise(steps))
    possible = [(first, second) for second in wanted for first in planned if first != second]
    days = _days(reader, sorted({*steps, *wanted, *planned}), environment, own)
    found = []
    for first, second in following:
        (units, went_on), (all_units, all_went_on) = (days.passed((first,), second, inside) for inside in (True, False))
        if units and all_units:
            usual = all_went_on / all_units
            p_value = float(bdtr(went_on, units, usual)) if 0 < usual < 1 else 1.0
            found.append(Passage(first, second, units, went_on, usual, p_value))
    belonging: dict[str, dict[str, float]] = {}
    for first, second in possible:
        all_units, all_went_on = days.passed((first,), second, inside=False)
        if all_units >= LEAST_KNOWN and all_went_on >= ALWAYS * all_units:
            belonging.setdefault(second, {})[first] = all_went_on / all_units
    for second, shares in belonging.items():
        surest = [first for first, share in shares.items() if share >= SURELY]
        asked = dict.fromkeys([*((first,) for first in shares), tuple(surest)])
        told = [each for each in (_belonging(days, firsts, second) for firsts in asked) if each is not None]
        if told:
            least = min(told, key=lambda each: each.p_value)
            found.append(replace(least, p_value=min(len(told) * least.p_value, 1.0)))
    return found


def _belonging(days: _Days, firsts: Sequence[str], second: str) -> Passage | None:
    """Whether units that have one of the first events have the second; None where production shows too few."""
    from scipy.special import bdtr

    (units, went_on), (all_units, all_went_on) = (days.passed(firsts, second, inside) for inside in (True, False))
    likely = (all_went_on + 1) / (all_units + 2)  # that it never failed yet does not say that it never will
    if not units or all_units < KNOWN_UNITS or likely < ALWAYS:
        return None
    p_value = float(bdtr(went_on, units, likely)) if went_on < units else 1.0
    return Passage(" or ".join(firsts), second, units, went_on, all_went_on / all_units, p_value, belongs=True)


@dataclass(frozen=True, slots=True)
class _Days:
    """How many units had which events on one day, inside of an environment and outside of it."""

    counts: tuple[tuple[bool, frozenset[str], int], ...]

    def passed(self, firsts: Sequence[str], second: str, inside: bool) -> tuple[int, int]:
        """Units that had one of the first events, and of these those that had the second too."""
        met = [(names, n) for place, names, n in self.counts if place is inside and not names.isdisjoint(firsts)]
        return sum(n for _, n in met), sum(n for names, n in met if second in names)


def _days(reader: LakeReader, names: Sequence[str], environment: str, own: Sequence[str]) -> _Days:
    if not names:
        return _Days(())
    values = {"environment": environment, "own": list(own)}
    rows = ask(reader, _DAYS, names=names, columns=_COLUMNS, values=values)
    return _Days(tuple((bool(row["inside"]), frozenset(row["names"]), int(row["units"])) for row in rows))


def _held(reader: LakeReader, environment: str, own: Sequence[str]) -> dict[str, Counter[str]]:
    """What is in quarantine for breaking the plan, by event and detail; of sources that are not validation's own."""
    found: dict[str, Counter[str]] = {}
    for row in held_back(reader, environment, own, but=True):
        if row["reason"] in {"contract", "unplanned"}:
            found.setdefault(str(row["name"]), Counter())[str(row["detail"])] += 1
    return found
