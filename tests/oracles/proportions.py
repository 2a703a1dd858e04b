"""Proportions: R's prop.test, binom.test and fisher.test, Newcombe's tables, gsDesign, tea-tasting's tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats

ONE_SAMPLE = {
    "wilson": "wilson",
    "wilson_cc": "wilson_cc",
    "clopper_pearson": "clopper_pearson",
    "agresti_coull": "agresti_coull",
    "jeffreys_raw": "jeffreys",
}
# The first word of a method's name, and the test it is.
TESTS = {
    "barnard": "barnard",
    "boschloo": "boschloo",
    "fisher": "fisher",
    "g-test": "g",
    "pearson": "chi2",
    "z pooled": "z",
    "z unpooled": "z_unpooled",
}
# The examples (a) to (h) of Newcombe's 1998 table II, as x1, n1, x2, n2; R computed Fisher's test up to 50,000 units.
PUBLISHED = {
    (56, 70, 48, 80),
    (9, 10, 3, 10),
    (6, 7, 2, 7),
    (5, 56, 0, 29),
    (0, 10, 0, 20),
    (0, 10, 0, 10),
    (10, 10, 0, 20),
    (10, 10, 0, 10),
}
LARGEST_EXACT = 50_000


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "delta0" in inputs:
        found = stats.farrington_manning(
            *(inputs[name] for name in ("x2", "n2", "x1", "n1")),
            null=inputs["delta0"],
            alternative="less" if ">=" in method else "greater",
        )
        return {"z": found.statistic, "p_value": found.p_value}
    if "x" in inputs:
        return one_sample(inputs)
    if "x1" in inputs:
        return two_samples(inputs)
    table = [inputs[name] for name in ("x_c", "n_c", "x_t", "n_t")]
    if "CI" in method:
        level = inputs.get("confidence_level", 0.95)
        _, lower, upper = lift_by_pooled_log(table, level)
        return {
            "ci": stats.proportion_difference_interval(*table, level=level, method="pooled"),
            "rel_ci": [lower, upper],
        }
    name = next((test for start, test in TESTS.items() if method.startswith(start)), None)
    if name is None:
        raise Unsupported(f"no method {method!r}")
    correction = method.endswith(("cc", "Yates")) and not method.endswith(("no cc", "no Yates"))
    alternative = inputs.get("alternative", "two-sided")
    found = stats.proportion_test(*table, method=name, correction=correction, alternative=alternative)
    return {"p_value": found.p_value}


def lift_by_pooled_log(table: list[int], level: float) -> tuple[Any, Any, Any]:
    return stats.risk_ratio_interval(*table, level=level, method="pooled_log", as_lift=True)


def one_sample(inputs: dict[str, Any]) -> dict[str, Any]:
    level = inputs.get("confidence_level", 0.95)
    return {
        key: stats.proportion_interval(inputs["x"], inputs["n"], level=level, method=method)
        for key, method in ONE_SAMPLE.items()
    }


def two_samples(inputs: dict[str, Any]) -> dict[str, Any]:
    level = inputs.get("confidence_level", 0.95)
    table = [inputs[name] for name in ("x2", "n2", "x1", "n1")]  # the difference is p1 - p2
    units = max(inputs["n1"], inputs["n2"])
    is_published = tuple(inputs[name] for name in ("x1", "n1", "x2", "n2")) in PUBLISHED
    newcombe = stats.proportion_difference_interval(*table, level=level, method="newcombe")
    ratio = stats.risk_ratio_interval(*table, level=level, method="katz")
    pearson = stats.proportion_test(*table, method="chi2")
    return {
        "diff": stats.proportion_difference(*table, level=level).value,
        "newcombe": newcombe,
        "published_newcombe_4dp": [np.round(end, 4) for end in newcombe] if is_published else None,
        "score_mn": stats.proportion_difference_interval(*table, level=level, method="miettinen_nurminen"),
        "score_mee": stats.proportion_difference_interval(*table, level=level, method="mee"),
        "wald": stats.proportion_difference_interval(*table, level=level, method="wald"),
        "chi2": pearson.statistic,
        "p_pooled_z": stats.proportion_test(*table, method="z").p_value,
        "p_yates": stats.proportion_test(*table, method="chi2", correction=True).p_value,
        "fisher_p": stats.proportion_test(*table, method="fisher").p_value if units <= LARGEST_EXACT else None,
        "rr_katz": ratio if np.isfinite(ratio[0]) else [None],
    }
