"""Relative lift of treatment over control: delta, log-delta and Fieller intervals, from one test.

A page must not say "significant" absolutely and "not significant" relatively. The p-value here is that of the
*difference* (no lift is no difference), and Fieller's interval, the default, agrees with it exactly: it excludes
zero if and only if that test rejects. Delta and log-delta intervals are there for comparison with other tools.

With covariates the numerator is the adjusted difference and the baseline, by default, the UNADJUSTED control mean:
the number that people see, and one that keeps the two arms independent (an adjusted control mean depends on the
treatment's covariates through their common center). Their covariance enters every variance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError
from paribus.stats.arm import Arm, refusals, spread
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.estimate import Estimates, Floats, Reason, estimates

LiftMethod = Literal["fieller", "delta", "log"]
Baseline = Literal["unadjusted", "adjusted"]
NegativeBaseline = Literal["refuse", "signed", "magnitude"]


def lift(
    control: Arm,
    treatment: Arm,
    *,
    boundary: Boundary | None = None,
    method: LiftMethod = "fieller",
    baseline: Baseline = "unadjusted",
    test: Literal["difference", "lift"] = "difference",
    gradient: Literal["adjusted", "unadjusted"] = "adjusted",
    negative_baseline: NegativeBaseline = "refuse",
    pooled: bool = False,
    normal: bool = False,
) -> Estimates:
    """Relative lift (treatment - control) / baseline with its interval; 0.05 means 5% more.

    `se` is the delta-method standard error of the lift for every method. `extra` holds `baseline`, its squared
    relative reach `g` = (z se(baseline) / baseline)^2, and for "log" `log_lift` and `log_lift_se`.

    Undetermined: ZERO_BASELINE; NEGATIVE_BASELINE unless allowed; NOT_POSITIVE for "log"; UNBOUNDED for "fieller"
    when g >= 1, that is when the baseline itself is not shown to differ from zero; TOO_FEW_EVENTS where nothing at all
    happened in treatment: the lift is -1 whatever control is, and its error would be estimated as none.

    Args:
        control: arm to compare with.
        treatment: arm of the same shape of cells.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
        method: "fieller" (Fieller 1954, exact for normal means), "delta" (symmetric; too narrow when the baseline is
            noisy), "log" (delta on log(treatment / control), transformed).
        baseline: for covariate-adjusted arms, the control mean without or with adjustment (its center taken as fixed).
        test: "difference" tests on the absolute scale; "lift" on the scale of the interval.
        gradient: the estimate of the lift at which the variance is taken: our value, or the lift without covariates
            (GrowthBook, for means); equal in the limit.
        negative_baseline: "refuse"; "signed" divides by the baseline as it is; "magnitude" by its absolute value, so
            that a positive lift always means more.
        pooled: as in `difference`.
        normal: as in `difference`.

    >>> from paribus.stats.moments import Moments
    >>> c, t = (Moments.from_covariance(["y"], n, [m], [[s**2]]) for n, m, s in ((10000, 50, 15), (10100, 50.6, 15.2)))
    >>> from paribus.stats.arm import mean
    >>> found = lift(mean(c), mean(t)).at()
    >>> round(found.value, 3), round(found.lower, 4), round(found.upper, 4)
    (0.012, 0.0036, 0.0204)
    """
    if method not in {"fieller", "delta", "log"}:
        raise InputError(f"no relative interval by {method!r}", rule="method is fieller, delta or log")
    boundary = boundary or Fixed()
    # Logarithms are pooled after scaling, below: arms alike on the log scale are not alike before it.
    pooled_first = pooled and method != "log"
    var_c, var_t = _variances(control, treatment, pooled_first)
    base, base_var, base_cov = replace(control, var=var_c).denominator(adjusted=baseline == "adjusted")
    gap = treatment.value - control.value
    n = control.n + treatment.n
    se_gap, df = spread(control, treatment, pooled=pooled, normal=normal)
    sign = np.sign(base) if negative_baseline == "magnitude" else np.ones_like(base)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        value = gap / base
        slope = value if gradient == "adjusted" else (treatment.unadjusted.value - control.unadjusted.value) / base
        # What each arm adds to the variance of the lift; the baseline enters with the gradient -gap / base^2.
        from_c = (var_c + 2 * slope * base_cov + slope**2 * base_var) / control.n / base**2
        from_t = var_t / treatment.n / base**2
        se = np.sqrt(from_c + from_t)
        z = boundary.radius(se_gap, n, df) / se_gap
        reach = z**2 * base_var / control.n / base**2
        extra = {"baseline": base, "g": reach}
        p_value = boundary.p_value(gap * (sign if test == "lift" else 1.0), se_gap, n, df)
        unbounded = np.zeros_like(base, dtype=np.bool_)
        if method == "log":
            scaled = Arm(control.n, base, from_c * control.n / (1 + value) ** 2, control.skewness)
            other = Arm(treatment.n, base, from_t * treatment.n / (1 + value) ** 2, treatment.skewness)
            log_se, log_df = spread(scaled, other, pooled=pooled, normal=normal)
            log_value = np.where(1 + value > 0, np.log(np.where(1 + value > 0, 1 + value, 1.0)), np.nan)
            radius = boundary.radius(log_se, n, log_df)
            lower, upper = np.expm1(log_value - radius), np.expm1(log_value + radius)
            extra |= {"log_lift": log_value, "log_lift_se": log_se}
            if test == "lift":
                p_value, df = boundary.p_value(log_value, log_se, n, log_df), log_df
        elif method == "delta":
            radius = boundary.radius(se, n, df)
            lower, upper = value - radius, value + radius
            if test == "lift":
                p_value = boundary.p_value(value * sign, se, n, df)
        else:
            lower, upper = _fieller(value, from_c, from_t, base, base_var / control.n, base_cov / control.n, z)
            unbounded = reach >= 1
        signed = value * sign
        flipped = sign < 0
        lower, upper = np.where(flipped, -upper, lower), np.where(flipped, -lower, upper)
    # Dividing by a negative baseline turns "greater" into "less", so a one-sided claim would point the wrong way.
    turns = negative_baseline == "signed" and boundary.alternative != "two-sided"
    refuses_negative = negative_baseline == "refuse" or turns
    not_positive = (base <= 0) | ~(1 + value > 0) if method == "log" else np.zeros_like(base)
    return estimates(
        signed,
        se,
        -np.inf if boundary.alternative == "less" else lower,
        np.inf if boundary.alternative == "greater" else upper,
        p_value,
        df=df,
        level=boundary.level,
        alternative=boundary.alternative,
        method=f"{boundary.method}, {method}",
        reasons=(
            *refusals(control, treatment, se_gap),
            (base == 0, Reason.ZERO_BASELINE),
            ((base < 0) & refuses_negative, Reason.NEGATIVE_BASELINE),
            (not_positive, Reason.NOT_POSITIVE),
            (unbounded, Reason.UNBOUNDED),
            (_nothing_happened(treatment), Reason.TOO_FEW_EVENTS),
        ),
        extra=extra,
    )


def _nothing_happened(arm: Arm) -> NDArray[np.bool_]:
    return np.asarray((arm.value == 0) & (arm.var == 0))


def _variances(control: Arm, treatment: Arm, pooled: bool) -> tuple[Floats, Floats]:
    if not pooled:
        return control.var, treatment.var
    with np.errstate(invalid="ignore", divide="ignore"):
        both = (control.n - 1) * control.var + (treatment.n - 1) * treatment.var
        var = np.asarray(both / (control.n + treatment.n - 2))
    return var, var


def _fieller(
    value: Floats, from_c: Floats, from_t: Floats, base: Floats, var_base: Floats, cov: Floats, z: Floats
) -> tuple[Floats, Floats]:
    """Both roots r of (gap - r base)^2 = z^2 Var(gap - r base) (Fieller 1954); NaN where they do not bracket.

    Written around the estimate, r = value + s: s^2 (1 - g) - 2 s z^2 k - z^2 se^2 = 0, where
    k = -Cov(gap - value base, base) / base^2 = (cov + value var_base) / base^2.
    """
    g = z**2 * var_base / base**2
    k = z**2 * (cov + value * var_base) / base**2
    root = np.sqrt(k**2 + (1 - g) * z**2 * (from_c + from_t))
    return value + (k - root) / (1 - g), value + (k + root) / (1 - g)
