"""Reads the rows of the moments statement into cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from paribus.metrics.cells import CellKey, Cells
from paribus.metrics.level import MetricColumns, Scope
from paribus.metrics.sums import Sums
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class Reading:
    """What the moments statement said."""

    cells: dict[str, Cells]
    keys: tuple[CellKey, ...]
    units: tuple[int, ...]  # units of each key, immature ones included
    mixed: int
    matched: dict[str, int]
    early: dict[str, dict[str, int]]
    maxima: dict[str, float]
    totals: dict[str, float]
    is_complete: bool
    not_finite: tuple[str, ...]  # metrics whose sums are not finite
    negative: dict[str, int]  # by metric: units with a value below zero


def read(
    plan: Sums,
    records: Sequence[Mapping[str, Any]],
    scope: Scope,
    shifts: Mapping[str, float],
) -> Reading:
    """Cells from the statement's rows."""
    whole = [row for row in records if not row.get(plan.keys.get("attribute", "")) or int(row["z_attribute"]) == 0]
    mixed_alias = plan.keys.get("mixed")
    count = plan.aliases["rows",]
    mixed = sum(int(row[count]) for row in whole if mixed_alias and int(row[mixed_alias]))
    used = [row for row in records if not (mixed_alias and int(row[mixed_alias]))]
    used = [row for row in used if row[plan.keys["variant"]] is not None and int(row[count])]
    keyed = sorted(((key_of(plan, row, scope), row) for row in used), key=lambda pair: key_order(pair[0]))
    keys = tuple(key for key, _ in keyed)
    rows = [row for _, row in keyed]
    units = tuple(int(row[count]) for row in rows)
    total = {key[1]: sum(int(row[a] or 0) for row in whole) for key, a in plan.aliases.items() if key[0] == "matched"}
    early: dict[str, dict[str, int]] = {}
    for place, alias in plan.aliases.items():
        if place[0] == "early":
            by_variant: dict[str, int] = {}
            for key, row in keyed:
                if key.attribute is None:
                    by_variant[key.variant] = by_variant.get(key.variant, 0) + int(row[alias] or 0)
            early[place[1]] = by_variant
    whole_alias = plan.aliases.get(("complete",))
    complete = whole_alias is None or all(int(row[whole_alias]) == int(row[count]) for row in rows)
    cells, maxima, totals, odd, negative = {}, {}, {}, [], {}
    for name, described in plan.metrics.items():
        cells[name], is_finite = cells_of(plan, name, described, keys, rows, units, shifts)
        if not is_finite:
            odd.append(name)
        if (name, "largest") in plan.aliases:
            whole = [row for key, row in keyed if key.attribute is None]
            ends = [_float(row[plan.aliases[name, "largest"]]) for row in whole]
            maxima[name] = max((end for end in ends if not math.isnan(end)), default=0.0)
            negative[name] = sum(int(row[plan.aliases[name, "negative"]]) for row in whole)
        else:
            maxima[name] = 1.0
        whole_cells = [i for i, key in enumerate(keys) if key.attribute is None]
        moments_of_y = cells[name].uncapped or cells[name].moments
        sums = moments_of_y.n[whole_cells] * moments_of_y.mean[whole_cells, 0]
        totals[name] = float(np.nansum(np.abs(sums)))
    return Reading(cells, keys, units, mixed, total, early, maxima, totals, complete, tuple(odd), negative)


def cells_of(
    plan: Sums,
    name: str,
    described: MetricColumns,
    keys: tuple[CellKey, ...],
    rows: Sequence[Mapping[str, Any]],
    units: tuple[int, ...],
    shifts: Mapping[str, float],
) -> tuple[Cells, bool]:
    """A metric's cells from their rows, and whether all their sums are finite."""

    def column(*key: str) -> Floats:
        alias = plan.aliases[(name, *key)]
        return np.array([_float(row[alias]) for row in rows])

    n = column("n") if described.has_own_units else np.array(units, dtype=np.float64)
    k = len(described.variables)
    shift = np.array([shifts.get(f"{name}/{v}", 0.0) for v in described.names])
    s1, s2, s3 = np.zeros((len(rows), k)), np.full((len(rows), k, k), np.nan), np.full((len(rows), k), np.nan)
    empty = n == 0
    for i, variable in enumerate(described.variables):
        s1[:, i] = np.where(empty, 0.0, column(variable.name))
        if variable.zero_one:
            s2[:, i, i] = s1[:, i]
            s3[:, i] = s1[:, i]
        elif (name, variable.name, "cube") in plan.aliases:
            s3[:, i] = np.where(empty, 0.0, column(variable.name, "cube"))
        for j in range(i, k):
            other = described.variables[j]
            if (name, variable.name, other.name) in plan.aliases:
                s2[:, i, j] = s2[:, j, i] = np.where(empty, 0.0, column(variable.name, other.name))
    covered = tuple(frozenset([key]) for key in keys)
    built = Moments.from_shifted_sums(described.names, n, shift, s1, s2, s3, covered)
    uncapped, beyond = None, None
    if (name, "beyond") in plan.aliases:
        beyond = tuple(int(row[plan.aliases[name, "beyond"]]) for row in rows)
        uncapped = _uncapped(plan, name, described, column, n, s1, s2, s3, shift, covered)
    # Only a window leaves units out for later; a table of units leaves out those without a value, counted elsewhere.
    windowed = described.has_own_units and bool(described.metric.source or described.metric.steps)
    immature = tuple(u - int(m) for u, m in zip(units, n, strict=True)) if windowed else None
    cells = Cells(name, keys, built, uncapped, beyond, immature)
    finite = bool(np.isfinite(s1).all() and np.isfinite(np.einsum("...ii->...i", s2)).all())
    if uncapped is not None:
        finite = finite and bool(np.isfinite(uncapped.mean[~empty]).all())
    return cells, finite


def _uncapped(
    plan: Sums,
    name: str,
    described: MetricColumns,
    column: Callable[..., Floats],
    n: Floats,
    s1: Floats,
    s2: Floats,
    s3: Floats,
    shift: Floats,
    covered: tuple[frozenset[CellKey], ...],
) -> Moments:
    """Moments of y (and d) without the cap."""
    names = tuple(v.name for v in described.outcomes)
    k = len(names)
    a1, a2, a3 = s1[:, :k].copy(), s2[:, :k, :k].copy(), s3[:, :k].copy()
    a1[:, 0], a2[:, 0, 0], a3[:, 0] = column("raw"), column("raw", "raw"), column("raw", "cube")
    if k == 2:
        a2[:, 0, 1] = a2[:, 1, 0] = column("raw", "d")
    empty = n == 0
    a1[empty], a2[empty], a3[empty] = 0.0, 0.0, 0.0
    return Moments.from_shifted_sums(names, n, shift[:k], a1, a2, a3, covered)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def key_of(plan: Sums, row: Mapping[str, Any], scope: Scope) -> CellKey:
    """The cell that a row is of."""

    def text(key: str) -> str | None:
        found = row.get(plan.keys[key]) if key in plan.keys else None
        return None if found is None else str(found)

    attribute = int(row[plan.keys["attribute"]]) if "attribute" in plan.keys else 0
    return CellKey(
        variant=str(row[plan.keys["variant"]]),
        epoch=text("epoch"),
        stratum=text("stratum"),
        day=as_date(row.get(plan.keys["day"])) if "day" in plan.keys else None,
        attribute=scope.segments[attribute - 1] if attribute else None,
        level=text("level") if attribute else None,
    )


def as_date(value: Any) -> date | None:
    """The date that an engine returned: a date, a timestamp, or ISO text."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def key_order(key: CellKey) -> tuple[str, ...]:
    """The order of cells: the whole before segments, each by level, variant, epoch, stratum and day."""
    parts = (key.attribute, key.level, key.variant, key.epoch, key.stratum, key.day)
    return tuple("" if part is None else f" {part}" for part in parts)
