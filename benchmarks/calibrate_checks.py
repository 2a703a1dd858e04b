"""Health checks: how often clean experiments are blocked or warned about, and what a loss in one arm looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from benchmarks.calibrate_engine import VARIANTS
from benchmarks.calibrate_gate import Gate, share_gate
from benchmarks.calibrate_outcome import NONZERO, SIGMA
from paribus.experiments import checks
from paribus.experiments.analysis import infer
from paribus.experiments.checks import sample_ratio
from paribus.experiments.plan import Design, Kind, Plan, Seal, Variant
from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
from paribus.metrics.definition import Covariate, Metric, MetricType, Role
from paribus.stats.moments import Moments
from paribus.stats.srm import sample_ratio_power, sample_ratio_test

DAYS = 14
START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=DAYS)
SEAL = Seal("0" * 64, "calibration", START - timedelta(days=1), None, 0, "sealed before data", {})
UNITS = 4_000
COUNTRIES = ("DE", "FR", "US")
METRICS = (
    Metric("revenue", MetricType.MEAN, covariates=(Covariate(value="x"),)),
    Metric("converted", MetricType.PROPORTION),
    Metric("order value", MetricType.RATIO, Role.GUARDRAIL, denominator="d", margin=0.05),
)
DESIGN = Design(
    key="calibration",
    kind=Kind.AB,
    interference="none because the units are simulated",
    variants=tuple(Variant(name, 0.5) for name in VARIANTS),
    control="control",
    metrics=METRICS,
    plan=Plan(start=START, end=END),
    segments=("country",),
)


@dataclass(frozen=True, slots=True)
class Units:
    """One clean experiment's units: arm, cohort day, country, values by variable."""

    arm: np.ndarray
    day: np.ndarray
    country: np.ndarray
    values: dict[str, np.ndarray]


def clean(rng: np.random.Generator, replications: int) -> list[Gate]:
    """A/A experiments of 4,000 units, three metrics, two weeks and three countries, every check of `infer`.

    Cells are not by day or country, only counts are: curves and effects by segment have no checks.
    """
    blocked, warned = [], []
    failures: dict[str, int] = {}
    for _ in range(replications):
        result = infer(DESIGN, _measured(_units(rng)), registered=SEAL, as_of=END)
        failed = [check for check in result.checks if check.status == "failed"]
        blocked.append(any(check.severity == "blocking" for check in failed))
        warned.append(any(check.severity == "warning" for check in failed))
        for check in failed:
            failures[check.name] = failures.get(check.name, 0) + 1
    group = "Health checks over clean A/A experiments"
    which = ", ".join(f"{name} {count}" for name, count in sorted(failures.items())) or "none"
    # These limits are promises, not error rates that chance may exceed: se 0.
    return [
        replace(share_gate(group, f"failed: {which}", measure, hits, most, "upper"), se=0.0)
        for measure, hits, most in (("blocked", blocked, 0.005), ("any warning", warned, 0.05))
    ]


def _units(rng: np.random.Generator) -> Units:
    x = rng.gamma(2.0, 5.0, UNITS)
    orders = rng.poisson(1.5, UNITS).astype(np.float64)
    spent = np.where(rng.random(UNITS) < NONZERO * 3, np.exp(SIGMA * rng.standard_normal(UNITS) * 0.8), 0.0)
    values = {
        "revenue": 0.5 * x + rng.normal(10, 4, UNITS),
        "x1": x,
        "converted": (rng.random(UNITS) < 0.12).astype(np.float64),
        "order value": orders * 20 + rng.normal(0, 5, UNITS) * orders + spent,
        "d": orders,
    }
    return Units(rng.integers(0, 2, UNITS), rng.integers(0, DAYS, UNITS), rng.integers(0, 3, UNITS), values)


def _measured(units: Units) -> Measurement:
    first = date(START.year, START.month, START.day)
    days = [(str(first + timedelta(days=d)), v) for v in VARIANTS for d in range(DAYS)]
    parts = [(country, v) for v in VARIANTS for country in COUNTRIES]
    keys = tuple(CellKey(v) for v in VARIANTS)
    cells = {}
    for name, variables in (
        ("revenue", ("revenue", "x1")),
        ("converted", ("converted",)),
        ("order value", ("order value", "d")),
    ):
        rows = np.column_stack([units.values[v] for v in variables])
        cells[name] = Cells(name, keys, _by_arm(rows, units.arm, ("y", *variables[1:])))
    by_day = np.bincount(units.arm * DAYS + units.day, minlength=len(days)).tolist()
    by_segment = np.bincount(units.arm * len(COUNTRIES) + units.country, minlength=len(parts)).tolist()
    in_arm = np.bincount(units.arm, minlength=2)
    counts = Counts(
        rows=UNITS,
        units=dict(zip(VARIANTS, in_arm.tolist(), strict=True)),
        by_day={(None, day, v): n for (day, v), n in zip(days, by_day, strict=True)},
        by_segment={("country", level, v): n for (level, v), n in zip(parts, by_segment, strict=True)},
        first_time=START,
        last_time=END,
        maxima={m.name: float(np.abs(units.values[m.name]).max()) for m in METRICS},
        totals={m.name: float(np.abs(units.values[m.name]).sum()) for m in METRICS},
    )
    return Measurement(counts, cells)


def _by_arm(rows: np.ndarray, arm: np.ndarray, names: tuple[str, ...]) -> Moments:
    each = [Moments.from_rows(rows[arm == a], names) for a in range(len(VARIANTS))]
    return Moments(names, *(np.stack([getattr(m, part) for m in each]) for part in ("n", "mean", "m2", "m3")))


def loss_of_units(rng: np.random.Generator, replications: int) -> list[Gate]:
    """A loss of 1% of one arm at 100,000 units in each: found with the power of the exact test that is read once."""
    replications = min(replications, 2_000)
    group = "A loss of 1% in one arm, 100,000 units per arm"
    found, exact = [], []
    weights = np.array([0.5, 0.5])
    for _ in range(replications):
        daily = rng.binomial(200_000 // DAYS, 0.5, DAYS)
        arms = np.stack([daily, rng.binomial(200_000 // DAYS - daily, 0.99)])
        counts = Counts(
            rows=int(arms.sum()),
            units=dict(zip(VARIANTS, arms.sum(axis=1).tolist(), strict=True)),
            by_day={
                (None, (START + timedelta(days=d)).date().isoformat(), v): int(arms[i, d])
                for i, v in enumerate(VARIANTS)
                for d in range(DAYS)
            },
        )
        subject = checks.Subject(design=DESIGN, measurement=Measurement(counts, {}))
        found.append(sample_ratio.look(subject).status == "failed")
        exact.append(float(sample_ratio_test(arms.sum(axis=1), weights, method="binomial").p_value) <= 0.001)
    power = float(sample_ratio_power(199_000.0, weights, np.array([1.0, 0.99]) / 1.99))
    of_exact = float(np.mean(exact))
    se = (of_exact * (1 - of_exact) / replications) ** 0.5
    gate = Gate(
        group, "against the exact test on the same counts", "power", float(np.mean(found)), of_exact, se, "within",
        replications, tolerance=0.02, method="e-process and exact test",
    )  # fmt: skip
    predicted = Gate(
        group, "exact test, simulated against predicted", "power", of_exact, power, se, "both", replications
    )
    return [gate, predicted]
