"""Probability that an arm is best, and top-two Thompson sampling: quadrature by scipy; Russo 2016."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "arm is best" not in method:
        raise Unsupported(f"no method {method!r}")
    posteriors = inputs["post_mean"], inputs["post_sd"]
    return {
        "p_best": stats.probability_best(*posteriors),
        "top_two": stats.top_two_probabilities(*posteriors, beta=inputs.get("beta", 0.5)),
    }
