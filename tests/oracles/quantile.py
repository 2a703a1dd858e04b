"""Quantiles: R's nine definitions, ranks and their coverage, Harrell-Davis, quantile regression by quantreg."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "treated" in inputs:
        return regression(inputs)
    if "x" in inputs:
        return sample(inputs)
    raise Unsupported(f"no method {method!r}")


def sample(inputs: dict[str, Any]) -> dict[str, Any]:
    x, p, level = inputs["x"], inputs["p"], inputs["confidence_level"]
    ranks = stats.quantile_ranks(len(x), p, level=level)
    return {
        "type1_to_9": [stats.sample_quantile(x, p, kind) for kind in range(1, 10)],
        "rank_lower_1based": ranks.lower,
        "rank_upper_1based": ranks.upper,
        "exact_coverage_of_ranks": ranks.coverage,
        "harrell_davis": stats.harrell_davis(x, p),
        "se_gauss_from_ranks": stats.quantile_se(*stats.quantile_interval(x, p, level=level), level=level),
    }


def regression(inputs: dict[str, Any]) -> dict[str, Any]:
    found = stats.quantile_effect(inputs["y"], inputs["treated"], inputs["p"])
    if isinstance(found, stats.Undetermined):
        return {name: found for name in ("qte", "iid", "nid", "ker")}
    return {"qte": found.value, "iid": found.iid, "nid": found.nid, "ker": found.ker}
