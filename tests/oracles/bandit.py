"""Best-arm probabilities of normal posteriors by quadrature, and top-two Thompson sampling (Russo 2016)."""

from __future__ import annotations

import re
from typing import Any

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    named = re.search(r"beta ?= ?(\d*\.\d+)", method)
    posteriors = inputs["post_mean"], inputs["post_sd"]
    return {
        "p_best": stats.probability_best(*posteriors),
        "top_two": stats.top_two_probabilities(*posteriors, beta=inputs.get("beta", float(named[1]) if named else 0.5)),
    }
