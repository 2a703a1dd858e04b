"""Shares at any look by their events alone: how many of them fell into treatment.

If the arms' shares are equal, each event falls into treatment with probability q, the split, whatever the share is and
however it moves in time. The events in treatment less q N are then a martingale with steps between -q and 1 - q and
variance q (1 - q) a step, which is sub-Bernoulli, sub-Poisson of scale 1 - q (Bennett's inequality) and, because that
cumulant series is term by term below it, sub-exponential of half that scale (Howard, Ramdas, McAuliffe, Sekhon 2020,
2021). Exact for units that came at random under one split. If the effect is a constant ratio of the shares, an event's
probability is q r / (q r + 1 - q), and what the sequence leaves of it is an interval of r.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from paribus.experiments.sensitivity.findings import Crossing
from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.experiments.sensitivity.sequences import p_of
from paribus.stats.confseq import (
    bernoulli_confidence_interval,
    beta_binomial_log_mixture,
    beta_binomial_mixture_bound,
    gamma_exponential_log_mixture,
    gamma_exponential_mixture_bound,
    gamma_poisson_log_mixture,
    gamma_poisson_mixture_bound,
)
from paribus.stats.estimate import Floats, Reason, Undetermined

# Events are taken to be one unit in ten when a sequence is tuned: any constant is valid, one that follows the data is
# not.
SHARE = 0.1
_EDGE = 1e-9
Mixture = Callable[[float, float, float, float], Floats]


@dataclass(frozen=True, slots=True)
class _Sums:
    """A mixture for sums bounded above, its boundary, and its scale for steps of at most 1."""

    name: str
    log_mixture: Mixture
    bound: Mixture
    scale: float


SUMS = (
    _Sums("gamma-Poisson", gamma_poisson_log_mixture, gamma_poisson_mixture_bound, 1.0),
    _Sums("gamma-exponential", gamma_exponential_log_mixture, gamma_exponential_mixture_bound, 0.5),
)


def events(pair: Pair) -> Found:
    """The lift by the events' split, with p-values at any look, by each of the three mixtures."""
    if pair.split is None or not pair.is_share:
        return
    q, expected = pair.split, SHARE * pair.n_opt
    x_c, _, x_t, _ = pair.table
    n = x_c + x_t
    for name in ("beta-binomial", *(each.name for each in SUMS)):
        method = f"events' split, {name}"
        if n == 0 or x_c == 0:
            yield method, "lift", Undetermined(Reason.ZERO_BASELINE if n else Reason.TOO_FEW_EVENTS)
            continue
        if name == "beta-binomial":
            low, high = bernoulli_confidence_interval(x_t, n, pair.alpha, expected)
            v = q * (1 - q)
            evidence = beta_binomial_log_mixture(x_t - q * n, v * n, v * expected, q, 1 - q, one_sided=False)
            p = p_of(float(evidence))
        else:
            sums = next(each for each in SUMS if each.name == name)
            low, high = _left(sums, x_t, n, pair.alpha, expected)
            p = min(1.0, 2 * p_of(max(_evidence(sums, x_t, n, q, expected))))
        value, lower, upper = (_lift(share, q) for share in (x_t / n, low, high))
        yield method, "lift", pair.interval(value, lower, upper, method, p)


def crossings(pair: Pair, treatment: str) -> Iterator[Crossing]:
    """From how many events in treatment on an effect is shown, with as many events as there are now."""
    x_c, _, x_t, _ = pair.table
    n, q = x_c + x_t, pair.split
    if q is None or not pair.is_share or n == 0:
        return
    v, expected = q * (1 - q), SHARE * pair.n_opt
    bounded = [
        float(beta_binomial_mixture_bound(v * n, pair.alpha, v * expected, step, 1 - step, one_sided=False))
        for step in (q, 1 - q)
    ]
    found = [("beta-binomial", bounded[0], bounded[1])]
    for sums in SUMS:
        above, below = (
            float(sums.bound(v * n, pair.alpha / 2, v * expected, sums.scale * step)) for step in (1 - q, q)
        )
        found.append((sums.name, above, below))
    for name, above, below in found:
        # A sum that only all events, or none, would have is where the bounded mixture ends, not where it shows.
        many, few = np.ceil(q * n + above), np.floor(q * n - below)
        yield Crossing(
            pair.metric.name,
            treatment,
            name,
            int(n),
            int(x_t),
            q * n,
            int(few) if few >= 0 and below < q * n * (1 - _EDGE) else None,
            int(many) if many <= n and above < (1 - q) * n * (1 - _EDGE) else None,
        )


def _evidence(sums: _Sums, x: float, n: float, share: float, expected: float) -> tuple[float, float]:
    """Logarithms of the evidence that an event's probability of treatment is above `share`, and that it is below."""
    v, s = share * (1 - share), x - share * n
    above, below = (
        float(sums.log_mixture(side * s, v * n, v * expected, sums.scale * most))
        for side, most in ((1.0, 1 - share), (-1.0, share))
    )
    return above, below


def _left(sums: _Sums, x: float, n: float, alpha: float, expected: float) -> tuple[float, float]:
    """The probabilities of treatment that neither side excludes, each at half of alpha."""
    from scipy.optimize import brentq

    rate, threshold = x / n, float(np.log(2 / alpha))

    def excess(share: float, side: int) -> float:
        return _evidence(sums, x, n, share, expected)[side] - threshold

    low, high = 0.0, 1.0
    if rate > _EDGE and excess(_EDGE, 0) > 0:
        low = float(brentq(excess, _EDGE, min(rate, 1 - _EDGE), args=(0,), xtol=1e-12))
    if rate < 1 - _EDGE and excess(1 - _EDGE, 1) > 0:
        high = float(brentq(excess, max(rate, _EDGE), 1 - _EDGE, args=(1,), xtol=1e-12))
    return low, high


def _lift(share: float, split: float) -> float:
    """The relative difference of two shares that puts this share of the events into treatment."""
    return share * (1 - split) / ((1 - share) * split) - 1 if share < 1 else np.inf
