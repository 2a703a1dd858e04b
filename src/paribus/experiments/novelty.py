"""Does an effect fade or grow with the days since exposure? The same units, followed over longer and longer windows.

By calendar day, novelty mixes with who comes when; here the cohort is fixed: units whose longest window has closed,
read over their first day, two, three, a week and so on. On the relative scale, because activity falls after exposure
in every arm, and a constant lift of falling activity is no fading effect. A diagnostic: it never touches the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from paribus.charts import numbers
from paribus.experiments.comparisons import quantities
from paribus.experiments.effects import arms, compare, control_of, undated_rule
from paribus.experiments.layout import Batch, batches
from paribus.experiments.phrases import counted
from paribus.experiments.plan import Design
from paribus.experiments.reading import Look
from paribus.experiments.result import Novelty, NoveltyPoint, Quantity
from paribus.metrics.cells import Cells, Measurement
from paribus.metrics.definition import Metric, MetricType
from paribus.stats.estimate import Estimate, Undetermined

if TYPE_CHECKING:
    from paribus.metrics.definition import DataModel
    from paribus.warehouse.engine import Engine

WINDOWS = (1, 2, 3, 7, 14, 28, 56)
ADDITIVE = (MetricType.MEAN, MetricType.COUNT)  # what happens on more days adds up
SMALLEST_SHARE = 0.5  # of the units must have closed the longest window of a metric that names none


def measure_windows(
    design: Design,
    model: DataModel,
    engine: Engine,
    *,
    as_of: datetime | None = None,
    end: datetime | None = None,
    fragment_dialect: str | None = None,
) -> Measurement | None:
    """The cells of every additive metric of events (means and counts) at each of its windows, uncapped, as `windows`.

    None where the design has no such metric.

    Raises:
        InputError, FragmentError, EngineError: as `metrics.measure`.
    """
    from paribus.metrics.measure import measure

    followed = {m.name: windows(m) for m in design.metrics if m.source is not None and m.type in ADDITIVE}
    derived = tuple(
        replace(m, name=_named(m.name, days), window_days=days, covariates=(), cap=None)
        for m in design.metrics
        for days in followed.get(m.name, ())
    )
    if not derived:
        return None
    measured = measure(
        engine,
        model,
        derived,
        [variant.name for variant in design.variants],
        as_of=as_of,
        start=design.plan.start,
        end=end,
        by_day=True,
        tolerance=design.tolerance_seconds,
        fragment_dialect=fragment_dialect,
    )
    cells = {
        name: {str(d): replace(measured.cells[_named(name, d)], metric=name) for d in days}
        for name, days in followed.items()
    }
    return replace(measured, windows=cells)


def novelty(design: Design, measured: Mapping[str, Mapping[str, Cells]]) -> tuple[Novelty, ...]:
    """The view of every metric that was measured by windows; under a sequential plan its intervals hold at any time."""
    found: list[Novelty] = []
    for metric in design.metrics:
        own = measured.get(metric.name)
        if own:
            found += follow(design, metric, {int(days): cells for days, cells in own.items()})
    return tuple(found)


def windows(metric: Metric) -> tuple[int, ...]:
    """The windows over which a metric is followed; its own is the longest."""
    longest = metric.window_days
    return WINDOWS if longest is None else (*(days for days in WINDOWS if days < longest), longest)


def follow(design: Design, metric: Metric, cells: dict[int, Cells]) -> list[Novelty]:
    """The view of one metric from its cells at each window, one for each treatment; none where no window compares."""
    longest = max(
        (days for days in cells if metric.window_days or closed_share(cells[days]) >= SMALLEST_SHARE), default=0
    )
    until = last_closed(cells[longest]) if longest else None
    kept = sorted(days for days in cells if days <= longest)
    if until is None or len(kept) < 2:
        return []
    boundary = undated_rule(design.plan, Look(1, None, True))(design.plan.confidence_level)
    by_window: list[list[Quantity]] = []
    units: list[int] = []
    for days in kept:
        (batch,) = _batch(design, metric, cells[days])
        pairs = batch.pairs(until, control=control_of(design), whole_only=True)
        both = arms(batch, pairs, False)
        _, relative, _ = compare(batch, both, boundary)
        by_window.append(quantities(relative))
        units = (both.control.n + both.treatment.n).astype(int).ravel().tolist()
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    return [
        _view(metric.name, name, units[t], tuple(NoveltyPoint(d, q[t]) for d, q in zip(kept, by_window, strict=True)))
        for t, name in enumerate(treatments)
    ]


def closed_share(cells: Cells) -> float:
    """The share of the units whose window has closed."""
    whole = [i for i, key in enumerate(cells.keys) if key.attribute is None]
    closed = float(cells.moments.n[whole].sum())
    waiting = float(sum((cells.immature or (0,) * len(cells.keys))[i] for i in whole))
    return closed / (closed + waiting) if closed else 0.0


def last_closed(cells: Cells) -> date | None:
    """The last cohort day up to which every unit's window has closed."""
    days: dict[date, int] = {}
    for i, key in enumerate(cells.keys):
        if key.attribute is None and key.day is not None:
            days[key.day] = days.get(key.day, 0) + (cells.immature or (0,) * len(cells.keys))[i]
    last = None
    for day in sorted(days):
        if days[day]:
            break
        last = day
    return last


def _batch(design: Design, metric: Metric, cells: Cells) -> list[Batch]:
    return batches(replace(design, metrics=(replace(metric, covariates=(), cap=None),)), {metric.name: cells})


def _view(metric: str, treatment: str, units: int, points: Sequence[NoveltyPoint]) -> Novelty:
    first, last = points[0], points[-1]
    if not isinstance(first.effect, Estimate) or not isinstance(last.effect, Estimate):
        reason = next(p.effect.reason for p in (first, last) if isinstance(p.effect, Undetermined))
        why = Undetermined(reason)
        return Novelty(metric, treatment, units, tuple(points), why, f"{metric}: no change can be seen, {why}.")
    change = _change(first.effect, last.effect)
    over = "one day" if first.days == 1 else f"{first.days} days"
    fades = abs(last.effect.value) < abs(first.effect.value)
    shown = change.lower > 0 or change.upper < 0
    verdict = f"the effect {'fades' if fades else 'grows'}" if shown else "that is no evidence of fading or growing"
    sentence = (
        f"{metric} in {treatment}, the same {counted(units, 'unit')}: {_effect(first.effect)} over {over} after "
        f"exposure, {_effect(last.effect)} over {last.days} days, a change of {_effect(change)}; {verdict}."
    )
    return Novelty(metric, treatment, units, tuple(points), change, sentence)


def _change(first: Estimate, last: Estimate) -> Estimate:
    """The difference of two effects on the same units, whose error is at most the sum of both (Cauchy, Schwarz)."""
    from scipy.special import ndtri

    value, se = last.value - first.value, last.se + first.se
    # Each effect's own interval, symmetric around it, in standard errors: wider than 1.96 where it holds at any time.
    z = max(float(ndtri((1 + first.level) / 2)), *((e.upper - e.lower) / (2 * e.se) for e in (first, last)))
    return Estimate(
        value, se, value - z * se, value + z * se, float("nan"), float("inf"), first.level, "two-sided", "bound"
    )


def _effect(of: Estimate) -> str:
    value = numbers.number(of.value, se=of.se, unit="percent", signed=True)
    return f"{value} {numbers.interval(of.lower, of.upper, se=of.se, unit='percent')}"


def _named(metric: str, days: int) -> str:
    return f"{metric}, {days} days"
