"""Proportions: R's prop.test, binom.test and fisher.test, gsDesign, Newcombe's tables, tea-tasting."""

from __future__ import annotations

import math
from typing import Any

from tests.oracles import Unsupported

from paribus import stats

TABLE_TESTS = {
    "barnard": {"method": "barnard"},
    "boschloo": {"method": "boschloo"},
    "fisher": {"method": "fisher"},
    "g-test": {"method": "g"},
    "g-test with Yates": {"method": "g", "correction": True},
    "pearson": {"method": "chi2"},
    "pearson Yates": {"method": "chi2", "correction": True},
    "z pooled cc": {"method": "z", "correction": True},
    "z pooled no cc": {"method": "z"},
    "z unpooled cc": {"method": "z_unpooled", "correction": True},
    "z unpooled no cc": {"method": "z_unpooled"},
}
PUBLISHED_UP_TO = 200  # units in both arms: the examples of Newcombe 1998b, table II, are this small
FISHER_UP_TO = 50_000  # units in both arms: beyond, the cases hold no exact p-value


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "x" in inputs:
        return one_sample(inputs)
    if "delta0" in inputs:
        found = stats.farrington_manning(*table(inputs), null=inputs["delta0"])
        return {"z": found.statistic, "p_value": found.p_value}
    if "x1" in inputs:
        return two_samples(inputs)
    if method in TABLE_TESTS:
        alternative = inputs.get("alternative", "two-sided")
        return {"p_value": stats.proportion_test(*table(inputs), **TABLE_TESTS[method], alternative=alternative).p_value}
    if method.startswith("pooled z CI"):
        _, low, high = stats.risk_ratio_interval(*table(inputs), method="pooled_log")
        return {
            "ci": stats.proportion_difference_interval(*table(inputs), method="pooled"),
            "rel_ci": [low - 1, high - 1],
        }
    raise Unsupported(f"no method {method!r}")


def table(inputs: dict[str, Any]) -> tuple[int, int, int, int]:
    """Successes and units of control and of treatment; where the arms are numbered, 2 is control: p1 - p2."""
    names = ("x2", "n2", "x1", "n1") if "x1" in inputs else ("x_c", "n_c", "x_t", "n_t")
    return tuple(inputs[name] for name in names)


def one_sample(inputs: dict[str, Any]) -> dict[str, Any]:
    methods = ("wilson", "wilson_cc", "clopper_pearson", "agresti_coull", "jeffreys")
    level = inputs["confidence_level"]
    found = {name: stats.proportion_interval(inputs["x"], inputs["n"], level=level, method=name) for name in methods}
    return found | {"jeffreys_raw": found["jeffreys"]}


def two_samples(inputs: dict[str, Any]) -> dict[str, Any]:
    counts, level = table(inputs), inputs["confidence_level"]
    newcombe, score_mn, score_mee, wald = (
        [float(end) for end in stats.proportion_difference_interval(*counts, level=level, method=name)]
        for name in ("newcombe", "miettinen_nurminen", "mee", "wald")
    )
    chi2 = stats.proportion_test(*counts, method="chi2")
    ratio = [float(a) for a in stats.risk_ratio_interval(*counts, level=level, method="katz")]
    units = inputs["n1"] + inputs["n2"]
    return {
        "diff": stats.proportion_difference(*counts, exact_below=0).value,
        "newcombe": newcombe,
        "published_newcombe_4dp": [round(end, 4) for end in newcombe] if units <= PUBLISHED_UP_TO else None,
        "score_mn": score_mn,
        "score_mee": score_mee,
        "wald": wald,
        "chi2": chi2.statistic,
        "p_pooled_z": stats.proportion_test(*counts, method="z").p_value,
        "p_yates": stats.proportion_test(*counts, method="chi2", correction=True).p_value,
        "fisher_p": stats.proportion_test(*counts, method="fisher").p_value if units <= FISHER_UP_TO else None,
        "rr_katz": [None] if math.isnan(ratio[0]) else ratio,
    }
