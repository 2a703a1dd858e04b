"""GrowthBook's statistics engine (growthbook@8f1db44, packages/stats, MIT): literal test values and executed runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats

Comparison = Callable[..., stats.Estimates]


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    inputs = named(method) | inputs
    if "strata" in inputs:
        return poststratified(inputs)
    if "target_mde" in inputs:
        return mid_experiment(method, inputs)
    if "qhat_c" in inputs:
        return quantile_posterior(method, inputs)
    if "quantile_hat" in inputs.get("control", {}):
        return clustered_quantile(inputs)
    if "mu" in inputs and "sigma" in inputs:
        return {"risk": risk(stats.NormalPosterior(np.asarray(inputs["mu"]), np.asarray(inputs["sigma"])))}
    if "counts" in inputs:
        return {"p_value": stats.sample_ratio_test(inputs["counts"], inputs["ratio"]).p_value}
    if "control_post" in inputs:
        return cuped(method, inputs)
    if "gram" in inputs.get("control", {}):
        return ratio(inputs)
    if "m_post" in inputs.get("control", {}):
        return cuped_ratio(method, inputs)
    if "m_post_a" in inputs:
        return declining_baseline(inputs)
    if "x" in inputs and "y" in inputs:
        both = stats.Moments.from_rows(np.column_stack([inputs["y"], inputs["x"]]), ["y", "x"])
        return {"theta": stats.cuped(both, both, theta="total").theta[0]}
    if "posterior" in method or "prior" in method:
        return posterior(method, inputs)
    if "Welch" in method or "CS" in method:
        return answer(arm(inputs, "control"), arm(inputs, "treatment"), method, inputs)
    raise Unsupported(f"no method {method!r}")


def named(method: str) -> dict[str, Any]:
    """The inputs that a method's name carries: the scale of the effect, and a normal prior."""
    scale = re.search(r"\b(abs|absolute|rel|relative)\b", method)
    prior = re.search(r"N\(([-+.\de]+), ?([-+.\de]+) var\)", method)
    found: dict[str, Any] = {}
    if scale:
        found["difference"] = "absolute" if scale[1].startswith("abs") else "relative"
    if prior:
        found |= {"prior_mean": float(prior[1]), "prior_variance": float(prior[2])}
    return found


def arm(inputs: dict[str, Any], which: str) -> stats.Arm:
    """A mean from n, sum and sum of squares, or a proportion from n and sum."""
    given = inputs[which]
    if inputs.get("type") == "proportion" or "sum_squares" not in given:
        return stats.bernoulli(given["n"], given["sum"])
    return stats.mean(stats.Moments.from_sums(["y"], given["n"], [given["sum"]], [[given["sum_squares"]]]))


def tuning(method: str, inputs: dict[str, Any]) -> float | None:
    """n_opt of a confidence sequence, from the inputs or from the method's name; None for a fixed horizon."""
    told = re.search(r"(?:n_opt|tuning)[ =]*(\d+)", method)
    return inputs.get("n_opt", float(told[1]) if told else None)


def compare(inputs: dict[str, Any], **conventions: Any) -> Comparison:
    """Absolute difference, or lift over |control| by the delta method with the p-value on that scale."""
    if inputs.get("difference", "relative") == "absolute":
        return stats.difference
    return partial(stats.lift, method="delta", test="lift", negative_baseline="magnitude", **conventions)


def answer(control: stats.Arm, treatment: stats.Arm, method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    alternative = "less" if "less" in method else "greater" if "one-sided" in method else "two-sided"
    alpha = inputs.get("alpha", 0.05)
    boundary: stats.Boundary = stats.Fixed.at_alpha(alpha, alternative)
    n_opt = tuning(method, inputs)
    if n_opt is not None:
        boundary = stats.AsymptoticSequence.with_error(alpha, n_opt, alternative, burn_in=0)
    found = compare(inputs)(control, treatment, boundary=boundary)
    return {
        "expected": found.value,
        "ci": [found.lower, found.upper],
        "lower": found.lower,
        "upper": found.upper,
        "se": found.se,
        "p_value": found.p_value,
        "p_value_capped": np.minimum(found.p_value, 0.4999),  # GrowthBook shows no one-sided p above .4999
    }


def cuped(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (cuped_moments(inputs, which) for which in ("control", "treatment"))
    adjusted = stats.cuped(control, treatment, theta="total")
    arms = (adjusted.control, adjusted.treatment)
    alpha = inputs.get("alpha", 0.05)
    sequence = stats.AsymptoticSequence.with_error(alpha, tuning(method, inputs) or 5000, burn_in=0)
    comparison = compare(inputs, gradient="unadjusted")
    found = comparison(*arms, boundary=stats.Fixed.at_alpha(alpha))
    sequential = comparison(*arms, boundary=sequence)
    return {
        "theta": adjusted.theta[0],
        "estimate": found.value,
        "se": found.se,
        "ci": [found.lower, found.upper],
        "p_value": found.p_value,
        "seq_ci": [sequential.lower, sequential.upper],
        "seq_p": sequential.p_value,
    }


def cuped_moments(inputs: dict[str, Any], which: str) -> stats.Moments:
    post, pre, product = inputs[f"{which}_post"], inputs[f"{which}_pre"], inputs[f"{which}_xy"]
    products = [[post["sum_squares"], product], [product, pre["sum_squares"]]]
    return stats.Moments.from_sums(["y", "x"], post["n"], [post["sum"], pre["sum"]], products)


NAMES = ["m", "d", "m_pre", "d_pre"]
POST: stats.Outcome = ("m", "d")
PRE: stats.Outcome = ("m_pre", "d_pre")


def ratio(inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (
        stats.Moments.from_sums(
            NAMES, given["n"], [given["sum"][name] for name in ("m", "d", "mp", "dp")], given["gram"]
        )
        for given in (inputs["control"], inputs["treatment"])
    )
    adjusted = stats.cuped(control, treatment, POST, [PRE], theta="mean_of_arms")
    boundary = stats.Fixed.at_alpha(inputs.get("alpha", 0.05))
    answers: dict[str, Any] = {"theta": adjusted.theta[0]}
    pairs = {
        "cuped": (adjusted.control, adjusted.treatment),
        "plain": (adjusted.control.unadjusted, adjusted.treatment.unadjusted),
    }
    for name, arms in pairs.items():
        found = compare(inputs)(*arms, boundary=boundary)
        answers[name] = {
            "estimate": found.value,
            "se": found.se,
            "ci": [found.lower, found.upper],
            "p_value": found.p_value,
        }
    return answers


def cuped_ratio(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (ratio_moments(inputs[which]) for which in ("control", "treatment"))
    adjusted = stats.cuped(control, treatment, POST, [PRE], theta="mean_of_arms")
    return answer(adjusted.control, adjusted.treatment, method, inputs)


def ratio_moments(given: dict[str, Any]) -> stats.Moments:
    """Moments from [sum, sum of squares] of each column and the sums of products."""
    columns = ["m_post", "d_post", "m_pre", "d_pre"]

    def product(a: str, b: str) -> float:
        return given[a][1] if a == b else given.get(f"{a}_{b}", given.get(f"{b}_{a}"))

    products = [[product(a, b) for b in columns] for a in columns]
    return stats.Moments.from_sums(NAMES, given["n"], [given[name][0] for name in columns], products)


def declining_baseline(inputs: dict[str, Any]) -> dict[str, Any]:
    columns = {"m": "m_post", "d": "d_post", "m_pre": "m_pre", "d_pre": "d_pre"}

    def lifted(sign: int) -> stats.Estimates:
        arms = [
            stats.Moments.from_rows(
                np.column_stack(
                    [np.multiply(sign if name.startswith("m") else 1, inputs[f"{columns[name]}_{x}"]) for name in NAMES]
                ),
                NAMES,
            )
            for x in ("a", "b")
        ]
        adjusted = stats.cuped(*arms, POST, [PRE], theta=[inputs["theta"]])
        return compare(inputs)(adjusted.control, adjusted.treatment)

    found, negated = lifted(1), lifted(-1)
    return {
        "lift": found.value,
        "se": found.se,
        "lift_if_numerators_negated": negated.value,
        "se_if_numerators_negated": negated.se,
    }


def poststratified(inputs: dict[str, Any]) -> dict[str, Any]:
    is_ratio = "m_statistic" in inputs["strata"][0]["control"]
    arms = [
        stats.Moments.stack([stratum_moments(s[which]) for s in inputs["strata"]]) for which in ("control", "treatment")
    ]
    found = stats.poststratified(*arms, ("m", "d") if is_ratio else "y", scale=inputs.get("difference", "relative"))
    return {"estimate": found.value, "se": found.se}


def stratum_moments(given: dict[str, Any]) -> stats.Moments:
    if "m_statistic" not in given:
        return stats.Moments.from_sums(["y"], given["n"], [given["sum"]], [[given["sum_squares"]]])
    m, d, product = given["m_statistic"], given["d_statistic"], given["m_d_sum_of_products"]
    products = [[m["sum_squares"], product], [product, d["sum_squares"]]]
    return stats.Moments.from_sums(["m", "d"], given["n"], [m["sum"], d["sum"]], products)


def mid_experiment(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = arm(inputs, "control"), arm(inputs, "treatment")
    now = compare(inputs)(control, treatment)
    prior = (inputs["prior_mean"], inputs["prior_variance"]) if "prior_variance" in inputs else None
    factor = stats.additional_units_factor(
        float(now.se),
        inputs["target_mde"],
        power=inputs.get("power", 0.8),
        alpha=inputs.get("alpha", 0.05),
        n=[control.n, treatment.n],
        n_opt=tuning(method, inputs),
        prior=prior,
    )
    return {"scaling_factor": factor}


def posterior(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = arm(inputs, "control"), arm(inputs, "treatment")
    found = compare(inputs)(control, treatment)
    is_absolute = inputs.get("difference", "relative") == "absolute"
    return posterior_answer(method, inputs, found, control.value if is_absolute else 1.0)


def posterior_answer(method: str, inputs: dict[str, Any], found: stats.Estimates, baseline: Any) -> dict[str, Any]:
    """The posterior of an effect under a prior of the lift; `baseline` brings it to the scale of a difference."""
    spread = re.search(r"prior var ([\d.e+-]+)", method)
    variance = inputs.get("prior_variance", float(spread[1]) if spread else np.inf)
    effect = stats.normal_posterior(
        found.value,
        found.se,
        prior_mean=inputs.get("prior_mean", 0.0),
        prior_variance=variance,
        baseline=baseline,
    )
    return {
        "expected": effect.mean,
        "ci": effect.interval(stats.Fixed.at_alpha(inputs.get("alpha", 0.05)).level),
        "chance_to_win": effect.probability_above(0),
        "risk": risk(effect),
    }


def risk(effect: stats.NormalPosterior) -> list[Any]:
    """Expected loss of control, then of treatment."""
    treatment, control = effect.expected_loss()
    return [control, treatment]


def quantile_posterior(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    arms = [
        stats.quantile_arm(inputs[f"n_{x}"], inputs[f"qhat_{x}"], inputs[f"ql_{x}"], inputs[f"qu_{x}"])
        for x in ("c", "t")
    ]
    is_relative = "relative" in method
    found = stats.quantile_difference(*arms, relative=is_relative)
    return posterior_answer(method, inputs, found, 1.0 if is_relative else arms[0].value)


def clustered_quantile(inputs: dict[str, Any]) -> dict[str, Any]:
    control, treatment = (clustered_quantile_arm(inputs[which]) for which in ("control", "treatment"))
    comparison = compare({"difference": inputs.get("difference", "absolute")})
    found = comparison(control, treatment, boundary=stats.Fixed.at_alpha(inputs.get("alpha", 0.05)))
    return {
        "var_c": control.var,
        "var_t": treatment.var,
        "estimate": found.value,
        "se": found.se,
        "ci": [found.lower, found.upper],
        "p_value": found.p_value,
    }


def clustered_quantile_arm(given: dict[str, Any]) -> stats.Arm:
    rows = stats.quantile_arm(
        given["n"], given["quantile_hat"], given["quantile_lower"], given["quantile_upper"], n_ranked=given["n_star"]
    )
    product = given["main_denominator_sum_product"]
    products = [[given["main_sum_squares"], product], [product, given["denominator_sum_squares"]]]
    sums = [given["main_sum"], given["denominator_sum"]]
    units = stats.Moments.from_sums(["below", "rows"], given["n_clusters"], sums, products)
    below = stats.ratio(units, "below", "rows")
    return stats.clustered_quantile_arm(rows, given["nu"], below, degrees_of_freedom="rows")
