"""The unit level: one row per unit with its cell's key and every variable of every metric, as levels of one statement.

`table` (a table of units) and `exposed` (exposures with events) build it; `sums`, `ranks` and `clusters` read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from paribus.metrics.definition import Metric
from paribus.warehouse.sql import build as sql


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows count: known variants (None: all), enrolment in [start, end), data before `as_of`; the cells' grain.

    `closed` is the time up to which windows have closed: `as_of`, or the last time in the data.
    `by_unit` keeps each unit's id at the unit level, for a sample of units; of a table of units with exposure times,
    those exposed before `until`.
    """

    variants: tuple[str, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None
    closed: datetime | None = None
    by_day: bool = False
    segments: tuple[str, ...] = ()
    tolerance_seconds: int = 5
    by_unit: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """What the data need beyond the plain statement; each part costs time, so it is asked for only when found.

    trusted     the probe found a unit and a known variant in every row: no condition repeats that
    nullable    metrics with missing values: their own number of units
    not_finite  metrics with NaN or infinities: those values count as missing
    gaps        (metric, covariate number) with missing values: 0 and an indicator
    repeated    the table of units has several rows for some unit
    repeated_events  sources with several rows for one event id
    rows        rows of one unit are observations clustered by it (`cluster` names the unit column)
    """

    trusted: bool = False
    nullable: frozenset[str] = frozenset()
    not_finite: frozenset[str] = frozenset()
    gaps: frozenset[tuple[str, int]] = frozenset()
    repeated: bool = False
    repeated_events: frozenset[str] = frozenset()
    rows: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the unit level. `zero_one`: it holds 0 and 1 only, so its squares and cubes are itself."""

    name: str
    alias: str
    zero_one: bool = False


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """A metric's variables. `has_own_units`: its variables are NULL for units that it leaves out.

    `known_by` is the alias of a column that is NULL for the same units; metrics that leave out the same share it.
    """

    metric: Metric
    variables: tuple[Variable, ...]
    has_own_units: bool = False
    capped_covariates: tuple[str, ...] = ()  # aliases that take the metric's own cap
    known_by: str = ""  # y's own when empty

    def variable(self, name: str) -> Variable | None:
        return next((v for v in self.variables if v.name == name), None)

    @property
    def y(self) -> Variable:
        return self.variables[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.variables)

    @property
    def outcomes(self) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.name in {"y", "d"})


@dataclass(slots=True)
class UnitLevel:
    """The levels so far, the relation of units, and the aliases of what it holds.

    keys      "variant", and when asked "epoch", "stratum", "day", "cluster", "mixed", "unit", "segment 0".. -> alias
    matched   events source -> alias of the number of its rows for the unit; `early` those within the tolerance before
    """

    statement: sql.Statement
    relation: sql.Expr
    keys: dict[str, str]
    metrics: dict[str, MetricColumns]
    matched: dict[str, str] = field(default_factory=dict)
    early: dict[str, str] = field(default_factory=dict)


class Columns:
    """Columns of one level by alias; an expression that is already there keeps its alias."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.by_alias: dict[str, sql.Expr] = {}
        self._alias_of: dict[str, str] = {}

    def add(self, expression: sql.Expr, alias: str | None = None) -> str:
        text = expression.sql(copy=False)
        if alias is None and text in self._alias_of:
            return self._alias_of[text]
        name = alias or f"{self.prefix}_{len(self.by_alias) + 1}"
        self.by_alias[name] = expression
        self._alias_of.setdefault(text, name)
        return name


def rename(columns: Sequence[str] | Mapping[str, sql.Expr], old: str, new: str) -> dict[str, str]:
    """Alias of each column one level up: the old prefix replaced by the new."""
    return {alias: f"{new}{alias.removeprefix(old)}" for alias in columns}
