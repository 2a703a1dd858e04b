"""Boundaries as other tools publish them, to compare: neither holds at every look."""

from __future__ import annotations

import numpy as np

from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.stats.anytime import statsig_critical_value
from paribus.stats.arm import difference
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Estimate
from paribus.stats.evalues import random_walk_crossing


def published(pair: Pair) -> Found:
    """Boundaries as other tools publish them, to compare: neither holds at every look."""
    both = pair.arms
    observed_share = float(both[1].n / (both[0].n + both[1].n))
    z = float(statsig_critical_value(float(both[0].n + both[1].n), pair.alpha, treatment_share=observed_share))
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
