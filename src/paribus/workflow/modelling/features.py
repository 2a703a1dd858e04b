"""Features of units before a moment, and whether the success event came after it: one statement over `events`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError
from paribus.workflow.code.identifier import python_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from paribus.exploration.event_log import EventLog

DAY = 86_400_000_000  # microseconds
LARGEST = 200_000
RECENCY = ("active_days", "days_since_last")
HELD_OUT = 0.3
LOOK_BACK = 0.6
"""Share of the history that features read; labels come from the rest."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A table of features: a row per unit, a column per name, and labels 0 and 1.

    held  rows that nothing is trained on: those whose unit's hash lies in the last 30%
    cut   microseconds since 1970: features are before it, labels from it on
    """

    names: tuple[str, ...]
    events: tuple[str, ...]
    sql: str
    cut: int
    matrix: NDArray[np.float64]
    labels: NDArray[np.float64]
    held: NDArray[np.bool_]

    def columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The columns of these names."""
        return self.matrix[:, [self.names.index(name) for name in names]]


def read_features(log: EventLog, success: str, *, most: int = 8) -> FeatureSet:
    """How often a unit did each frequent event, on how many days, how long ago; and whether `success` followed.

    Raises:
        InputError: the history is shorter than a week, or the success event is not in it.
    """
    if success not in log.events:
        raise InputError(f"the history has no event {success!r}", where="model", rule="the label is the success event")
    if log.last - log.first < 7 * DAY:
        raise InputError("the history is shorter than a week", where="model", rule="features, and labels after them")
    cut = log.first + int((log.last - log.first) * LOOK_BACK) // DAY * DAY
    events = log.actions[:most]
    names = (*_names(events), *RECENCY)
    sql = feature_sql(log, events, success, cut)
    table = log.query(sql)
    if not table.rows:
        raise InputError("no unit was there before the cut", where="model")
    units = [str(row[0]) for row in table.rows]
    matrix = np.array([row[1:-1] for row in table.rows], dtype=np.float64)
    labels = np.array([row[-1] for row in table.rows], dtype=np.float64)
    held = np.array([_share(unit) >= 1 - HELD_OUT for unit in units])
    return FeatureSet(names, events, sql, cut, matrix, labels, held)


def feature_sql(log: EventLog, events: Sequence[str], success: str, cut: int) -> str:
    """The statement, in DuckDB's words, over `events(unit, event, at_us, day)`."""
    counts = "".join(
        f"SUM(CASE WHEN event = {log.names([event])} AND at_us < {cut} THEN 1 ELSE 0 END) AS {name},\n  "
        for event, name in zip(events, _names(events), strict=True)
    )
    return (
        f"SELECT unit,\n  {counts}COUNT(DISTINCT CASE WHEN at_us < {cut} THEN day END) AS active_days,\n  "
        f"({cut} - MAX(CASE WHEN at_us < {cut} THEN at_us END)) / {DAY}.0 AS days_since_last,\n  "
        f"MAX(CASE WHEN event = {log.names([success])} AND at_us >= {cut} THEN 1 ELSE 0 END) AS label\n"
        f"FROM events GROUP BY unit HAVING MIN(at_us) < {cut} ORDER BY unit LIMIT {LARGEST}"
    )


def _names(events: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for event in events:
        name = f"{python_name(event)}_count"
        found.append(name if name not in found else f"{name}_{len(found)}")
    return tuple(found)


def _share(unit: str) -> float:
    return int.from_bytes(hashlib.sha256(unit.encode()).digest()[:4], "big") / 2**32
