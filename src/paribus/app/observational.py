"""Effects that nobody randomized, from a panel in a file, a database or memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.app.experiment import as_level, table_engine

if TYPE_CHECKING:
    from paribus.experiments.panel.result import PanelEffects
    from paribus.stats.synthetic import Solver


def panel(
    source: object,
    *,
    unit: str,
    time: str,
    treated: str,
    metric: str,
    estimator: str = "all",
    confidence_level: float | None = None,
    solver: Solver = "frank_wolfe",
    seed: int = 0,
    connection: str | None = None,
) -> PanelEffects:
    """The effect on units that were treated but not randomized, with no verdict: *observational*.

    Args:
        source: one row for each unit in each period: a file or glob, a table's name when `connection` is given, or a
            pandas, Polars, Arrow or DuckDB table in memory.
        unit: column of the unit's name.
        time: column of the period: numbers, dates, or text in ISO 8601.
        treated: column that is 1 from the period on in which the unit is treated, else 0.
        metric: column of the outcome.
        estimator: did (difference in differences, with two-way fixed effects beside it), synthetic-control,
            synthetic-did, or all.
        confidence_level: 0.95 when omitted.
        solver: of the synthetic weights: "frank_wolfe" stops where the published program does, "exact" fits best.
        seed: of the random groups of control units that are placebos of several treated units.
        connection: database URL for a table's name.

    Returns:
        For each estimator the effect in units of the metric with standard error, interval and p-value, and the same
        over the periods before treatment, as if it had begun halfway.

    Raises:
        InputError: a column or value cannot be used, the panel has gaps, treatment begins at several times or in the
            first period, or no unit stays untreated.
        EngineError: the database failed.
    """
    from paribus.experiments.panel.effects import panel_effects
    from paribus.experiments.panel.table import read_panel

    level = as_level(confidence_level)
    with table_engine(source, connection) as (engine, relation):
        found = read_panel(engine, relation, unit=unit, time=time, treated=treated, metric=metric)
    return panel_effects(found, estimator=estimator, level=level, solver=solver, seed=seed)
