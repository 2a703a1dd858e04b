"""The Bayesian reading: a sealed normal prior on the relative effect, its posterior, chances and expected losses.

Beside a frequentist deciding method the posterior is a description and never touches a conclusion. Where the plan is
Bayesian it decides: a success metric is better when the expected loss of choosing the treatment is below the plan's
threshold and the posterior mean is good, worse when the chance of harm reaches 1 - deterioration alpha, and a guardrail
is judged by its credible interval against the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paribus.experiments.comparisons import against_margin
from paribus.experiments.plan import Design, Prior
from paribus.experiments.result import Comparison, Conclusion, Quantity
from paribus.metrics.definition import Role
from paribus.stats.bayes import NormalPosterior, normal_posterior
from paribus.stats.estimate import Estimate


def with_posteriors(design: Design, comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with the posterior of their relative effect, where there is an estimate with an error."""
    known = [i for i, c in enumerate(comparisons) if _has_error(c.relative)]
    if not known:
        return tuple(comparisons)
    posterior = _posteriors(design, [comparisons[i] for i in known])
    level = design.plan.confidence_level
    good = np.array([1.0 if comparisons[i].direction == "increase" else -1.0 for i in known])
    better = posterior.probability_above(0.0)
    loss_treatment, loss_control = posterior.expected_loss()
    lower, upper = posterior.interval(level)
    out = list(comparisons)
    for j, i in enumerate(known):
        favorable = good[j] > 0
        out[i] = replace(
            comparisons[i],
            posterior={
                "mean": float(posterior.mean[j]),
                "sd": float(posterior.sd[j]),
                "lower": float(lower[j]),
                "upper": float(upper[j]),
                "chance_better": float(better[j] if favorable else 1 - better[j]),
                "loss_treatment": float(loss_treatment[j] if favorable else loss_control[j]),
                "loss_control": float(loss_control[j] if favorable else loss_treatment[j]),
            },
        )
    return tuple(out)
