"""Differences of means and relative lifts: R's t.test, closed forms, Fieller by root-finding."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats

ALTERNATIVES = {"two.sided": "two-sided", "two-sided": "two-sided", "greater": "greater", "less": "less"}


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "n_c" in inputs:
        return summary(inputs)
    control, treatment = (stats.mean(stats.Moments.from_rows(inputs[name], ["y"])) for name in ("control", "treatment"))
    if "non-inferiority" in method or "equivalence" in method:
        return margin(method, inputs, control, treatment)
    if not ("Welch" in method or "student" in method or "pooled" in method):
        raise Unsupported(f"no method {method!r}")
    boundary = stats.Fixed(inputs.get("confidence_level", 0.95), ALTERNATIVES[inputs.get("alternative", "two-sided")])
    found = stats.difference(
        control, treatment, boundary=boundary, null=inputs.get("null_value", 0), pooled="pooled" in method
    )
    return {
        "diff": found.value,
        "t": found.extra["statistic"],
        "df": found.df,
        "p_value": found.p_value,
        "ci": [found.lower, found.upper],
        "se": found.se,
    }


def margin(method: str, inputs: dict[str, Any], control: stats.Arm, treatment: stats.Arm) -> dict[str, Any]:
    boundary = stats.Fixed.at_alpha(inputs.get("alpha", 0.05))
    relative = "relative" in method
    if "equivalence" in method:
        both = stats.equivalence(control, treatment, margin=inputs["margin"], relative=relative, boundary=boundary)
        return {
            "p_value": both.p_value,
            "p_lower": both.extra["p_lower"],
            "p_upper": both.extra["p_upper"],
            "df": both.df,
            "ci": [both.lower, both.upper],
        }
    found = stats.noninferiority(
        control,
        treatment,
        margin=inputs["margin"],
        relative=relative,
        direction="decrease" if "lower is better" in method else "increase",
        boundary=boundary,
    )
    return {
        "t": found.extra["statistic"],
        "df": found.df,
        "p_value": found.p_value,
        "lower_bound": found.lower,
        "upper_bound": found.upper,
        "diff": found.value,
        "se": found.se,
    }


def summary(inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (
        stats.mean(stats.Moments.from_sds(["y"], inputs[f"n_{arm}"], [inputs[f"mean_{arm}"]], [inputs[f"sd_{arm}"]]))
        for arm in ("c", "t")
    )
    boundary = stats.Fixed(inputs.get("confidence_level", 0.95))
    found = stats.difference(control, treatment, boundary=boundary)
    delta, fieller, log = (
        stats.lift(control, treatment, boundary=boundary, method=by, normal=True, negative_baseline="signed")
        for by in ("delta", "fieller", "log")
    )
    return {
        "diff": found.value,
        "se": found.se,
        "df": found.df,
        "t": found.extra["statistic"],
        "p_value": found.p_value,
        "ci": [found.lower, found.upper],
        "rel_lift": delta.value,
        "rel_se_delta": delta.se,
        "rel_ci_delta_z": [delta.lower, delta.upper],
        "rel_ci_fieller_z": [fieller.lower, fieller.upper],
        "log_lift": log.extra["log_lift"],
        "log_lift_se": log.extra["log_lift_se"],
    }
