"""Ratios of sums: R survey::svyratio, and executed tea-tasting (with CUPED)."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "control_num" in inputs:
        return plain_ratio(inputs)
    if "cov" in inputs.get("control", {}):
        return tea_tasting(inputs)
    raise Unsupported(f"no method {method!r}")


def plain_ratio(inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (
        stats.ratio(
            stats.Moments.from_rows(list(zip(inputs[f"{arm}_num"], inputs[f"{arm}_den"], strict=True)), ["y", "d"]),
            "y",
            "d",
        )
        for arm in ("control", "treatment")
    )
    boundary = stats.Fixed(inputs.get("confidence_level", 0.95))
    found = stats.difference(control, treatment, boundary=boundary, normal=True)
    relative = stats.lift(
        control, treatment, boundary=boundary, method="delta", normal=True, negative_baseline="signed"
    )
    return {
        "ratio_c": control.value,
        "se_c": control.se,
        "ratio_t": treatment.value,
        "se_t": treatment.se,
        "diff": found.value,
        "se_diff": found.se,
        "z": found.extra["statistic"],
        "p_value": found.p_value,
        "ci": [found.lower, found.upper],
        "rel_lift": relative.value,
        "rel_se": relative.se,
    }


def tea_tasting(inputs: dict[str, Any]) -> dict[str, Any]:
    names = ["m", "d", "m_pre", "d_pre"]
    control, treatment = (
        stats.Moments.from_covariance(names, inputs[arm]["n"], inputs[arm]["mean"], inputs[arm]["cov"])
        for arm in ("control", "treatment")
    )
    outcomes: dict[str, tuple[stats.Outcome, list[stats.Outcome]]] = {
        "mean": ("m", []),
        "mean_cuped": ("m", ["m_pre"]),
        "ratio": (("m", "d"), []),
        "ratio_cuped": (("m", "d"), [("m_pre", "d_pre")]),
    }
    return {name: compared(control, treatment, inputs, *pair) for name, pair in outcomes.items()}


def compared(
    control: stats.Moments,
    treatment: stats.Moments,
    inputs: dict[str, Any],
    what: stats.Outcome,
    covariates: list[stats.Outcome],
) -> dict[str, Any]:
    adjusted = stats.cuped(control, treatment, what, covariates, theta="total")
    options: dict[str, Any] = {
        "boundary": stats.Fixed(inputs.get("confidence_level", 0.95), inputs.get("alternative", "two-sided")),
        "pooled": inputs.get("equal_var", False),
        "normal": not inputs.get("use_t", True),
    }
    found = stats.difference(adjusted.control, adjusted.treatment, **options)
    relative = stats.lift(adjusted.control, adjusted.treatment, method="log", baseline="adjusted", **options)
    return {
        "effect": found.value,
        "ci": [found.lower, found.upper],
        "rel": relative.value,
        "rel_ci": [relative.lower, relative.upper],
        "p_value": found.p_value,
        "control": adjusted.control.value,
        "treatment": adjusted.treatment.value,
    }
