"""The same two arms read by other methods: each row of `METHODS` says what it needs and what it gives.

Nothing here decides. Readings that hold once are right at a fixed plan's end, and the others at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.stats.adjustment import Adjusted, Theta, cuped, lin
from paribus.stats.anytime import BURN_IN, AnytimeT, AsymptoticSequence, MixtureSPRT, best_g, statsig_critical_value
from paribus.stats.anytime_linear import anytime_lin_from_moments
from paribus.stats.arm import Arm, Outcome, difference, outcome
from paribus.stats.boundary import Fixed
from paribus.stats.confseq import bernoulli_confidence_interval, normal_mixture_bound, poly_stitching_bound
from paribus.stats.domain import within_domain
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.evalues import random_walk_crossing
from paribus.stats.margin import equivalence
from paribus.stats.moments import Moments
from paribus.stats.proportion import TableTest, proportion_test
from paribus.stats.relative import lift
from paribus.stats.selection import conditional_mle
from paribus.stats.two_proportions import (
    DifferenceMethod,
    RatioMethod,
    proportion_difference_interval,
    risk_ratio_interval,
)

Scale = Literal["difference", "lift"]
Found = Iterator[tuple[str, Scale, Estimate | Undetermined]]
MOST_ENUMERATED = 1_000  # units up to which all tables are enumerated for an exact test


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment of one metric: moments of single cells, and what the plan says of them.

    adjusts     whether covariates may adjust
    is_share    whether units are 0 or 1
    expected    a size that the effect may have, in the metric's unit: where mixtures expect it
    worthwhile  the smallest relative effect that matters; None where nobody said
    """

    control: Moments
    treatment: Moments
    what: Outcome
    covariates: tuple[Outcome, ...]
    adjusts: bool
    is_share: bool
    level: float
    n_opt: float
    expected: float
    worthwhile: float | None

    @property
    def arms(self) -> tuple[Arm, Arm]:
        return outcome(self.control, self.what), outcome(self.treatment, self.what)

    @property
    def alpha(self) -> float:
        return 1 - self.level

    @property
    def table(self) -> tuple[float, float, float, float]:
        """Successes and units of control and treatment."""
        x = [round(float(m.mean[..., 0]) * float(m.n)) for m in (self.control, self.treatment)]
        return x[0], float(self.control.n), x[1], float(self.treatment.n)

    def interval(self, value: float, lower: float, upper: float, method: str, p: float = np.nan) -> Estimate:
        return Estimate(value, np.nan, float(lower), float(upper), float(p), np.inf, self.level, "two-sided", method)


def means(pair: Pair) -> Found:
    """Welch's t, Student's pooled t, and the normal reference."""
    boundary = Fixed(pair.level)
    yield "Welch t", "difference", difference(*pair.arms, boundary=boundary).at()
    yield "Student t, pooled variance", "difference", difference(*pair.arms, boundary=boundary, pooled=True).at()
    yield "normal", "difference", difference(*pair.arms, boundary=boundary, normal=True).at()


def lifts(pair: Pair) -> Found:
    """The lift's interval by Fieller, by the delta method, and on the log scale."""
    for method in ("fieller", "delta", "log"):
        found = lift(*pair.arms, boundary=Fixed(pair.level), method=method, negative_baseline="magnitude")
        found = within_domain(found, "delta", *pair.arms) if method == "delta" else found
        yield f"lift by {method.capitalize() if method == 'fieller' else method}", "lift", found.at()


def adjusted(pair: Pair) -> Found:
    """What covariates change: CUPED by each convention of theta, and Lin's regression in each arm."""
    if not pair.adjusts:
        return
    thetas: tuple[Theta, ...] = ("pooled_within", "total", "per_arm")
    found: list[tuple[str, Adjusted]] = [
        (
            f"CUPED, theta {theta.replace('_', ' ')}",
            cuped(pair.control, pair.treatment, pair.what, pair.covariates, theta=theta),
        )
        for theta in thetas
    ]
    found.append(("Lin regression", lin(pair.control, pair.treatment, pair.what, pair.covariates)))
    for name, arms in found:
        yield name, "difference", difference(arms.control, arms.treatment, boundary=Fixed(pair.level)).at()


def tables(pair: Pair) -> Found:
    """Two shares: intervals of the difference and of the ratio, and tests of the table of counts."""
    if not pair.is_share:
        return
    x_c, n_c, x_t, n_t = pair.table
    value = x_t / n_t - x_c / n_c
    differences: tuple[tuple[str, DifferenceMethod], ...] = (
        ("Miettinen–Nurminen score", "miettinen_nurminen"),
        ("Mee score", "mee"),
        ("Newcombe hybrid score", "newcombe"),
        ("Wald", "wald"),
        ("Wald, pooled variance", "pooled"),
    )
    for name, method in differences:
        ends = proportion_difference_interval(*pair.table, level=pair.level, method=method)
        yield name, "difference", pair.interval(value, float(ends[0]), float(ends[1]), name)
    ratios: tuple[tuple[str, RatioMethod], ...] = (("Katz log ratio", "katz"), ("Koopman score", "koopman"))
    for name, ratio_method in ratios:
        ratio = risk_ratio_interval(*pair.table, level=pair.level, method=ratio_method, as_lift=True)
        at, low, high = map(float, ratio)
        none = Undetermined(Reason.TOO_FEW_EVENTS)
        yield name, "lift", pair.interval(at, low, high, name) if np.isfinite([at, low, high]).all() else none
    tests: list[tuple[str, TableTest, bool]] = [("chi-square, Yates", "chi2", True), ("likelihood ratio", "g", False)]
    tests.append(("Fisher exact", "fisher", False))
    if n_c + n_t <= MOST_ENUMERATED:
        tests += [("Barnard exact", "barnard", False), ("Boschloo exact", "boschloo", False)]
    for name, test, correction in tests:
        p = float(proportion_test(*pair.table, method=test, correction=correction).p_value)
        yield name, "difference", pair.interval(value, np.nan, np.nan, name, p)


def published(pair: Pair) -> Found:
    """Boundaries as other tools publish them, to compare: neither holds at every look."""
    both = pair.arms
    z = float(statsig_critical_value(float(both[0].n + both[1].n), pair.alpha, treatment_share=_share(pair)))
    found = difference(*both, boundary=Fixed(pair.level), normal=True).at()
    name = "Statsig's documented sequential z"
    if isinstance(found, Estimate):
        yield (
            name,
            "difference",
            pair.interval(found.value, found.value - z * found.se, found.value + z * found.se, name),
        )
    x_c, n_c, x_t, n_t = pair.table if pair.is_share else (0.0, 0.0, 0.0, 0.0)
    if pair.is_share and x_c + x_t > 0 and abs(n_c - n_t) < 0.1 * (n_c + n_t):
        barrier = int(abs(x_t - x_c))
        p = min(1.0, 2 * random_walk_crossing(int(x_c + x_t), barrier)) if barrier else 1.0
        name = "Evan Miller's sequential test"
        yield name, "difference", pair.interval(x_t / n_t - x_c / n_c, np.nan, np.nan, name, p)


def chosen_for_showing(pair: Pair) -> Found:
    """What is left of a significant effect when only significant ones are shown; equivalence to no effect."""
    found = difference(*pair.arms, boundary=Fixed(pair.level)).at()
    if isinstance(found, Estimate) and found.p_value < pair.alpha:
        left = conditional_mle(found.value, found.se, alpha=pair.alpha, level=pair.level)
        name = "conditional MLE (winner's curse)"
        yield name, "difference", pair.interval(float(left.value), float(left.lower), float(left.upper), name)
    if pair.worthwhile:
        boundary = Fixed(1 - pair.alpha / 2)
        tost = equivalence(*pair.arms, margin=pair.worthwhile, relative=True, boundary=boundary)
        yield f"equivalence within ±{pair.worthwhile:.3g} (TOST)", "lift", tost.at()


def always(pair: Pair) -> Found:
    """Sequences that hold at any look."""
    n = float(pair.control.n + pair.treatment.n)
    g = best_g(pair.n_opt, pair.alpha)
    boundaries = (
        AsymptoticSequence(pair.n_opt, pair.level),
        MixtureSPRT(pair.expected**2, pair.level),
        AnytimeT(g, pair.level),
    )
    for boundary in boundaries:
        yield boundary.method, "difference", difference(*pair.arms, boundary=boundary).at()
    found = difference(*pair.arms, boundary=Fixed(pair.level)).at()
    if isinstance(found, Estimate) and n >= BURN_IN:
        # The sum over units in standard deviations has the intrinsic time n.
        for name, bound in (
            ("normal mixture bound", normal_mixture_bound(n, pair.alpha, pair.n_opt, one_sided=False)),
            ("stitched bound", poly_stitching_bound(n, pair.alpha / 2, BURN_IN)),
        ):
            reach = found.se * float(bound) / n**0.5
            yield name, "difference", pair.interval(found.value, found.value - reach, found.value + reach, name)
    plain = [name for name in pair.covariates if isinstance(name, str)]
    if pair.adjusts and isinstance(pair.what, str) and len(plain) == len(pair.covariates):
        fitted = anytime_lin_from_moments(pair.control, pair.treatment, pair.what, plain, g=g, level=pair.level)
        yield "anytime-valid regression", "difference", fitted.at()
    if pair.is_share and n > 0:
        x_c, n_c, x_t, n_t = pair.table
        # Two intervals of half the error each: their difference misses with at most the whole of it.
        low_c, high_c = bernoulli_confidence_interval(x_c, n_c, pair.alpha / 2, pair.n_opt / 2)
        low_t, high_t = bernoulli_confidence_interval(x_t, n_t, pair.alpha / 2, pair.n_opt / 2)
        name = "two Bernoulli sequences"
        yield name, "difference", pair.interval(x_t / n_t - x_c / n_c, low_t - high_c, high_t - low_c, name)


def _share(pair: Pair) -> float:
    return float(pair.treatment.n / (pair.control.n + pair.treatment.n))


ONCE: tuple[Callable[[Pair], Found], ...] = (means, lifts, adjusted, tables, chosen_for_showing, published)
AT_ANY_TIME: tuple[Callable[[Pair], Found], ...] = (always,)
