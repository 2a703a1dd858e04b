"""Always-valid cases: confseq, asymptotic sequences, mSPRT, anytime-valid regression, Evan Miller, Statsig."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus.stats import confseq
from paribus.stats.anytime import (
    AsymptoticSequence,
    MixtureSPRT,
    anytime_t_log_e,
    anytime_t_p_value,
    anytime_t_radius,
    best_g,
    statsig_critical_value,
)
from paribus.stats.anytime_linear import anytime_lin
from paribus.stats.evalues import random_walk_crossing
from paribus.stats.reading import read


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    for start, answer in METHODS.items():
        if method.startswith(start):
            return answer(**inputs)
    raise Unsupported(f"no function for {method!r}")


def asymptotic_sequence(estimate: float, se: float, n: float, n_opt: float, alpha: float) -> dict[str, Any]:
    sequence = AsymptoticSequence.with_error(alpha, n_opt, burn_in=0)
    one_sided = AsymptoticSequence.with_error(alpha, n_opt, "greater", burn_in=0)
    found = read(estimate, sequence, se=se, n=n).at()
    return {
        "rho": sequence.rho,
        "halfwidth": sequence.radius(se, n, np.inf),
        "ci": [found.lower, found.upper],
        "log_e": sequence.log_e(estimate, se, n),
        "p_value": found.p_value,
        "rho_one_sided": one_sided.rho,
        "halfwidth_one_sided": one_sided.radius(se, n, np.inf),
    }


def mixture_sprt(diff: float, var_diff: float, tau: float, alpha: float) -> dict[str, Any]:
    rule = MixtureSPRT.with_error(alpha, tau, burn_in=0)
    found = read(diff, rule, variance=var_diff).at()
    return {
        "log_lambda": rule.log_e(found.value, found.se),
        "p_value": found.p_value,
        "ci_halfwidth": rule.radius(found.se, np.inf, np.inf),
    }


def anytime_t(t: float, n: float, n_coef: int, g: float, alpha: float) -> dict[str, Any]:
    return {
        "log_e": anytime_t_log_e(t, n, g, n_coef=n_coef),
        "p_value": anytime_t_p_value(t, n, g, n_coef=n_coef),
        "radius_in_se": anytime_t_radius(n, g, alpha, n_coef=n_coef),
    }


def regression(y: Any, trt: Any, X: Any, g: Any = None, g_value: Any = None) -> dict[str, Any]:
    covariates = np.asarray(X, dtype=np.float64)
    rows = covariates if len(covariates) == len(y) else covariates.T
    fit = anytime_lin(y, trt, rows, center=False)
    given = [value for value in (g_value, g) if isinstance(value, int | float)]
    prior = given[0] if given else best_g(len(y), n_coef=len(fit.names))
    fit = anytime_lin(y, trt, rows, g=prior, center=False)
    at = fit.position("trt")
    return {
        "coef_names": list(fit.names),
        "coef": fit.coef,
        "se": fit.se,
        "ci_lower": fit.lower,
        "ci_upper": fit.upper,
        "p": fit.p_value,
        "published_trt_ci": [fit.lower[at], fit.upper[at]],
        "published_trt_p": fit.p_value[at],
    }


def sided(inputs: dict[str, Any], one_sided: bool) -> dict[str, Any]:
    """The inputs of a mixture in our argument names; `is_one_sided` wins over what the method's name says."""
    renamed = {key: value for key, value in inputs.items() if key != "is_one_sided"}
    return renamed | {"one_sided": bool(inputs.get("is_one_sided", one_sided))}


def best_rho(v_opt: float, alpha_opt: float = 0.05) -> dict[str, Any]:
    return {"rho": confseq.best_rho(v_opt, alpha_opt)}


def best_rho_one_sided(v_opt: float, alpha_opt: float = 0.05) -> dict[str, Any]:
    return {"rho": confseq.best_rho(v_opt, alpha_opt, one_sided=True)}


def quantile_ab(p: float, offset: int) -> dict[str, Any]:
    control, treatment = range(1000), range(offset, 1_000_000)[:1000]
    return {"value": confseq.quantile_ab_p_value(control, treatment, p, t_opt=100, alpha_opt=0.05)}


def value(function: Any, one_sided: bool | None = None) -> Any:
    def answer(**inputs: Any) -> dict[str, Any]:
        return {"value": function(**(inputs if one_sided is None else sided(inputs, one_sided)))}

    return answer


METHODS: dict[str, Any] = {
    "asymptotic confidence sequence": asymptotic_sequence,
    "mSPRT normal mixture": mixture_sprt,
    "anytime-valid t-test": anytime_t,
    "anytime-valid linear regression": regression,
    "Robbins two-sided normal mixture best rho": best_rho,
    "one-sided normal mixture best rho": best_rho_one_sided,
    "two_sided_normal_log_mixture": value(confseq.normal_log_mixture, False),
    "one_sided_normal_log_mixture": value(confseq.normal_log_mixture, True),
    "normal_mixture_bound_two_sided": value(confseq.normal_mixture_bound, False),
    "normal_mixture_bound_one_sided": value(confseq.normal_mixture_bound, True),
    "gamma_exponential_log_mixture": value(confseq.gamma_exponential_log_mixture),
    "gamma_exponential_mixture_bound": value(confseq.gamma_exponential_mixture_bound),
    "gamma_poisson_log_mixture": value(confseq.gamma_poisson_log_mixture),
    "gamma_poisson_mixture_bound": value(confseq.gamma_poisson_mixture_bound),
    "beta_binomial_log_mixture_two_sided": value(confseq.beta_binomial_log_mixture, False),
    "beta_binomial_log_mixture": value(confseq.beta_binomial_log_mixture, True),
    "beta_binomial_mixture_bound_two_sided": value(confseq.beta_binomial_mixture_bound, False),
    "beta_binomial_mixture_bound": value(confseq.beta_binomial_mixture_bound, True),
    "poly_stitching_bound": value(confseq.poly_stitching_bound),
    "double_stitching_bound": value(confseq.double_stitching_bound),
    "empirical_process_lil_bound": value(confseq.empirical_process_lil_bound),
    "bernoulli_confidence_interval": value(confseq.bernoulli_confidence_interval),
    "quantile_ab_p_value": quantile_ab,
    "Evan Miller simple sequential": lambda N, barrier: {"type1": random_walk_crossing(N, barrier)},
    "Statsig documented": lambda n_total, alpha: {"z_star": statsig_critical_value(n_total, alpha)},
}
