"""Power cases: R's power.* functions, pwr, rpact, tea-tasting, G*Power, closed forms."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.oracles import Unsupported
from tests.oracles.group_sequential import RULES

from paribus.stats.estimate import Alternative
from paribus.stats.group_sequential import group_sequential_design
from paribus.stats.metric_power import MetricVariance, metric_variance, power_relative, sample_size_relative
from paribus.stats.power import power_means, sample_size_means, sample_size_non_inferiority
from paribus.stats.prior_power import assurance, expected_power, power_upward
from paribus.stats.proportion_power import sample_size_proportions
from paribus.stats.sequential_power import sample_size_sequential


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    for start, answer in METHODS.items():
        if method.startswith(start):
            return answer(inputs)
    raise Unsupported(f"no function for {method!r}")


def alternative(inputs: dict[str, Any], *, decrease: bool = False) -> Alternative:
    one_sided: Alternative = "less" if decrease else "greater"
    return one_sided if inputs.get("sided", 2) == 1 else "two-sided"


def means(inputs: dict[str, Any]) -> dict[str, Any]:
    sides = alternative(inputs, decrease=inputs["delta"] < 0)
    options = {"power": inputs["power"], "alpha": inputs["alpha"], "alternative": sides}
    exact = sample_size_means(inputs["delta"], inputs["sd"], reference="t", **options)
    approximate = sample_size_means(inputs["delta"], inputs["sd"], reference="z", **options)
    return {"n_t": exact.control, "n_z": approximate.control, "n_t_ceil": exact.whole.control}


def power_given_n(inputs: dict[str, Any]) -> dict[str, Any]:
    n, alpha, sides = inputs["n_per_arm"], inputs["alpha"], alternative(inputs, decrease=inputs["delta"] < 0)
    return {"power_t": power_means(inputs["delta"], inputs["sd"], n, alpha=alpha, alternative=sides)}


def proportions(inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        key: sample_size_proportions(
            inputs["p1"],
            inputs["p2"],
            test=test,
            power=inputs["power"],
            alpha=inputs["alpha"],
            alternative=alternative(inputs, decrease=inputs["p2"] < inputs["p1"]),
        ).control
        for key, test in {
            "n_pooled": "pooled",
            "n_unpooled": "unpooled",
            "n_arcsine": "arcsine",
            "n_evanmiller": "evan-miller",
        }.items()
    }


def proportions_total(inputs: dict[str, Any]) -> dict[str, Any]:
    size = sample_size_proportions(
        inputs["p"],
        effect=inputs["abs_mde"],
        power=inputs["power"],
        alpha=inputs["alpha"],
        alternative=alternative(inputs, decrease=inputs["abs_mde"] < 0),
    )
    return {"n_total": size.total}


def means_total(inputs: dict[str, Any]) -> dict[str, Any]:
    # Relative to a value of one, the absolute effect is the relative one.
    size = sample_size_relative(
        MetricVariance(1.0, inputs["variance"]),
        inputs["abs_mde"],
        power=inputs["power"],
        alpha=inputs["alpha"],
        alternative=alternative(inputs),
    )
    return {"n_total": size.total}


def unequal(inputs: dict[str, Any]) -> dict[str, Any]:
    size = sample_size_means(
        inputs["delta"],
        inputs["sd"],
        power=inputs["power"],
        alpha=inputs["alpha"],
        alternative=alternative(inputs),
        ratio=inputs["ratio_t_over_c"],
        reference="z",
    )
    return {"n_control": size.control, "n_treatment": size.treatment}


def non_inferiority(inputs: dict[str, Any]) -> dict[str, Any]:
    size = sample_size_non_inferiority(
        inputs["margin"], inputs["sd"], alpha=inputs["alpha_one_sided"], power=inputs["power"]
    )
    return {"n_total": size.total}


def group_sequential_means(inputs: dict[str, Any]) -> dict[str, Any]:
    plan = group_sequential_design(
        RULES[inputs["type"]](inputs),
        looks=inputs["K"],
        alpha=inputs["alpha"],
        sides=inputs["sided"],
        power=inputs["power"],
    )
    size = sample_size_sequential(plan, inputs["delta"], inputs["sd"])
    return {
        "n_max_total": size.maximum.total,
        "n_expected_h1": size.expected_h1,
        "n_expected_h0": size.expected_h0,
    }


def assured(inputs: dict[str, Any]) -> dict[str, Any]:
    prior, se, alpha = (inputs["prior_mean"], inputs["prior_sd"]), inputs["se"], inputs["alpha"]

    return {
        "assurance": assurance(*prior, se, alpha=alpha),
        "mc_check": expected_power(partial(power_upward, se=se, alpha=alpha), *prior),
    }


def relative(inputs: dict[str, Any]) -> dict[str, Any]:
    mean, cov = inputs["mean"], inputs["cov"]
    plain = metric_variance(mean, cov, numerator=0)
    adjusted = metric_variance(mean, cov, numerator=0, denominator=1, covariates=[(2, 3)])
    effect, n, alpha, power = (inputs[key] for key in ("rel_effect", "n_obs_for_power", "alpha", "power"))
    return {
        "mean": power_relative(plain, effect, n, alpha=alpha),
        "ratio_cuped": power_relative(adjusted, effect, n, alpha=alpha),
        "mean_n_obs_80": sample_size_relative(plain, effect, alpha=alpha, power=power).total,
        "ratio_cuped_n_obs_80": sample_size_relative(adjusted, effect, alpha=alpha, power=power).total,
    }


METHODS: dict[str, Any] = {
    "two-sample means sample size per arm": means,
    "power given n": power_given_n,
    "two proportions n per arm": proportions,
    "two proportions total n": proportions_total,
    "two-sample means, total n": means_total,
    "unequal allocation": unequal,
    "non-inferiority sample size": non_inferiority,
    "group-sequential sample size means": group_sequential_means,
    "Bayesian assurance": assured,
    "power / total n for relative effect": relative,
}
