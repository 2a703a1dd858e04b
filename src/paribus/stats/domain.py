"""Where each method keeps its error rate, as data, and the refusal outside.

A t interval leans on the central limit theorem, and skewness decides when it has arrived. By Edgeworth expansion (Hall
1992, sec. 2.6) the t statistic of a difference has the skewness that `asymmetry` estimates,

    A = skewness (1/n1 - 1/n2) / sqrt(1/n1 + 1/n2),

which moves each tail's error by about .085 A at 2.5% and the two-sided error by about .25 A^2 at 5%. It vanishes for
equal arms: an unequal split of a skewed metric is what breaks the test (type I .15 for a zero-inflated lognormal at
n = 500 split 90/10). Small samples need a bound of their own, because they cannot show the tail that they miss: their
skewness never exceeds sqrt(n). The limits below were set so that simulated cells lie clearly inside or clearly outside
(`make calibrate` prints them all).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError, did_you_mean
from paribus.stats.arm import Arm
from paribus.stats.estimate import Estimates, Floats, Reason


@dataclass(frozen=True, slots=True)
class Domain:
    """The data for which a method's stated error rate holds.

    min_units           units in the smaller arm
    max_asymmetry       |A| of the two-sided test (see the module)
    max_asymmetry_one_sided  |A| of a one-sided test, whose error moves with A itself
    small_skewness      pooled |skewness| allowed with 25 units in the smaller arm; grows as its units^0.4
    large_units         units in the smaller arm from which only dominance by a few units is refused
    max_dominance       then: skewness^2 / n, which is near 1 when one unit makes up the variance
    min_clusters        clusters in the smaller arm (cluster designs)
    min_df              Satterthwaite degrees of freedom (cluster designs)
    max_baseline_error  standard error of the control value over its size (relative effects with symmetric ends)
    """

    method: str
    min_units: int = 0
    max_asymmetry: float = np.inf
    max_asymmetry_one_sided: float = np.inf
    small_skewness: float = np.inf
    large_units: int = 0
    max_dominance: float = np.inf
    min_clusters: int = 0
    min_df: float = 0.0
    max_baseline_error: float = np.inf

    def max_skewness(self, smaller: Floats, total: Floats) -> Floats:
        """Largest pooled |skewness| for that many units in the smaller arm and in both."""
        small = self.small_skewness * (np.maximum(smaller, 1.0) / 25) ** 0.4
        return np.where(smaller >= self.large_units, np.sqrt(self.max_dominance * total), small)


_WELCH = Domain(
    "welch",
    min_units=15,
    max_asymmetry=0.14,
    max_asymmetry_one_sided=0.06,
    small_skewness=1.5,
    large_units=500,
    max_dominance=0.81,
)


def _like_welch(method: str, min_units: int) -> Domain:
    return Domain(
        method,
        min_units,
        _WELCH.max_asymmetry,
        _WELCH.max_asymmetry_one_sided,
        _WELCH.small_skewness,
        _WELCH.large_units,
        _WELCH.max_dominance,
    )


DOMAINS: dict[str, Domain] = {
    domain.method: domain
    for domain in (
        _WELCH,
        _like_welch("cuped", 15),  # judged by the unadjusted metric's skewness: moments hold no other
        _like_welch("lin", 25),
        _like_welch("poststratified", 25),
        # The delta method needs a denominator that hardly varies. Moments hold the numerator's skewness alone, which is
        # mostly larger than that of what a unit contributes, y - R d: hence wider limits.
        Domain("ratio", 100, 0.18, 0.08, small_skewness=2.0, large_units=500, max_dominance=0.81),
        # A symmetric interval of a lift needs a baseline that is known well: with a skewed metric and an error of .1 of
        # the baseline it covers .944 of the time (30,000 simulated), with at most .035 what it says. Fieller's bends.
        Domain("delta", max_baseline_error=0.045),
        Domain("score"),  # Miettinen-Nurminen: type I at 5% is at most .054 for any n, split and p (enumerated)
        Domain("exact"),
        Domain("cluster", min_clusters=5, min_df=3.0),
        # Rows clustered by unit, counted as units of equal size: 300 of which five hold most rows are few. Simulated
        # with heavy-tailed sizes and a 5:1 split, type I at 5% is .19 to .24 below 5, .03 to .08 from 10, .06 from 30.
        Domain("clustered quantile", min_clusters=30),
    )
}


def domain_of(method: str) -> Domain:
    """The validity domain of a method."""
    if method not in DOMAINS:
        raise InputError(f"no validity domain for {method!r}", fix=did_you_mean(method, DOMAINS))
    return DOMAINS[method]


def pooled_skewness(control: Arm, treatment: Arm) -> Floats:
    """Skewness of both arms around their own values, weighted by their units; NaN where unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n = control.n + treatment.n
        arms = [(arm.n, arm.unadjusted.var, arm.skewness) for arm in (control, treatment)]
        third = sum(m * np.where(v > 0, s * v**1.5, 0.0) for m, v, s in arms)
        second = sum(m * v for m, v, _ in arms)
        return np.asarray((third / n) / (second / n) ** 1.5)


def asymmetry(control: Arm, treatment: Arm) -> Floats:
    """Skewness of the t statistic for arms alike but for their sizes; positive leans to treatment.

    >>> one = np.array(1.0)
    >>> a, b = Arm(np.array(450.0), one, one, 7 * one), Arm(np.array(50.0), one, one, 7 * one)
    >>> round(float(asymmetry(a, b)), 3)  # 7 (1/50 - 1/450) / sqrt(1/50 + 1/450)
    0.835
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        lean = (1 / treatment.n - 1 / control.n) / np.sqrt(1 / treatment.n + 1 / control.n)
        return np.asarray(pooled_skewness(control, treatment) * lean)


def outside(method: str, control: Arm, treatment: Arm, *, one_sided: bool = False) -> NDArray[np.object_]:
    """By cell, the reason why the method's error rate is not assured on these arms, or None.

    Unknown skewness (NaN: moments published without third powers) refuses nothing.

    >>> one = np.array(1.0)
    >>> a, b = Arm(np.array(450.0), one, one, 7 * one), Arm(np.array(50.0), one, one, 7 * one)
    >>> outside("welch", a, b)[()]
    <Reason.TOO_SKEWED: 'the distribution is too skewed for this many units'>
    """
    domain = domain_of(method)
    smaller = np.minimum(control.n, treatment.n)
    total = np.asarray(control.n + treatment.n, dtype=np.float64)
    limit = domain.max_asymmetry_one_sided if one_sided else domain.max_asymmetry
    reasons = np.full(np.shape(total), None, dtype=object)
    with np.errstate(invalid="ignore"):
        skewness = np.abs(pooled_skewness(control, treatment))
        skewed = (np.abs(asymmetry(control, treatment)) > limit) | (skewness > domain.max_skewness(smaller, total))
    reasons[skewed] = Reason.TOO_SKEWED
    reasons[smaller < domain.min_units] = Reason.TOO_FEW_UNITS
    if np.isfinite(domain.max_baseline_error):
        with np.errstate(invalid="ignore", divide="ignore"):
            reasons[control.se / np.abs(control.value) > domain.max_baseline_error] = Reason.TOO_FEW_UNITS
    reasons[smaller < domain.min_clusters] = Reason.TOO_FEW_CLUSTERS
    return reasons


def within_domain(found: Estimates, method: str, control: Arm, treatment: Arm) -> Estimates:
    """The same estimates, undetermined wherever the method is outside its validity domain."""
    reasons = outside(method, control, treatment, one_sided=found.alternative != "two-sided")
    for reason in Reason:
        mask = reasons == reason
        if np.any(mask):
            found = found.without(mask, reason)
    return found
