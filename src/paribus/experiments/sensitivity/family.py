"""All comparisons together: whether any success metric moved, and which moved whenever one looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.experiments.plan import Design, Method
from paribus.experiments.result import Comparison
from paribus.experiments.sensitivity.findings import Family, Moved
from paribus.experiments.sensitivity.pair import Pair
from paribus.metrics.definition import Role
from paribus.stats.adjustment import cuped
from paribus.stats.anytime import BURN_IN, AsymptoticSequence
from paribus.stats.arm import difference
from paribus.stats.estimate import Estimate
from paribus.stats.evalues import e_bh
from paribus.stats.multiplicity import simes

_MOST = 700.0  # logarithm of the largest e-value that a float can hold, about


def family_of(
    design: Design, comparisons: Sequence[Comparison], pairs: Sequence[tuple[str, Pair]], level: float
) -> Family | None:
    """Simes' test of the success metrics, by their deciding p-values, and e-BH over all comparisons.

    Simes' test holds for tests that are independent or positively dependent; an undetermined comparison stays in the
    family as p = 1. e-BH holds under any dependence, at any look. None with fewer than two comparisons.

    Args:
        design: the experiment.
        comparisons: the result's, with uncorrected p-values of the deciding method.
        pairs: treatments with their pairs of arms.
        level: 1 less the error of the false discoveries.
    """
    if len(pairs) < 2:
        return None
    success = [c.absolute for c in comparisons if c.role is Role.SUCCESS]
    p = [e.p_value if isinstance(e, Estimate) and np.isfinite(e.p_value) else 1.0 for e in success]
    any_success = simes(p) if design.plan.method is Method.FIXED and len(p) > 1 else None
    evidence = [_e(pair) for _, pair in pairs]
    survives = e_bh(evidence, 1 - level).rejected
    moved = tuple(
        Moved(pair.metric.name, treatment, e, bool(kept))
        for (treatment, pair), e, kept in zip(pairs, evidence, survives, strict=True)
    )
    return Family(any_success, len(p), moved)


def _e(pair: Pair) -> float:
    """The asymptotic sequence's e-value against no effect, adjusted where the plan adjusts; 1 where it has none."""
    boundary = AsymptoticSequence(pair.n_opt, pair.level)
    control, treatment = pair.arms
    if pair.adjusts:
        fitted = cuped(pair.control, pair.treatment, pair.what, pair.covariates)
        control, treatment = fitted.control, fitted.treatment
    found = difference(control, treatment, boundary=boundary).at()
    if not isinstance(found, Estimate) or pair.units < BURN_IN:
        return 1.0
    return float(np.exp(min(float(boundary.log_e(found.value, found.se, pair.units)), _MOST)))
