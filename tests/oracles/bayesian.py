"""Beta-binomial and normal posteriors by quadrature and closed form; metafor's random effects."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats

METAFOR = 1.220703125e-4  # where metafor's search for tau2 stops


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "x_a" in inputs:
        return beta_binomial(inputs)
    if "yi" in inputs:
        found = stats.random_effects(inputs["yi"], inputs["vi"], method=inputs["method"], accuracy=METAFOR)
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
    if "est" in inputs:
        return normal(inputs)
    raise Unsupported(f"no method {method!r}")


def beta_binomial(inputs: dict[str, Any]) -> dict[str, Any]:
    found = stats.beta_binomial(
        *(inputs[name] for name in ("x_a", "n_a", "x_b", "n_b")), prior=(inputs["prior_alpha"], inputs["prior_beta"])
    )
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
    found = stats.normal_posterior(
        inputs["est"], inputs["se"], prior_mean=inputs["prior_mean"], prior_sd=inputs["prior_sd"]
    )
    treatment, control = found.expected_loss()
    answers = {
        "post_mean": found.mean,
        "post_sd": found.sd,
        "chance_to_win": found.probability_above(0.0),
        "ci95": found.interval(0.95),
        "loss_choose_treatment": treatment,
        "loss_choose_control": control,
    }
    if "rope" in inputs:
        answers["p_in_rope"] = found.probability_between(*inputs["rope"])
    return answers
