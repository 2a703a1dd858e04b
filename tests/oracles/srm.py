"""Sample ratio mismatch: R's chisq.test and binom.test, the Dirichlet-multinomial by lgamma, savvi, tea-tasting."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "generator" in inputs:
        return first_stop(inputs)
    counts, ratio = inputs["counts"], inputs["ratio"]
    if method in ("z no cc", "z cc"):
        return {"p_value": stats.sample_ratio_test(counts, ratio, method="z", correction=method == "z cc").p_value}
    if method == "binom exact":
        return {"p_value": stats.sample_ratio_test(counts, ratio, method="binomial").p_value}
    if not method.startswith("SRM"):
        raise Unsupported(f"no method {method!r}")
    chi2, g = (stats.sample_ratio_test(counts, ratio, method=name) for name in ("chi2", "g"))
    exact = stats.sample_ratio_test(counts, ratio, method="binomial").p_value if len(counts) == 2 else None
    return {
        "chi2": chi2.statistic,
        "df": chi2.df,
        "p_value": chi2.p_value,
        "G": g.statistic,
        "p_G": g.p_value,
        "p_binom_exact": exact,
        "log_bf_dirichlet_k": {f"k{k}": stats.log_bayes_factor(counts, ratio, k) for k in (1, 100, 1000, 10000)},
        "p_anytime_k100": stats.sequential_sample_ratio([counts], ratio, concentration=100).p_value[-1],
    }


def first_stop(inputs: dict[str, Any]) -> dict[str, Any]:
    """Units one by one, drawn as the case describes: numpy RandomState(seed).multinomial(1, probabilities, size)."""
    described = re.search(r"RandomState\((\d+)\)\.multinomial\(1,\s*\[([^\]]*)\],\s*size=(\d+)\)", inputs["generator"])
    if described is None:
        raise Unsupported(f"no generator {inputs['generator']!r}")
    seed, actual, size = described.groups()
    draw = np.random.RandomState(int(seed)).multinomial(1, [float(p) for p in actual.split(",")], size=int(size))
    found = stats.sequential_sample_ratio(
        draw, inputs["theta0"], concentration=inputs["k"], alpha=inputs["alpha"], cumulative=False
    )
    if found.stopped_at is None:
        return {"stop_n": None, "p_value": found.p_value[-1]}
    return {"stop_n": found.n[found.stopped_at], "p_value": found.p_value[found.stopped_at]}
