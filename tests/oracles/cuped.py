"""Covariate adjustment and post-stratification: R lm, sandwich, estimatr."""

from __future__ import annotations

from typing import Any

import numpy as np

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    return stratified(inputs) if "stratum" in inputs else adjusted(inputs)


def by_arm(inputs: dict[str, Any], *columns: str) -> list[stats.Moments]:
    """Moments of the columns, control first."""
    rows = np.column_stack([inputs[name] for name in columns])
    treated = np.asarray(inputs["treated"]).astype(bool)
    return [stats.Moments.from_rows(rows[arm], list(columns)) for arm in (~treated, treated)]


def adjusted(inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = by_arm(inputs, "y", "x")
    y, x, treated = inputs["y"], inputs["x"], inputs["treated"]
    per_arm = stats.lin(control, treatment)
    plain = stats.difference(stats.mean(control, "y"), stats.mean(treatment, "y"))
    answers: dict[str, Any] = {
        "theta_control": per_arm.theta[0, 0],
        "theta_treatment": per_arm.theta[1, 0],
        "unadjusted_diff": plain.value,
        "lin_est": stats.lin_regression(y, treated, x).coef[1],
        "lin_se_hc2": stats.lin_regression(y, treated, x).se[1],
        "ancova_est": stats.ancova(y, treated, x).coef[1],
        "ancova_se_classical": stats.ancova(y, treated, x, covariance="classical").se[1],
        "ancova_se_hc": {hc: stats.ancova(y, treated, x, covariance=hc).se[1] for hc in ("HC0", "HC1", "HC2", "HC3")},
    }
    for convention in ("pooled_within", "total"):
        arms = stats.cuped(control, treatment, theta=convention, small_sample=False)
        found = stats.difference(arms.control, arms.treatment)
        answers[f"theta_{convention}"] = arms.theta[0]
        answers[f"cuped_{convention}"] = {
            "theta": arms.theta[0],
            "adj_diff": found.value,
            "se": found.se,
            "df": found.df,
            "p_value": found.p_value,
        }
    if "w" in inputs:
        two = stats.lin_regression(y, treated, np.column_stack([x, inputs["w"]]))
        answers |= {"lin2_est": two.coef[1], "lin2_se_hc2": two.se[1]}
    return answers


def stratified(inputs: dict[str, Any]) -> dict[str, Any]:
    y, treated, stratum = (np.asarray(inputs[name]) for name in ("y", "treated", "stratum"))
    arms = [
        stats.Moments.stack(
            [stats.Moments.from_rows(y[(treated == arm) & (stratum == level)], ["y"]) for level in np.unique(stratum)]
        )
        for arm in (0, 1)
    ]
    found = stats.difference(*(stats.mean(arm) for arm in stats.poststratify(*arms)))
    plain = stats.difference(*(stats.mean(arm.total()) for arm in arms))
    interacted = stats.lin_regression(y, treated, stats.indicators(stratum))
    return {
        "est": found.value,
        "se_within_stratum": found.se,
        "lin_hc2_se": interacted.se[1],
        "naive_diff": plain.value,
    }
