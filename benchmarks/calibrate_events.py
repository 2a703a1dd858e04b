"""From exposures and events through the real SQL: heavy users, and a treatment that moves the covariate's source.

One query measures many replications: exposures are shared, and every value column of the events is drawn anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.calibrate_engine import VARIANTS, design_of
from benchmarks.calibrate_gate import Gate, share_gate
from paribus.experiments.analysis import infer
from paribus.experiments.measuring import measure_design
from paribus.experiments.plan import Plan
from paribus.metrics.definition import Covariate, DataModel, EventSource, Exposures, Metric, MetricType, Role
from paribus.stats.estimate import Estimate
from paribus.warehouse.duckdb_engine import DuckDBEngine

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 14
HISTORY = 7
COLUMNS = 50  # replications in one set of tables
HEAVY_TESTS = 2_000
UNITS = 1_000
EXPOSURES = Exposures("exposures", "unit", "variant", "time")
AS_OF = START + timedelta(days=2 * DAYS)


def heavy_users(rng: np.random.Generator, replications: int) -> list[Gate]:
    """A/A tests in which one user in five is active on every day: their values on different days are one unit's."""
    p = []
    for _ in range(-(-min(replications, HEAVY_TESTS) // COLUMNS)):
        # Who is heavy differs from column to column: shared, it would make a table's replications one and the same.
        heavy = rng.random((UNITS, COLUMNS)) < 0.2
        first = rng.integers(0, DAYS, UNITS)
        unit, since = (a.ravel() for a in np.meshgrid(np.arange(UNITS), np.arange(DAYS), indexing="ij"))
        day = first[unit] + since
        taste = rng.gamma(4.0, 0.5, (UNITS, COLUMNS))
        active = heavy[unit] | (since == 0)[:, None]
        values = np.where(active, taste[unit] * rng.exponential(1.0, (len(unit), COLUMNS)), 0.0)
        p += _p_values(_variant(rng), first, {"purchases": (unit, day, values)}, covariate=False)
    group = "Heavy users, active on all days, through SQL"
    return [_gate(group, f"A/A of {UNITS} units, 1 in 5 heavy", p)]


def doubled_logins(rng: np.random.Generator, replications: int) -> list[Gate]:
    """The treatment doubles logins and changes nothing else; logins before exposure are purchases' covariate."""
    p = []
    for _ in range(-(-replications // COLUMNS)):
        variant = _variant(rng)
        first = rng.integers(0, DAYS, UNITS)
        days = np.arange(-HISTORY, 2 * DAYS)
        unit, day = (a.ravel() for a in np.meshgrid(np.arange(UNITS), days, indexing="ij"))
        after = day >= first[unit]
        rate = rng.gamma(2.0, 0.5, (UNITS, COLUMNS))
        doubled = np.where(after & variant[unit], 2.0, 1.0)
        logins = rng.poisson(rate[unit] * doubled[:, None]).astype(np.float64)
        # Purchases follow the user's taste for the product, not the number of logins.
        bought = (after & (day < first[unit] + 3)).nonzero()[0]
        purchases = rate[unit[bought]] + rng.normal(5, 1, (len(bought), COLUMNS))
        tables = {"purchases": (unit[bought], day[bought], purchases), "logins": (unit, day, logins)}
        p += _p_values(variant, first, tables, covariate=True)
    group = "CUPED when the treatment doubles logins, through SQL"
    return [_gate(group, f"{UNITS} units, covariate as of exposure", p)]


def _gate(group: str, name: str, p_values: list[float]) -> Gate:
    p = np.array(p_values)
    return share_gate(group, name, "type I", p <= 0.05, 0.05, "both", known=~np.isnan(p), method="default")


def _variant(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(UNITS) < UNITS // 2


def _p_values(
    variant: np.ndarray,
    first: np.ndarray,
    tables: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    covariate: bool,
) -> list[float]:
    """The p-value of every value column, as `infer` gives it; NaN where undetermined."""
    import pandas as pd

    frames = {
        "exposures": pd.DataFrame(
            {"unit": np.arange(UNITS), "variant": np.where(variant, VARIANTS[1], VARIANTS[0]), "time": _time(first, 0)}
        )
    }
    for name, (unit, day, values) in tables.items():
        columns = {f"v{i}": values[:, i] for i in range(COLUMNS)}
        # Purchases follow the exposure of their day by an hour.
        frames[name] = pd.DataFrame({"unit": unit, "time": _time(day, 1), **columns})
    covariates = [
        (Covariate(days=HISTORY, source="logins", value=f"v{i}"),) if covariate else () for i in range(COLUMNS)
    ]
    metrics = tuple(
        Metric(f"m{i}", MetricType.MEAN, Role.SECONDARY, source="purchases", value=f"v{i}", covariates=covariates[i])
        for i in range(COLUMNS)
    )
    design = design_of(metrics, Plan())
    model = DataModel(exposures=EXPOSURES, events={name: EventSource(name, "unit", "time") for name in tables})
    engine = DuckDBEngine(frames=frames, threads=1)
    try:
        measurement = measure_design(design, model, engine, as_of=AS_OF)
    finally:
        engine.close()
    result = infer(design, measurement, as_of=AS_OF)
    return [c.absolute.p_value if isinstance(c.absolute, Estimate) else np.nan for c in result.comparisons]


def _time(day: np.ndarray, hours: int) -> np.ndarray:
    start = np.datetime64(START.replace(tzinfo=None), "us")
    return start + day * np.timedelta64(24 * 3_600, "s") + np.timedelta64(9 + hours, "h")
