"""Quantiles of a metric's units, arm by arm and between arms: whether the middle moved, or the tail."""

from __future__ import annotations

import numpy as np

from paribus.experiments.unit_readings.findings import ArmQuantile, Ends
from paribus.experiments.unit_readings.pair import Found, UnitPair
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Estimate, Floats, Reason, Undetermined
from paribus.stats.quantile import (
    harrell_davis,
    quantile_arm,
    quantile_difference,
    quantile_interval,
    quantile_ranks,
    sample_quantile,
    tied_limits,
)
from paribus.stats.quantile_regression import QuantileEffect, quantile_effect
from paribus.stats.quantile_sequence import (
    Over,
    anytime_quantile_difference,
    anytime_quantile_interval,
    anytime_quantile_p_value,
)

QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
ERRORS = ("nid", "iid", "ker")  # quantreg's names of its standard errors; the first needs the least
# Simulated, 95% intervals by iid and ker cover .90 to .93 of the time with 10 to 15 values of an arm beyond the
# quantile, and by ker .86 near an atom of 40% at zero; by nid .92 to .99 in all of these.
BEYOND = 30
ATOM = 0.05
SEQUENCES: dict[Over, str] = {
    "quantile": "this quantile, beta-binomial",
    "quantiles": "all quantiles, double stitching",
    "distance": "all quantiles, by distance",
}
TEST = "equal quantiles, mixture test"


def arm_quantile(pair: UnitPair, values: Floats, metric: str, variant: str, p: float) -> ArmQuantile:
    """One quantile of an arm's values."""

    def always(over: Over) -> Ends | None:
        if not pair.every:
            return None
        return anytime_quantile_interval(values, p, over=over, level=pair.level, t_opt=pair.n_opt / 2)

    return ArmQuantile(
        metric,
        variant,
        p,
        int(values.size),
        sample_quantile(values, p),
        harrell_davis(values, p),
        quantile_interval(values, p, level=pair.level) if pair.once else None,
        always("quantile"),
        always("quantiles"),
        always("distance"),
    )


def quantile_effects(pair: UnitPair, p: float) -> Found:
    """Treatment's quantile minus control's: once by regression and by ranks, and by what holds at any look."""
    if pair.once:
        yield from _once(pair, p)
    if pair.every:
        yield from _at_any_look(pair, p)


def _once(pair: UnitPair, p: float) -> Found:
    control, treatment = pair.control, pair.treatment
    limits = [quantile_interval(values, p, level=pair.level) for values in (control, treatment)]
    centers = [_center(values, p, pair.level) for values in (control, treatment)]
    beyond = not np.isfinite(limits).all()
    tied = bool(any(tied_limits(c, *ends) for c, ends in zip(centers, limits, strict=True)))
    effect: QuantileEffect | Undetermined
    if beyond:
        effect = Undetermined(Reason.TOO_FEW_UNITS)
    else:
        effect = Undetermined(Reason.TIED) if tied else quantile_effect(pair.y, pair.treated, p)
    for kind in ERRORS:
        name = f"quantile regression, {kind}"
        if isinstance(effect, Undetermined):
            yield name, False, effect
        else:
            refused = _refused(kind, (control, treatment), p)
            yield name, False, refused or _normal(effect.value, float(getattr(effect, kind)), pair.level, name)
    ends = [(np.nan, np.nan) if beyond else own for own in limits]
    arms = [
        quantile_arm(values.size, center, *own, level=pair.level)
        for values, center, own in zip((control, treatment), centers, ends, strict=True)
    ]
    yield "order statistics", False, quantile_difference(*arms, tied=tied, boundary=Fixed(pair.level)).at()


def _refused(kind: str, arms: tuple[Floats, Floats], p: float) -> Undetermined | None:
    """Why a standard error is not assured on these arms, if it is not."""
    if kind == "nid":
        return None
    if min(values.size for values in arms) * min(p, 1 - p) < BEYOND:
        return Undetermined(Reason.TOO_FEW_UNITS, f"fewer than {BEYOND} beyond the quantile")
    atom = max(np.unique(values, return_counts=True)[1].max() / values.size for values in arms)
    return Undetermined(Reason.TIED, "some value is frequent") if kind == "ker" and atom > ATOM else None


def _at_any_look(pair: UnitPair, p: float) -> Found:
    control, treatment = pair.control, pair.treatment
    value = sample_quantile(treatment, p) - sample_quantile(control, p)
    t_opt = pair.n_opt / 2

    def sequence(over: Over, method: str) -> Estimate | Undetermined:
        low, high = anytime_quantile_difference(control, treatment, p, over=over, level=pair.level, t_opt=t_opt)
        if not np.isfinite([low, high]).any():
            return Undetermined(Reason.TOO_FEW_UNITS)
        return Estimate(value, np.nan, low, high, np.nan, np.inf, pair.level, "two-sided", method)

    for over, method in SEQUENCES.items():
        yield method, True, sequence(over, method)
    equal = anytime_quantile_p_value(control, treatment, p, t_opt=t_opt)
    test = Estimate(value, np.nan, np.nan, np.nan, equal, np.inf, pair.level, "two-sided", TEST)
    yield TEST, True, test


def _center(values: Floats, p: float, level: float) -> float:
    rank = int(quantile_ranks(values.size, p, level=level).center)
    return float(np.partition(values, rank - 1)[rank - 1])


def _normal(value: float, se: float, level: float, method: str) -> Estimate | Undetermined:
    from scipy.special import ndtr, ndtri

    if not 0 < se < np.inf:
        return Undetermined(Reason.TIED)
    reach = float(ndtri((1 + level) / 2)) * se
    p = float(2 * ndtr(-abs(value / se)))
    return Estimate(value, se, value - reach, value + reach, p, np.inf, level, "two-sided", method)
