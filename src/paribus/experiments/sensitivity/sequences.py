"""Two means or shares by sequences that hold at any look: mixtures, stitching, regression."""

from __future__ import annotations

import numpy as np

from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.stats.anytime import BURN_IN, AnytimeT, AsymptoticSequence, MixtureSPRT, best_g
from paribus.stats.anytime_linear import anytime_lin_from_moments
from paribus.stats.arm import difference
from paribus.stats.boundary import Fixed
from paribus.stats.confseq import (
    bernoulli_confidence_interval,
    normal_log_mixture,
    normal_mixture_bound,
    poly_stitching_bound,
)
from paribus.stats.estimate import Estimate


def always(pair: Pair) -> Found:
    """Sequences that hold at any look."""
    n = pair.units
    g = best_g(pair.n_opt, pair.alpha)
    boundaries = (
        AsymptoticSequence(pair.n_opt, pair.level),
        MixtureSPRT(pair.expected**2, pair.level),
        AnytimeT(g, pair.level),
    )
    for boundary in boundaries:
        yield boundary.method, "difference", difference(*pair.arms, boundary=boundary)
    found = difference(*pair.arms, boundary=Fixed(pair.level)).at()
    if isinstance(found, Estimate) and n >= BURN_IN:
        # The sum over units in standard deviations has the intrinsic time n.
        sums = found.value / found.se * n**0.5
        evidence = float(normal_log_mixture(sums, n, pair.n_opt, one_sided=False))
        for name, bound, p in (
            ("normal mixture bound", normal_mixture_bound(n, pair.alpha, pair.n_opt, one_sided=False), p_of(evidence)),
            ("stitched bound", poly_stitching_bound(n, pair.alpha / 2, BURN_IN), np.nan),
        ):
            reach = found.se * float(bound) / n**0.5
            yield name, "difference", pair.interval(found.value, found.value - reach, found.value + reach, name, p)
    plain = [name for name in pair.covariates if isinstance(name, str)]
    if pair.adjusts and isinstance(pair.what, str) and len(plain) == len(pair.covariates):
        fitted = anytime_lin_from_moments(pair.control, pair.treatment, pair.what, plain, g=g, level=pair.level)
        yield "anytime-valid regression", "difference", fitted
    if pair.is_share and n > 0:
        x_c, n_c, x_t, n_t = pair.table
        # Two intervals of half the error each: their difference misses with at most the whole of it.
        low_c, high_c = bernoulli_confidence_interval(x_c, n_c, pair.alpha / 2, pair.n_opt / 2)
        low_t, high_t = bernoulli_confidence_interval(x_t, n_t, pair.alpha / 2, pair.n_opt / 2)
        name = "two Bernoulli sequences"
        yield name, "difference", pair.interval(x_t / n_t - x_c / n_c, low_t - high_c, high_t - low_c, name)


def p_of(log_e: float) -> float:
    """The p-value at any look of a logarithm of evidence: 1 over it, at most 1."""
    return float(np.exp(-max(log_e, 0.0)))
