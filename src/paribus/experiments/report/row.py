"""One comparison in words: the numbers that are shown, in the digits they deserve, and what was concluded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from paribus.charts.interval import Tone
from paribus.charts.numbers import NOTHING, Unit, chance, count, estimate, interval, level, number, p_value, share
from paribus.experiments.phrases import counted
from paribus.experiments.result import ArmValue, Comparison, Conclusion, Quantity
from paribus.metrics.definition import SHARES, Role
from paribus.stats.estimate import Alternative, Estimate, Reason, Undetermined

ROLES = (Role.SUCCESS, Role.GUARDRAIL, Role.SECONDARY)
MARKS: dict[Conclusion, str] = {
    "better": "✓",
    "safe": "✓",
    "worse": "✗",
    "harmful": "✗",
    "inconclusive": "~",
    "not shown safe": "?",
    "equivalent": "=",
    "undetermined": NOTHING,
}
TONES: dict[Conclusion, Tone] = {"better": "better", "safe": "better", "worse": "worse", "harmful": "worse"}
SIDES: dict[Alternative, str] = {"two-sided": "two-sided", "greater": "one-sided", "less": "one-sided"}


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of a comparison that are shown: interval and p-value carry the same correction."""

    scale: Literal["relative", "absolute"]
    value: float
    se: float
    lower: float
    upper: float
    p_value: float
    level: float
    alternative: Alternative
    unit: Unit
    is_simultaneous: bool
    is_adjusted: bool

    @property
    def effect(self) -> str:
        return number(self.value, se=self.se, unit=self.unit, signed=True)

    @property
    def interval(self) -> str:
        return interval(self.lower, self.upper, se=self.se, unit=self.unit)


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison as a table's cells; without a result `effect`, `interval` and `p` are empty, `reason` says why."""

    comparison: Comparison
    reading: Reading | Undetermined
    metric: str
    margin: str
    control: str
    treatment: str
    effect: str
    interval: str
    p: str
    mark: str
    tone: Tone
    reason: str
    tags: tuple[str, ...]

    @property
    def conclusion(self) -> Conclusion:
        return self.comparison.conclusion


def reading(comparison: Comparison) -> Reading | Undetermined:
    """What is shown of a comparison: its relative effect where that is determined, else the absolute one, else why not.

    Where a margin is absolute, the absolute effect is what is judged, and shown.
    A correction in the plan replaces both the interval and the p-value: the corrected ones decide.
    """
    relative, absolute = comparison.relative, comparison.absolute
    if isinstance(relative, Estimate) and not (comparison.margin_absolute and isinstance(absolute, Estimate)):
        lower, upper = comparison.simultaneous or (relative.lower, relative.upper)
        return _reading("relative", relative, lower, upper, "percent", comparison)
    if isinstance(absolute, Estimate):
        unit: Unit = "points" if comparison.type in SHARES else "number"
        lower, upper = comparison.simultaneous or (absolute.lower, absolute.upper)
        return _reading("absolute", absolute, lower, upper, unit, comparison)
    return absolute


def row(comparison: Comparison) -> Row:
    """The comparison as cells of a table."""
    shown = reading(comparison)
    return Row(
        comparison=comparison,
        reading=shown,
        metric=comparison.metric,
        margin=margin(comparison),
        control=arm_value(comparison, comparison.control),
        treatment=arm_value(comparison, comparison.treatment),
        effect=shown.effect if isinstance(shown, Reading) else "",
        interval=shown.interval if isinstance(shown, Reading) else "",
        p=probability(comparison, shown) if isinstance(shown, Reading) else "",
        mark=MARKS[comparison.conclusion],
        tone=TONES.get(comparison.conclusion, "neutral"),
        reason=str(shown) if isinstance(shown, Undetermined) else "",
        tags=tags(comparison),
    )


def arm_value(comparison: Comparison, arm: ArmValue) -> str:
    """One arm's own number, shares in percent; a dash without units, or while the plan forbids a reading."""
    if arm.units == 0 or is_forbidden(comparison):
        return NOTHING
    return number(arm.value, se=arm.se, unit="percent" if comparison.type in SHARES else "number")


def is_forbidden(comparison: Comparison) -> bool:
    """Whether the plan forbids to read the comparison; then the arms' numbers would give the effect away."""
    return any(
        isinstance(q, Undetermined) and q.reason is Reason.PLAN_FORBIDS
        for q in (comparison.relative, comparison.absolute)
    )


def arm_detail(comparison: Comparison, arm: ArmValue) -> str:
    """What the arm's number was computed from: numerator and denominator where they are known, else the units."""
    if arm.numerator is None or is_forbidden(comparison):
        return f"n {count(arm.units)}"
    below = arm.denominator if arm.denominator is not None else arm.units
    return f"{_amount(arm.numerator)} / {_amount(below)}"


def absolute_effect(comparison: Comparison) -> str:
    """The absolute effect with its interval, or why there is none.

    Where a correction widened the relative interval, the absolute one, which is not corrected, is not beside it: the
    two could contradict each other.
    """
    unit: Unit = "points" if comparison.type in SHARES else "number"
    absolute, relative, ends = comparison.absolute, comparison.relative, comparison.simultaneous
    if isinstance(absolute, Estimate) and isinstance(relative, Estimate) and ends not in (None, _ends(relative)):
        return number(absolute.value, se=absolute.se, unit=unit, signed=True)
    return quantity(absolute, unit)


def _ends(of: Estimate) -> tuple[float, float]:
    return of.lower, of.upper


def quantity(of: Quantity, unit: Unit) -> str:
    """An estimate with its interval, or why there is none."""
    if isinstance(of, Undetermined):
        return str(of)
    return estimate(of.value, of.lower, of.upper, se=of.se, unit=unit)


def margin(comparison: Comparison) -> str:
    """The harm that a guardrail's margin still allows, as a limit of the effect; empty for other metrics."""
    if comparison.margin is None:
        return ""
    bad = 1 if comparison.direction == "decrease" else -1
    absolute: Unit = "points" if comparison.type in SHARES else "number"
    limit = number(bad * comparison.margin, unit=absolute if comparison.margin_absolute else "percent", signed=True)
    return f"{'≤' if bad > 0 else '≥'}{_trim(limit)}"


def margin_effect(comparison: Comparison) -> float | None:
    """The effect at which a guardrail's margin lies, on the scale of its reading; None where it has no place there."""
    shown = reading(comparison)
    if comparison.margin is None or isinstance(shown, Undetermined):
        return None
    if comparison.margin_absolute != (shown.scale == "absolute"):
        return None
    return comparison.margin if comparison.direction == "decrease" else -comparison.margin


def probability(comparison: Comparison, shown: Reading) -> str:
    """The p-value that belongs to the interval; for a Bayesian reading the chance that the treatment is better."""
    better = (comparison.posterior or {}).get("chance_better")
    if math.isnan(shown.p_value) and better is not None:
        return chance(better)
    return p_value(shown.p_value)


def tags(comparison: Comparison) -> tuple[str, ...]:
    """What was done to the metric, and what the reader must know of it."""
    said: list[str] = []
    if comparison.variance_reduction is not None:
        change = number(-comparison.variance_reduction, se=0.1, unit="percent", signed=True)
        said.append(f"covariates: {change} variance")
    if comparison.capped_share is not None:
        parts = " and ".join(share(s) for s in comparison.capped_share)
        said.append(f"capped: {parts} of units")
    if comparison.uncapped is not None:
        unit: Unit = "points" if comparison.type in SHARES else "number"
        said.append(f"uncapped: {quantity(comparison.uncapped, unit)}")
    if comparison.required_units is not None:
        said.append(f"needs {count(comparison.required_units)} units per arm")
    if comparison.immature_units:
        said.append(f"{counted(comparison.immature_units, 'unit')} not matured, left out")
    if comparison.detectable is not None and comparison.conclusion == "inconclusive":
        said.append(f"would show an effect of {_detectable(comparison)} now")
    loss = (comparison.posterior or {}).get("loss_treatment")
    if loss is not None and comparison.method.startswith("posterior"):
        said.append(f"expected loss of choosing it {number(loss, unit='percent')}")
    return (*said, *comparison.notes)


def arms(comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
    """The treatments compared, in order."""
    return tuple(dict.fromkeys(c.treatment.variant for c in comparisons))


def level_words(shown: Reading) -> str:
    """Level and sidedness of a reading, for instance "95% two-sided"."""
    return f"{level(shown.level)} {SIDES[shown.alternative]}"


def _reading(
    scale: Literal["relative", "absolute"], of: Estimate, lower: float, upper: float, unit: Unit, comparison: Comparison
) -> Reading:
    adjusted = comparison.adjusted_p
    return Reading(
        scale=scale,
        value=of.value,
        se=of.se if math.isfinite(of.se) and of.se > 0 else abs(upper - lower) / 4,
        lower=lower,
        upper=upper,
        p_value=next(p for p in (comparison.margin_p, adjusted, of.p_value) if p is not None),
        level=of.level,
        alternative=of.alternative,
        unit=unit,
        is_simultaneous=comparison.simultaneous is not None,
        is_adjusted=adjusted is not None,
    )


def _detectable(comparison: Comparison) -> str:
    """The effect that the plan's power would show now, either way; on the scale that is shown."""
    size = comparison.detectable or 0.0
    absolute: Unit = "points" if comparison.type in SHARES else "number"
    return f"±{number(size, unit='percent' if isinstance(comparison.relative, Estimate) else absolute)}"


def _amount(x: float) -> str:
    return count(x) if float(x).is_integer() or abs(x) >= 100 else number(x)


def _trim(words: str) -> str:
    """2.00% as 2%: a margin is an exact number."""
    digits, suffix = (words[:-1], "%") if words.endswith("%") else (words, "")
    return (digits.rstrip("0").rstrip(".") if "." in digits and "e" not in digits else digits) + suffix
