"""Non-inferiority and equivalence: is the treatment at most a margin worse, or within margins either way?

A relative margin is a share of the control mean, which is itself estimated. Testing the difference against
margin x (estimated mean) as if it were a constant forgets that variance; here the null is on the ratio,
treatment - control + margin x baseline = 0, whose variance includes it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.arm import Arm, difference, spread
from paribus.stats.boundary import Boundary, Fixed, one_sided
from paribus.stats.estimate import Alternative, Estimates, Floats, estimates
from paribus.stats.relative import Baseline, lift


def noninferiority(
    control: Arm,
    treatment: Arm,
    *,
    margin: float,
    relative: bool = False,
    direction: Literal["increase", "decrease"] = "increase",
    boundary: Boundary | None = None,
    baseline: Baseline = "unadjusted",
    normal: bool = False,
) -> Estimates:
    """One-sided evidence that treatment is less than `margin` worse than control; a small p-value says it is safe.

    The interval is the one-sided one of the difference (of the lift, by Fieller, when relative), and lies beyond the
    margin if and only if the p-value is below 1 - level. `extra["statistic"]` is the test statistic.

    Args:
        control: arm to compare with.
        treatment: arm of the same shape of cells.
        margin: the largest acceptable harm, positive: in units of the metric, or a share of the baseline.
        relative: whether `margin` is a share (0.01 = 1%).
        direction: which way is better; for "decrease" harm is an increase.
        boundary: its level c puts 1 - c in the one tail (default 97.5%, a guardrail's share of a two-sided 5%).
        baseline: of a relative margin, as in `lift`.
        normal: as in `difference`.

    Raises:
        InputError: the margin is negative or not finite.

    >>> from paribus.stats.arm import bernoulli
    >>> c, t = bernoulli(10_000, 5000), bernoulli(10_000, 4990)  # se^2 = 2 x .25 / 1e4; z = (-.001 + .02) / .00707
    >>> found = noninferiority(c, t, margin=0.02, normal=True)
    >>> round(float(found.extra["statistic"]), 3), round(found.at().p_value, 4)
    (2.687, 0.0036)
    """
    _check_margin(margin)
    null = -margin if direction == "increase" else margin
    return _against(control, treatment, null, relative, _worse_tail(direction), boundary, baseline, normal)


def margin_p_value(
    control: Arm,
    treatment: Arm,
    *,
    null: ArrayLike,
    relative: ArrayLike,
    safe_above: ArrayLike,
    boundary: Boundary,
) -> Floats:
    """One-sided p-value of effects against margins of their own, from a two-sided boundary; small: safe.

    p <= (1 - level) / 2 exactly where the boundary's two-sided interval lies beyond the null on the safe side, so the
    guardrails of many metrics are tested in one call by the interval that is shown.

    Args:
        control: arm to compare with.
        treatment: arm of the same shape of cells.
        null: the effect at the margin, by cell: -margin where more is better.
        relative: where the null is a share of the (unadjusted) baseline's size.
        safe_above: where a larger effect is the safe one.
        boundary: a two-sided interval and p-value rule.

    >>> from paribus.stats.arm import bernoulli
    >>> c, t = bernoulli(10_000, 5000), bernoulli(10_000, 4990)  # as in `noninferiority`
    >>> p = margin_p_value(c, t, null=-0.02, relative=False, safe_above=True, boundary=Fixed(0.95))
    >>> round(float(p), 4)
    0.0036
    """
    null, relative = np.asarray(null, dtype=np.float64), np.asarray(relative, dtype=np.bool_)
    base = control.denominator(adjusted=False)[0]
    on_ratio = _minus_share(control, np.where(relative, null * np.sign(base), 0.0), "unadjusted")
    _, df = spread(control, treatment)
    se, _ = spread(on_ratio, treatment)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = treatment.value - on_ratio.value - np.where(relative, 0.0, null)
        both = boundary.p_value(gap, se, control.n + treatment.n, df)
        return np.asarray(np.where((gap > 0) == np.asarray(safe_above), both / 2, 1 - both / 2))


def equivalence(
    control: Arm,
    treatment: Arm,
    *,
    margin: float,
    upper_margin: float | None = None,
    relative: bool = False,
    boundary: Boundary | None = None,
    baseline: Baseline = "unadjusted",
    normal: bool = False,
) -> Estimates:
    """Two one-sided tests that the effect lies between -margin and upper_margin (TOST: Schuirmann 1987).

    The p-value is the larger of the two. The interval is the two-sided one at 2 level - 1 (90% for a level of 95%),
    whose inclusion between the margins is the same decision; `level` keeps that of each one-sided test.

    Args:
        control: arm to compare with.
        treatment: arm of the same shape of cells.
        margin: largest acceptable decrease, positive.
        upper_margin: largest acceptable increase, positive (default: `margin`).
        relative: whether the margins are shares of the baseline.
        baseline: of relative margins, as in `lift`.
        normal: as in `difference`.
        boundary: of each one-sided test (default: fixed horizon at 95%).

    Raises:
        InputError: a margin is negative or not finite.
    """
    upper_margin = margin if upper_margin is None else upper_margin
    for one in (margin, upper_margin):
        _check_margin(one)
    boundary = boundary or Fixed()
    above = _against(control, treatment, -margin, relative, "greater", boundary, baseline, normal)
    below = _against(control, treatment, upper_margin, relative, "less", boundary, baseline, normal)
    return estimates(
        above.value,
        above.se,
        above.lower,
        below.upper,
        np.fmax(above.p_value, below.p_value),
        df=above.df,
        level=boundary.level,
        alternative="two-sided",
        method=f"{boundary.method}, two one-sided tests",
        reasons=above.reasons,
        extra={
            "statistic_lower": above.extra["statistic"],
            "statistic_upper": below.extra["statistic"],
            "p_lower": above.p_value,
            "p_upper": below.p_value,
        },
    )


def _against(
    control: Arm,
    treatment: Arm,
    null: float,
    relative: bool,
    alternative: Alternative,
    boundary: Boundary | None,
    baseline: Baseline,
    normal: bool,
) -> Estimates:
    boundary = one_sided(boundary or Fixed(level=0.975), alternative)
    if not relative:
        return difference(control, treatment, boundary=boundary, null=null, normal=normal)
    effect = lift(control, treatment, boundary=boundary, method="fieller", baseline=baseline, normal=normal)
    on_ratio = _minus_share(control, null, baseline)
    _, df = spread(control, treatment, normal=normal)  # the interval's df, so that test and interval agree
    se, _ = spread(on_ratio, treatment)
    n = control.n + treatment.n
    gap = treatment.value - on_ratio.value
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = boundary.p_value(gap, se, n, df)
        statistic = gap / se
    return estimates(
        effect.value,
        effect.se,
        effect.lower,
        effect.upper,
        p_value,
        df=df,
        level=boundary.level,
        alternative=alternative,
        method=effect.method,
        reasons=effect.reasons,
        extra={"statistic": statistic, "baseline": effect.extra["baseline"]},
    )


def _minus_share(control: Arm, share: float | Floats, baseline: Baseline) -> Arm:
    """The control arm's value + share x baseline, as an arm: what the treatment is compared with under the null."""
    base, base_var, base_cov = control.denominator(adjusted=baseline == "adjusted")
    var = control.var + 2 * share * base_cov + share**2 * base_var
    return Arm(control.n, control.value + share * base, var, control.skewness)


def _worse_tail(direction: str) -> Alternative:
    if direction not in {"increase", "decrease"}:
        raise InputError(f"no direction {direction!r}", rule="direction is increase or decrease")
    return "greater" if direction == "increase" else "less"


def _check_margin(margin: float) -> None:
    if not (np.isfinite(margin) and margin >= 0):
        raise InputError(
            f"the margin is {margin}",
            rule="a margin is the size of an acceptable harm: zero or positive, finite",
            fix="give its size; `direction` says which way is worse",
        )
