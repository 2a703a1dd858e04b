"""Sizing an experiment: units, days and detectable effect of every method side by side, from numbers or from history.

The deciding method's whole rule is simulated besides (`operating`), because the verdict depends on more than one test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments.operating import Operating, operating_characteristics
from paribus.experiments.plan import Method, Plan
from paribus.experiments.sample_sizes import Question, Size, checked, detectable, loss_threshold, power_function, size
from paribus.stats.estimate import Undetermined
from paribus.stats.runtime import constant_arrivals, runtime_days

if TYPE_CHECKING:
    from paribus.charts import Figure
    from paribus.experiments.document import Document
    from paribus.warehouse.engine import Engine

Progress = Callable[[float, str], None]
DETECTABLE_AFTER = 14  # days
POINTS = 30  # of a curve
NAMES = {
    Method.FIXED: "fixed horizon",
    Method.GROUP_SEQUENTIAL: "group sequential",
    Method.ANYTIME: "anytime valid",
    Method.BAYESIAN: "Bayesian, expected loss",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One method: units in each arm, rounded up, and what they take.

    days        until all units have arrived, in full weeks; None without `daily_units`
    detectable  relative effect found after 14 days; None without `daily_units`, or when none can be found
    """

    method: Method
    per_arm: int
    total: int
    expected_h0: int | None
    expected_h1: int | None
    days: int | Undetermined | None
    detectable: float | None
    per_arm_unadjusted: int | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer of `paribus design`.

    metric              the measured metric's name; empty when numbers were given
    variance_reduction  share of the variance that the covariates explain, in history; None without any
    """

    question: Question
    rows: tuple[Row, ...]
    daily_units: float | None
    operating: Operating | None
    metric: str = ""
    history_units: int | None = None
    variance_reduction: float | None = None

    def row(self, method: Method | None = None) -> Row:
        """One method's row; the plan's own without a name."""
        return next(row for row in self.rows if row.method is (method or self.question.plan.method))

    def text(self) -> str:
        """The sizes as a table of at most 80 columns, with what they assume."""
        from paribus.experiments.sizing_text import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """The sizes as plain JSON values."""
        asked = self.question
        return {
            "metric": self.metric or None,
            "baseline": asked.baseline,
            "sd": asked.sd,
            "mde": asked.effect,
            "method": asked.plan.method.value,
            "confidence_level": asked.plan.confidence_level,
            "alpha_per_comparison": asked.alpha,
            "power": asked.plan.power,
            "power_per_metric": asked.power,
            "arms": asked.arms,
            "guardrails": asked.guardrails,
            "daily_units": self.daily_units,
            "history_units": self.history_units,
            "variance_reduction": self.variance_reduction,
            "loss_threshold": loss_threshold(asked.plan),
            "sizes": [_plain(row) for row in self.rows],
            "operating": None if self.operating is None else self.operating.to_dict(),
        }

    def plot(self) -> Figure:
        """Power for the effect against days (units in each arm without `daily_units`), one line for each method."""
        from paribus.charts import Line, power_curve

        longest = 1.25 * max(row.per_arm for row in self.rows)
        units = np.linspace(longest / POINTS, longest, POINTS)
        per_day = None if self.daily_units is None else self.daily_units / self.question.arms
        x = units if per_day is None else units / per_day
        lines = []
        for row in self.rows:
            power = power_function(self.question, row.method)
            y = tuple(power(float(n), self.question.effect) for n in units)
            lines.append(Line(NAMES[row.method], tuple(float(v) for v in x), y))
        own = self.row()
        return power_curve(
            lines,
            title=f"Power to find {numbers.number(self.question.effect, unit='percent', signed=True)}",
            x_title="units in each arm" if per_day is None else "days until the end",
            y_title="power",
            planned=(own.per_arm / (per_day or 1.0), self.question.power),
            threshold=self.question.power,
        )


def from_numbers(
    *,
    baseline: float | None = None,
    sd: float | None = None,
    mde: float | None = None,
    daily_units: float | None = None,
    plan: Plan | None = None,
    arms: int = 2,
    guardrails: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """The sizing for a control's value and a relative effect; arguments as `paribus.design`.

    Raises:
        InputError: a number is missing or cannot be.

    >>> from_numbers(baseline=0.12, mde=0.1).row().per_arm    # R: power.prop.test(p1=.12, p2=.132, power=.8)
    11989
    """
    if baseline is None or mde is None:
        missing = [name for name, value in (("baseline", baseline), ("mde", mde)) if value is None]
        raise InputError(
            f"a size needs the control's value and the effect to detect; missing: {', '.join(missing)}",
            where="design",
            rule="the mde is relative: 3% of a baseline of 12% is 0.36 percentage points",
            fix="for instance --baseline 0.12 --mde 3%; or give an experiment.yaml with history",
        )
    question = checked(Question(float(baseline), sd, float(mde), plan or Plan(), arms, guardrails))
    return _sized(question, _daily(daily_units), seed, progress)


def from_history(
    document: Document,
    engine: Engine,
    *,
    mde: float | None = None,
    daily_units: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """The sizing for the document's first success metric as its own data have it, all arms pooled.

    Value, variance and what the covariates explain are measured; units per day too, when exposures have times.

    Raises:
        InputError: there is no success metric to size for, or no effect to detect.
    """
    from paribus.experiments.history import measured

    found = measured(document, engine)
    design = document.design
    effect = mde if mde is not None else design.plan.smallest_worthwhile.get(found.metric)
    if effect is None:
        raise InputError(
            "no effect to detect is given",
            where=document.position("plan.smallest_worthwhile"),
            rule="the mde is relative to the metric's value",
            fix=f"--mde 3%; or in the plan  smallest_worthwhile: {{{found.metric}: 3%}}",
        )
    guardrails = sum(metric.role.value == "guardrail" for metric in design.metrics)
    prior = design.plan.priors.get(found.metric)
    plan = replace(design.plan, priors={} if prior is None else {found.metric: prior})
    reduced = found.reduction is not None and plan.cuped
    plain = checked(Question(found.value, found.sd, effect, plan, len(design.variants), guardrails))
    question = replace(plain, sd=found.unadjusted_sd * np.sqrt(1 - (found.reduction or 0.0))) if reduced else plain
    daily = _daily(daily_units) or found.daily_units
    return _sized(
        question,
        daily,
        seed,
        progress,
        unadjusted=plain if reduced else None,
        metric=found.metric,
        history_units=found.units,
        variance_reduction=found.reduction if reduced else None,
    )


def _sized(
    question: Question,
    daily: float | None,
    seed: int,
    progress: Progress | None,
    unadjusted: Question | None = None,
    **more: Any,
) -> Sizing:
    rows = []
    for i, method in enumerate(Method):
        if progress is not None:
            progress(0.2 * i / len(Method), NAMES[method])
        # A plan's tuning belongs to its own method; the others are shown at their best.
        own = method is question.plan.method
        asked = question if own else replace(question, plan=replace(question.plan, n_opt=None))
        plain = None if unadjusted is None else _up(size(replace(asked, sd=unadjusted.sd), method).n)
        rows.append(_row(asked, size(asked, method), daily, plain))
    own_row = next(row for row in rows if row.method is question.plan.method)
    operating = operating_characteristics(
        question, own_row.per_arm, seed=seed, progress=_part(progress, 0.2) if progress is not None else None
    )
    return Sizing(question, tuple(rows), daily, operating, **more)


def _row(question: Question, found: Size, daily: float | None, plain: int | None) -> Row:
    per_arm = _up(found.n)
    total = per_arm * question.arms
    days, effect = None, None
    if daily is not None:
        days = runtime_days(total, constant_arrivals(daily))
        effect = detectable(question, found.method, DETECTABLE_AFTER * daily / question.arms)
    expected = [None if n is None else _up(n) for n in (found.expected_h0, found.expected_h1)]
    return Row(found.method, per_arm, total, expected[0], expected[1], days, effect, plain)


def _up(n: float) -> int:
    """Rounded up, but not for noise in the last digits."""
    return int(np.ceil(n * (1 - 1e-12)))


def _daily(units: float | None) -> float | None:
    if units is not None and not (units > 0 and np.isfinite(units)):
        raise InputError(f"{units:g} units a day", where="daily_units", rule="new units per day are more than 0")
    return units


def _part(progress: Progress, start: float) -> Progress:
    return lambda share, word: progress(start + (1 - start) * share, word)


def _plain(row: Row) -> dict[str, Any]:
    days = row.days
    return {
        "method": row.method.value,
        "per_arm": row.per_arm,
        "total": row.total,
        "expected_per_arm_h0": row.expected_h0,
        "expected_per_arm_h1": row.expected_h1,
        "days": None if isinstance(days, Undetermined) else days,
        "days_undetermined": str(days) if isinstance(days, Undetermined) else None,
        "detectable_after_14_days": row.detectable,
        "per_arm_without_cuped": row.per_arm_unadjusted,
    }
