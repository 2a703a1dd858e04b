"""Running summaries read twice: as if each checkpoint were the only one, and by a sequence that holds at all of them.

Nothing here decides: no plan was sealed. A fixed-horizon p-value errs as often as it says when it is read once, as
planned; read at every checkpoint until it is small it errs far more often, and the answer says how often. The sequence
holds at all checkpoints together, so its intervals are intersected and its p-values keep their minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from paribus.errors import InputError
from paribus.experiments.cells import told
from paribus.experiments.checks.sample_ratio import at_end
from paribus.experiments.early_stop import MOST_BEFORE, at_first_crossing
from paribus.experiments.running.notes import notes, summary, warnings
from paribus.experiments.running.result import (
    HEADING,
    Checkpoint,
    IntervalRead,
    RunningComparison,
    RunningReadings,
    StoppedThere,
)
from paribus.experiments.running.table import RunningSeries, RunningTable
from paribus.stats.anytime import AsymptoticSequence, MixtureSPRT, running_intersection, running_minimum
from paribus.stats.arm import spread
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.estimate import Estimate, Estimates, Floats
from paribus.stats.group_sequential import peeking_error
from paribus.stats.reading import read
from paribus.stats.solving import normal_quantiles

MOST_STOPS = 20  # estimates at the stop, which cost most
MOST_LOOKS = 300  # of a chance over all of them; of more looks, every second or third one


def running_readings(
    table: RunningTable,
    *,
    level: float = 0.95,
    n_opt: float | None = None,
    effect_sd: float | None = None,
    split: Mapping[str, float] | None = None,
) -> RunningReadings:
    """Each comparison at each checkpoint, by a fixed-horizon interval and by an anytime-valid one.

    Args:
        table: from `read_running`.
        level: confidence level of both.
        n_opt: units in both arms together at which the sequence is tightest; each comparison's own number at the end
            when omitted.
        effect_sd: adds the mixture sequential probability ratio test, for effects of this standard deviation.
        split: the planned weight of each arm, to test whether units got lost.

    Raises:
        InputError: `n_opt` or `effect_sd` is not positive, or the split does not name the arms.
    """
    for name, value in (("n_opt", n_opt), ("effect_sd", effect_sd)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value:g}", where=name, rule="a positive number, chosen before the start")
    if split is not None:
        _refuse_split(split, table)
    rule = _Rule(level, n_opt, effect_sd, split)
    found: list[RunningComparison] = []
    for series in table.series:
        stops = sum(each.at_stop is not None for each in found)
        found.append(rule.comparison(series, with_stop=stops < MOST_STOPS))
    comparisons = tuple(found)
    return RunningReadings(
        heading=HEADING,
        summary=summary(comparisons, level, table.summaries.time),
        level=level,
        time=table.summaries.time,
        by=table.summaries.by,
        has_variants=table.summaries.variant is not None,
        n_opt=n_opt,
        effect_sd=effect_sd,
        comparisons=comparisons,
        warnings=warnings(comparisons, split),
        notes=notes(comparisons, n_opt, effect_sd, split, has_variants=table.summaries.variant is not None),
        data_notes=table.notes,
    )


def _refuse_split(split: Mapping[str, float], table: RunningTable) -> None:
    arms = {name for series in table.series for name in (series.control, series.treatment)}
    unknown, missing = sorted(set(split) - arms), sorted(arms - set(split))
    if unknown or missing or not all(np.isfinite(w) and w > 0 for w in split.values()):
        raise InputError(
            f"the split names {', '.join(split)}",
            where="split",
            rule=f"one positive weight for each arm: {', '.join(sorted(arms))}",
            fix=",".join(f"{name}={100 / len(arms):g}" for name in sorted(arms)),
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    """How every comparison is read."""

    level: float
    n_opt: float | None
    effect_sd: float | None
    split: Mapping[str, float] | None

    def comparison(self, series: RunningSeries, *, with_stop: bool) -> RunningComparison:
        control, treatment = series.arms
        bare = RunningComparison(series.key, series.control, series.treatment, (), left_out=series.left_out)
        if not series.times:
            return bare
        units = control.n + treatment.n
        n_opt = float(units.max()) if self.n_opt is None else self.n_opt
        se, df = spread(control, treatment)
        gap, alpha = treatment.value - control.value, 1 - self.level

        def by(boundary: Boundary, df: Floats | float = np.inf) -> Estimates:
            return read(gap, boundary, variance=se**2, n=units, df=df)

        sequence = AsymptoticSequence(n_opt, self.level)
        fixed = by(Fixed(self.level), df)
        information = se[fixed.determined] ** -2.0
        is_growing = bool(len(information) and information.max() > MOST_BEFORE * information[-1])
        anytime = _together(by(sequence), lasting=not is_growing)
        mixture = None
        if self.effect_sd is not None:
            mixture = _together(by(MixtureSPRT(self.effect_sd**2, self.level)), lasting=not is_growing)
        shown = fixed.p_value < alpha
        first = int(np.argmax(shown)) if shown.any() else None
        decided = _first(anytime, alpha)
        at_stop = None
        if with_stop and decided is not None and decided + 1 < len(units):
            with np.errstate(invalid="ignore", divide="ignore"):
                critical = sequence.radius(se, units, np.inf) / se
            at_stop = _stopped(at_first_crossing(gap, se, critical, decided, self.level))
        return replace(
            bare,
            checkpoints=_checkpoints(series, fixed, anytime, mixture),
            n_opt=n_opt,
            naive_first=None if first is None else told(series.times[first]),
            naive_shown=int(shown.sum()),
            naive_turns=int((np.diff(shown.astype(int)) != 0).sum()),
            naive_at_end=bool(shown[-1]),
            naive_held=None if first is None else bool(shown[-1] and gap[-1] * gap[first] > 0),
            anytime_first=None if decided is None else told(series.times[decided]),
            anytime_at_end=bool(anytime.lower[-1] > 0 or anytime.upper[-1] < 0),
            mixture_first=None if (m := _first(mixture, alpha)) is None else told(series.times[m]),
            at_stop=at_stop,
            peeking_error=None if is_growing else _peeking(control.n, treatment.n, fixed, alpha),
            is_growing=is_growing,
            sample_ratio_p=self._sample_ratio(series),
        )

    def _sample_ratio(self, series: RunningSeries) -> float | None:
        if self.split is None:
            return None
        weights = np.array([self.split[name] for name in (series.control, series.treatment)])
        return at_end(np.array([arm.n[-1] for arm in series.arms]), weights / weights.sum())


def _first(read_estimates: Estimates | None, alpha: float) -> int | None:
    if read_estimates is None:
        return None
    shown = read_estimates.p_value <= alpha
    return int(np.argmax(shown)) if shown.any() else None


def _together(e: Estimates, *, lasting: bool) -> Estimates:
    """Each checkpoint with what it and the earlier ones say together, where they measure one `lasting` mean.

    Where they do not, or contradict each other, a checkpoint's own interval stands: an effect that changes has no value
    that was in all of them. The p-value keeps its minimum.
    """
    lower, upper = running_intersection(e.lower, e.upper)
    contradicted = (e.value < lower) | (e.value > upper) | (not lasting)
    known = e.determined
    return replace(
        e,
        lower=np.where(known, np.where(contradicted, e.lower, lower), np.nan),
        upper=np.where(known, np.where(contradicted, e.upper, upper), np.nan),
        p_value=np.where(known, running_minimum(e.p_value), np.nan),
    )


def _stopped(found: object) -> StoppedThere | None:
    return StoppedThere(found.value, found.lower, found.upper, found.method) if isinstance(found, Estimate) else None


def _peeking(n_control: Floats, n_treatment: Floats, fixed: Estimates, alpha: float) -> float | None:
    """By the units at the looks that say something, as if information followed them."""
    n_control, n_treatment = n_control[fixed.determined], n_treatment[fixed.determined]
    if not len(n_control):
        return None
    units = n_control * n_treatment / (n_control + n_treatment)
    grown = np.append(True, np.diff(np.maximum.accumulate(units)) > 0)
    times = units[grown]
    if len(times) > MOST_LOOKS:
        times = times[np.unique(np.linspace(0, len(times) - 1, MOST_LOOKS).round().astype(int))]
    return _error(tuple((times / times[-1]).tolist()), alpha)


@lru_cache(maxsize=1024)
def _error(times: tuple[float, ...], alpha: float) -> float:
    return peeking_error(len(times), normal_quantiles(alpha, 0.5, "two-sided"), information=times)


def _checkpoints(
    series: RunningSeries, fixed: Estimates, anytime: Estimates, mixture: Estimates | None
) -> tuple[Checkpoint, ...]:
    control, treatment = series.arms
    return tuple(
        Checkpoint(
            time=told(time),
            n_control=int(control.n[i]),
            n_treatment=int(treatment.n[i]),
            mean_control=float(control.value[i]),
            mean_treatment=float(treatment.value[i]),
            difference=float(treatment.value[i] - control.value[i]),
            se=_number(fixed.se[i]),
            fixed=_interval(fixed, i),
            anytime=_interval(anytime, i),
            mixture=None if mixture is None else _interval(mixture, i),
            reason="" if fixed.reason[i] is None else str(fixed.reason[i]),
        )
        for i, time in enumerate(series.times)
    )


def _interval(e: Estimates, i: int) -> IntervalRead:
    return IntervalRead(_number(e.lower[i]), _number(e.upper[i]), _number(e.p_value[i]))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
