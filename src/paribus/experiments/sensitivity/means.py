"""Two means read once, at a fixed plan's end: tests, scales of the lift, covariates, the winner's curse."""

from __future__ import annotations

from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.stats.adjustment import Adjusted, Theta, cuped, lin
from paribus.stats.arm import difference
from paribus.stats.boundary import Fixed
from paribus.stats.domain import within_domain
from paribus.stats.estimate import Estimate
from paribus.stats.margin import equivalence
from paribus.stats.relative import lift
from paribus.stats.selection import conditional_mle


def means(pair: Pair) -> Found:
    """Welch's t, Student's pooled t, and the normal reference."""
    boundary = Fixed(pair.level)
    yield "Welch t", "difference", difference(*pair.arms, boundary=boundary)
    yield "Student t, pooled variance", "difference", difference(*pair.arms, boundary=boundary, pooled=True)
    yield "normal", "difference", difference(*pair.arms, boundary=boundary, normal=True)


def lifts(pair: Pair) -> Found:
    """The lift's interval by Fieller, by the delta method, and on the log scale."""
    for method in ("fieller", "delta", "log"):
        found = lift(*pair.arms, boundary=Fixed(pair.level), method=method, negative_baseline="magnitude")
        found = within_domain(found, "delta", *pair.arms) if method == "delta" else found
        yield f"lift by {method.capitalize() if method == 'fieller' else method}", "lift", found


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
        yield name, "difference", difference(arms.control, arms.treatment, boundary=Fixed(pair.level))


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
        yield f"equivalence within ±{pair.worthwhile:.3g} (TOST)", "lift", tost
