"""Sequential plans through the engine's own looks: cohort days, information observed, intervals intersected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from benchmarks.calibrate_engine import VARIANTS, design_of, replicated
from benchmarks.calibrate_fixed import ALPHA
from benchmarks.calibrate_gate import Gate, Side, share_gate
from paribus.experiments import looks
from paribus.experiments.effects import Panel
from paribus.experiments.layout import Batch, Grid
from paribus.experiments.plan import Method, Plan
from paribus.experiments.reading import reading
from paribus.metrics.cells import CellKey, Counts, Measurement
from paribus.metrics.definition import MetricType
from paribus.stats.moments import Moments

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEKS = 4
PER_DAY = 35  # units in each arm
REPLICATIONS = 2_000  # every cell solves boundaries for its own information: the standard error is .005
MOVED_DAILY = 500  # 28 looks at two strata; only an error above alpha fails
MEAN, SD, EFFECT = 10.0, 5.0, 0.05
# The second half of the days is an epoch of its own: another split, and users with another mean.
MOVED_SPLIT, MOVED_MEAN = (0.8, 0.2), 14.0


def gates(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Error, and coverage of the last interval, of plans with weekly looks."""
    days = tuple(7 * (week + 1) for week in range(WEEKS))
    total = 2 * PER_DAY * 7 * WEEKS
    plans = (
        ("group sequential, O'Brien–Fleming", Method.GROUP_SEQUENTIAL, min(replications, REPLICATIONS), days),
        ("anytime-valid, daily", Method.ANYTIME, replications, ()),
    )
    found = []
    for name, method, size, looks_at in plans:
        plan = Plan(method=method, start=START, looks=looks_at, planned_units=total)
        side: Side = "both" if method is Method.GROUP_SEQUENTIAL else "upper"
        for lift in (0.0, EFFECT):
            panel = _read(rng, plan, size, lift)
            e = panel.absolute
            known = e.determined[0, 0]
            p, lower, upper = (a[0, 0] for a in (e.p_value, e.lower, e.upper))
            truth = lift * MEAN
            group = "Sequential plans through the engine's looks"
            if not lift:
                found.append(share_gate(group, name, "error", p <= ALPHA, ALPHA, side, known=known, method=e.method))
            else:
                covers = (lower <= truth) & (truth <= upper)
                measure = "coverage of the running interval"
                found.append(share_gate(group, name, measure, covers, 0.95, "lower", known=known, method=e.method))
        e = _read(rng, plan, size if looks_at else min(size, MOVED_DAILY), 0.0, moved=True).absolute
        hits, known = e.p_value[0, 0] <= ALPHA, e.determined[0, 0]
        group = "Epochs: error where the split moves and the units with it"
        found.append(share_gate(group, name, "error", hits, ALPHA, side, known=known, method=e.method))
    e = _read(rng, Plan(start=START, runtime_days=7 * WEEKS), size, 0.0, moved=True).absolute
    hits, known = e.p_value[0, 0] <= ALPHA, e.determined[0, 0]
    found.append(share_gate(group, "fixed horizon", "error", hits, ALPHA, "both", known=known, method=e.method))
    return found


def _read(rng: np.random.Generator, plan: Plan, size: int, lift: float, *, moved: bool = False) -> Panel:
    """The panel at the plan's end of so many replications, units exposed in equal numbers on every day.

    With `moved` the arm of each unit of the second half is drawn by another split, in an epoch of its own.
    """
    cohort = [(variant, day) for day in range(7 * WEEKS) for variant in VARIANTS]
    later = np.array([moved and day >= 7 * WEEKS // 2 for _, day in cohort])[:, None]
    n = np.full((len(cohort), size), float(PER_DAY))
    if moved:
        treated = rng.binomial(2 * PER_DAY, MOVED_SPLIT[1], (7 * WEEKS, size)).clip(2).astype(np.float64)
        drawn = np.stack([2 * PER_DAY - treated, treated], axis=1).reshape(n.shape)
        n = np.where(later, drawn, n)
    shift = np.array([lift * MEAN * (variant == VARIANTS[1]) for variant, _ in cohort])[:, None]
    mean = np.where(later, MOVED_MEAN, MEAN) + shift + SD * rng.standard_normal(n.shape) / np.sqrt(n)
    m2 = SD**2 * rng.chisquare(n - 1)
    moments = Moments(("y",), n, mean[..., None], m2[..., None, None], np.zeros((*n.shape, 1)))
    first = date(START.year, START.month, START.day)
    epochs = [("2" if is_later else "1") if moved else None for is_later in later[:, 0]]
    keys = [
        CellKey(variant, epoch, day=first + timedelta(days=day))
        for (variant, day), epoch in zip(cohort, epochs, strict=True)
    ]
    metrics = replicated(MetricType.MEAN, size)
    batch = Batch(metrics, Grid.of(keys, VARIANTS), moments, VARIANTS)
    design = design_of(metrics, plan)
    as_of = START + timedelta(days=7 * WEEKS)
    read = reading(design, Measurement(Counts(0, {}), {}), as_of, batch.grid.days)
    levels = np.full((1, size), plan.confidence_level)
    return looks.whole(batch, design, read, levels, np.zeros((1, size), dtype=np.bool_))
