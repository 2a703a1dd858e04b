"""Sample quantiles by R's nine types, limits by ranks, Harrell-Davis, quantile regression by R's quantreg."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "treated" in inputs:
        effect = stats.quantile_effect(inputs["y"], inputs["treated"], inputs["p"])
        if isinstance(effect, stats.Undetermined):
            raise Unsupported(str(effect))
        return {"qte": effect.value, "iid": effect.iid, "nid": effect.nid, "ker": effect.ker}
    if "x" not in inputs:
        raise Unsupported(f"no method {method!r}")
    x, p, level = inputs["x"], inputs["p"], inputs.get("confidence_level", 0.95)
    ranks = stats.quantile_ranks(len(x), p, level=level)
    lower, upper = stats.quantile_interval(x, p, level=level)
    return {
        "type1_to_9": [stats.sample_quantile(x, p, kind) for kind in range(1, 10)],
        "rank_lower_1based": ranks.lower,
        "rank_upper_1based": ranks.upper,
        "exact_coverage_of_ranks": ranks.coverage,
        "harrell_davis": stats.harrell_davis(x, p),
        "se_gauss_from_ranks": stats.quantile_se(lower, upper, level=level),
        "lower": np.float64(lower),
        "upper": np.float64(upper),
    }
