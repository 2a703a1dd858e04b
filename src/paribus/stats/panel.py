"""Difference in differences: two groups and two periods, and two-way fixed effects with errors clustered by unit.

Without randomization the effect rests on parallel trends, which no statistic can prove: results carry the heading
"quasi-experiment" wherever they are shown. Units that begin treatment at different times are refused: there two-way
fixed effects averages some effects with negative weights (Goodman-Bacon 2021; de Chaisemartin, D'Haultfoeuille 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Estimates, Floats, Reason, estimates


@dataclass(frozen=True, slots=True)
class DifferenceInDifferences:
    """The effect, and the four means it comes from (control before and after, treated before and after)."""

    effect: Estimates
    control_before: float
    control_after: float
    treated_before: float
    treated_after: float


@dataclass(frozen=True, slots=True, eq=False)
class PanelTable:
    """A balanced panel as the synthetic estimators take it: control units first, earlier periods first.

    outcomes   units by periods
    units      names of the rows
    periods    names of the columns
    n_control  number of rows that are never treated
    n_before   number of columns before treatment
    """

    outcomes: Floats
    units: NDArray[np.generic]
    periods: NDArray[np.generic]
    n_control: int
    n_before: int


def panel_table(unit: ArrayLike, time: ArrayLike, y: ArrayLike, treated: ArrayLike) -> PanelTable:
    """Rows of a balanced panel as a table, for `synthetic_control`, `synthetic_did` and `placebo_test`.

    Args:
        unit: unit of each row, shape (rows,).
        time: period of each row, sortable.
        y: outcome.
        treated: 1 in the rows where the unit is under treatment, else 0; all treated units start together.

    >>> table = panel_table(["a", "b", "a", "b"], [1, 1, 2, 2], [1.0, 2.0, 3.0, 4.0], [0, 0, 1, 0])
    >>> table.units.tolist(), table.outcomes.tolist()
    (['b', 'a'], [[2.0, 4.0], [1.0, 3.0]])
    """
    panel = _Panel.of(unit, time, y, treated)
    order = np.argsort(panel.ever, kind="stable")
    return PanelTable(
        outcomes=panel.table[order],
        units=np.unique(np.asarray(unit))[order],
        periods=np.unique(np.asarray(time)),
        n_control=int((~panel.ever).sum()),
        n_before=int((~panel.after).sum()),
    )


def difference_in_differences(
    unit: ArrayLike, time: ArrayLike, y: ArrayLike, treated: ArrayLike, *, level: float = 0.95
) -> DifferenceInDifferences:
    """Change of the treated units minus change of the others, from a balanced panel.

    The standard error compares each unit's own change (its mean after minus its mean before) between the two groups
    by Welch: units are independent, their periods are not (Bertrand, Duflo, Mullainathan 2004).

    Args:
        unit: unit of each row, shape (rows,).
        time: period of each row, sortable.
        y: outcome.
        treated: 1 in the rows where the unit is under treatment, else 0; all treated units start together.
        level: confidence level.

    >>> both = difference_in_differences([1, 2, 1, 2], [0, 0, 1, 1], [1.0, 2, 2, 6], [0, 0, 0, 1])
    >>> both.control_after - both.control_before, both.treated_after - both.treated_before
    (1.0, 4.0)
    """
    panel = _Panel.of(unit, time, y, treated)
    table, ever, after = panel.table, panel.ever, panel.after
    before_mean, after_mean = table[:, ~after].mean(axis=1), table[:, after].mean(axis=1)
    change = after_mean - before_mean
    groups = [change[~ever], change[ever]]
    value = float(groups[1].mean() - groups[0].mean())
    with np.errstate(invalid="ignore", divide="ignore"):
        v = [float(np.var(g, ddof=1) / g.size) if g.size > 1 else np.nan for g in groups]
        se = np.sqrt(v[0] + v[1])
        df = (v[0] + v[1]) ** 2 / (v[0] ** 2 / max(groups[0].size - 1, 1) + v[1] ** 2 / max(groups[1].size - 1, 1))
    effect = _estimates(value, se, df, level, "difference in differences", min(g.size for g in groups))
    means = [float(m[e].mean()) for e in (~ever, ever) for m in (before_mean, after_mean)]
    return DifferenceInDifferences(effect, *means)


def two_way_fixed_effects(
    unit: ArrayLike, time: ArrayLike, y: ArrayLike, treated: ArrayLike, *, level: float = 0.95
) -> Estimates:
    """Coefficient of treatment in a regression with unit and period effects; standard error clustered by unit.

    In a balanced panel whose treated units start together it is the difference in differences. The variance is
    Liang and Zeger's with the factor G / (G - 1) x (N - 1) / (N - K), K counting the fixed effects (Stata; R's
    `sandwich::vcovCL`, HC1), and t with G - 1 degrees of freedom.

    Args:
        unit: unit of each row, shape (rows,).
        time: period of each row.
        y: outcome.
        treated: 1 in the rows where the unit is under treatment, else 0.
        level: confidence level.

    Raises:
        InputError: treated units start at different times, or treatment is switched off again.
    """
    panel = _Panel.of(unit, time, y, treated)
    table, status = panel.table, panel.status
    units, periods = table.shape
    d, outcome = _demean(status), _demean(table)
    square = float((d**2).sum())
    if square <= 0:
        raise InputError("treatment never changes within the panel", rule="some units start treatment, others do not")
    value = float((d * outcome).sum() / square)
    residual = outcome - value * d
    scores = (d * residual).sum(axis=1)
    n, k = units * periods, units + periods
    correction = units / (units - 1) * (n - 1) / (n - k)
    se = float(np.sqrt(correction * (scores**2).sum()) / square)
    smallest = min(int(panel.ever.sum()), int((~panel.ever).sum()))
    return _estimates(value, se, units - 1.0, level, "two-way fixed effects, clustered by unit", smallest)


def _estimates(value: float, se: float, df: float, level: float, method: str, smallest: int) -> Estimates:
    boundary = Fixed(level)
    arrays = [np.asarray(a, dtype=np.float64) for a in (value, se, df)]
    with np.errstate(invalid="ignore"):
        radius = boundary.radius(arrays[1], np.asarray(np.nan), arrays[2])
        p_value = boundary.p_value(arrays[0], arrays[1], np.asarray(np.nan), arrays[2])
    return estimates(
        value,
        se,
        value - radius,
        value + radius,
        p_value,
        df=df,
        level=level,
        method=method,
        # With one unit in a group its own noise cannot be told from the effect: use placebo inference.
        reasons=((smallest < 2, Reason.TOO_FEW_UNITS), (se == 0, Reason.NO_VARIANCE)),
    )


def _demean(table: Floats) -> Floats:
    """The residual of unit and period effects in a balanced panel."""
    means = table.mean(axis=1, keepdims=True) + table.mean(axis=0, keepdims=True) - table.mean()
    return np.asarray(table - means)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A balanced panel: outcomes and treatment status by unit and period, who is ever treated, which periods are."""

    table: Floats
    status: Floats
    ever: NDArray[np.bool_]
    after: NDArray[np.bool_]

    @classmethod
    def of(cls, unit: ArrayLike, time: ArrayLike, y: ArrayLike, treated: ArrayLike) -> _Panel:
        outcome, status = np.asarray(y, dtype=np.float64), np.asarray(treated, dtype=np.float64)
        units, rows = np.unique(np.asarray(unit), return_inverse=True)
        periods, columns = np.unique(np.asarray(time), return_inverse=True)
        if not rows.shape == columns.shape == outcome.shape == status.shape:
            raise InputError("unit, time, outcome and treatment differ in length")
        if not np.all((status == 0) | (status == 1)):
            raise InputError("treatment holds values other than 0 and 1")
        if not np.all(np.isfinite(outcome)):
            raise InputError("the outcome holds values that are not finite")
        cells = np.bincount(rows * len(periods) + columns, minlength=len(units) * len(periods))
        if np.any(cells != 1):
            raise InputError(
                f"{int((cells == 0).sum())} unit-periods are missing and {int((cells > 1).sum())} occur more than once",
                rule="a balanced panel: one row for every unit in every period",
            )
        table, on = np.empty((len(units), len(periods))), np.empty((len(units), len(periods)))
        table[rows, columns], on[rows, columns] = outcome, status
        ever = np.asarray(on.any(axis=1))
        if not ever.any() or ever.all():
            raise InputError("no unit, or every unit, is treated", rule="some units are treated, others never")
        if np.any(np.diff(on, axis=1) < 0):
            raise InputError("treatment is switched off again for some units")
        after = np.asarray(on[ever].any(axis=0))
        starts = on[ever].argmax(axis=1)
        if np.unique(starts).size > 1:
            raise InputError(
                f"treatment starts at {np.unique(starts).size} different periods",
                rule="staggered adoption gives some effects negative weights (Goodman-Bacon 2021)",
                fix="compare each starting cohort with the units that are never treated",
            )
        if after.all():
            raise InputError("the treated units have no period before treatment")
        return cls(table, on, ever, after)
