"""Sample ratio tests: R's chisq.test and binom.test, Lindon and Malek's sequential test, tea-tasting's tests."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats

CONCENTRATIONS = (1, 100, 1000, 10000)
GENERATOR = re.compile(r"RandomState\((\d+)\)\.multinomial\(1, ?(\[[^]]*\]), ?size=(\d+)\)")


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "generator" in inputs:
        return sequential(inputs)
    counts, ratio = inputs["counts"], inputs["ratio"]
    if method.startswith("SRM"):
        return everything(counts, ratio)
    if method.startswith("z "):
        return {"p_value": stats.sample_ratio_test(counts, ratio, method="z", correction="no cc" not in method).p_value}
    for name, test in (("binom", "binomial"), ("chi2", "chi2"), ("G", "g")):
        if method.startswith(name):
            return {"p_value": stats.sample_ratio_test(counts, ratio, method=test).p_value}
    raise Unsupported(f"no method {method!r}")


def everything(counts: list[int], ratio: list[float]) -> dict[str, Any]:
    pearson = stats.sample_ratio_test(counts, ratio)
    likelihood = stats.sample_ratio_test(counts, ratio, method="g")
    return {
        "chi2": pearson.statistic,
        "df": pearson.df,
        "p_value": pearson.p_value,
        "G": likelihood.statistic,
        "p_G": likelihood.p_value,
        "p_binom_exact": (
            stats.sample_ratio_test(counts, ratio, method="binomial").p_value if len(counts) == 2 else None
        ),
        "log_bf_dirichlet_k": {f"k{k}": stats.log_bayes_factor(counts, ratio, k) for k in CONCENTRATIONS},
        "p_anytime_k100": stats.sequential_sample_ratio(counts, ratio, concentration=100).p_value[-1],
    }


def sequential(inputs: dict[str, Any]) -> dict[str, Any]:
    found = GENERATOR.search(inputs["generator"])
    if not found:
        raise Unsupported(f"no generator {inputs['generator']!r}")
    seed, probabilities, size = (literal_eval(part) for part in found.groups())
    units = np.random.RandomState(seed).multinomial(1, probabilities, size=size)
    test = stats.sequential_sample_ratio(
        units, inputs["theta0"], concentration=inputs["k"], alpha=inputs["alpha"], cumulative=False
    )
    if test.stopped_at is None:
        return {"stop_n": None, "p_value": test.p_value[-1]}
    return {"stop_n": test.n[test.stopped_at], "p_value": test.p_value[test.stopped_at]}
