"""Posteriors and meta-analysis: quadrature in R, closed forms, metafor."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if method.startswith("beta-binomial"):
        return proportions(inputs)
    if method.startswith("normal-normal"):
        return normal(inputs)
    if method.startswith("random-effects"):
        return meta_analysis(inputs)
    raise Unsupported(f"no method {method!r}")


def proportions(inputs: dict[str, Any]) -> dict[str, Any]:
    """A is control, B the treatment."""
    counts = (inputs[name] for name in ("x_a", "n_a", "x_b", "n_b"))
    found = stats.beta_binomial(*counts, prior=(inputs["prior_alpha"], inputs["prior_beta"]))
    return {
        "p_b_beats_a": found.chance_to_win,
        "loss_choose_b": found.loss_treatment,
        "loss_choose_a": found.loss_control,
        "post_mean_a": found.mean_control,
        "post_mean_b": found.mean_treatment,
        "ci95_a": found.interval_control,
        "ci95_b": found.interval_treatment,
    }


def normal(inputs: dict[str, Any]) -> dict[str, Any]:
    posterior = stats.normal_posterior(
        inputs["est"], inputs["se"], prior_mean=inputs["prior_mean"], prior_sd=inputs["prior_sd"]
    )
    treatment, control = posterior.expected_loss()
    return {
        "post_mean": posterior.mean,
        "post_sd": posterior.sd,
        "chance_to_win": posterior.probability_above(0.0),
        "ci95": posterior.interval(0.95),
        "loss_choose_treatment": treatment,
        "loss_choose_control": control,
        "p_in_rope": posterior.probability_between(*inputs["rope"]),
    }


def meta_analysis(inputs: dict[str, Any]) -> dict[str, Any]:
    found = stats.random_effects(inputs["yi"], inputs["vi"], method=inputs["method"])
    if isinstance(found, stats.Undetermined):
        raise Unsupported(str(found))
    return {
        "mu": found.mu,
        "se": found.se,
        "tau2": found.tau2,
        "Q": found.Q,
        "I2": found.I2,
        "blup": found.shrunk,
    }
