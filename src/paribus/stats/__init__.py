"""Numbers in, numbers out: effects with their uncertainty, from moments.

Every public name is imported from its module when first used (PEP 562), so `import paribus.stats` loads numpy and
nothing heavier. `_EXPORTS` is the table of contents: public name to module. No name may equal that of a module here:
Python would set the module in its place.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from paribus.errors import did_you_mean
from paribus.stats.numpy_parts import load_when_used

load_when_used()

_EXPORTS: dict[str, str] = {
    # results
    "Alternative": "estimate",
    "Estimate": "estimate",
    "Estimates": "estimate",
    "Reason": "estimate",
    "Undetermined": "estimate",
    "estimates": "estimate",
    # data as moments
    "Moments": "moments",
    # intervals and p-values
    "Boundary": "boundary",
    "Fixed": "boundary",
    "bounded": "boundary",
    "one_sided": "boundary",
    # arms and their comparison
    "Arm": "arm",
    "Outcome": "arm",
    "bernoulli": "arm",
    "difference": "arm",
    "linearize": "arm",
    "mean": "arm",
    "outcome": "arm",
    "ratio": "arm",
    "lift": "relative",
    "equivalence": "margin",
    "margin_p_value": "margin",
    "noninferiority": "margin",
    # covariates and strata
    "Adjusted": "adjustment",
    "cuped": "adjustment",
    "lin": "adjustment",
    "hajek": "stratify",
    "poststratified": "stratify",
    "poststratify": "stratify",
    "Heterogeneity": "interactions",
    "cochran": "interactions",
    "heterogeneity": "interactions",
    "interaction": "interactions",
    # where methods hold
    "DOMAINS": "domain",
    "Domain": "domain",
    "asymmetry": "domain",
    "domain_of": "domain",
    "outside": "domain",
    "pooled_skewness": "domain",
    "within_domain": "domain",
    # clusters and rows
    "ClusterSums": "cluster",
    "cluster_arm": "cluster",
    "cluster_difference": "cluster",
    "crossed_arms": "cluster",
    "Regression": "regression",
    "ancova": "regression",
    "indicators": "regression",
    "lin_regression": "regression",
    "ols": "regression",
    "Limits": "limits",
    "percentile_limits": "limits",
    "winsorize": "limits",
    # group-sequential designs
    "Spending": "spending",
    "SpendingFamily": "spending",
    "exit_probabilities": "integration",
    "GroupSequentialDesign": "group_sequential",
    "OBRIEN_FLEMING": "spending",
    "POCOCK": "spending",
    "WangTsiatis": "spending",
    "actual_looks": "group_sequential",
    "equal_information": "group_sequential",
    "group_sequential_design": "group_sequential",
    "peeking_error": "group_sequential",
    "GroupSequentialLook": "gsd_inference",
    "StoppedEstimate": "gsd_inference",
    "arms_by_look": "gsd_inference",
    "conditional_power": "gsd_inference",
    "information_of_means": "gsd_inference",
    "repeated_p_value": "gsd_inference",
    "stopped_estimate": "gsd_inference",
    "watched_design": "gsd_inference",
    "without_futility": "gsd_inference",
    # anytime-valid boundaries
    "AnytimeT": "anytime",
    "AsymptoticSequence": "anytime",
    "MixtureSPRT": "anytime",
    "anytime_t_log_e": "anytime",
    "anytime_t_p_value": "anytime",
    "anytime_t_radius": "anytime",
    "best_g": "anytime",
    "running_intersection": "anytime",
    "running_minimum": "anytime",
    "statsig_critical_value": "anytime",
    "tuned_rho": "anytime",
    "AnytimeRegression": "anytime_linear",
    "anytime_lin": "anytime_linear",
    "anytime_lin_from_moments": "anytime_linear",
    "anytime_regression": "anytime_linear",
    # uniform boundaries for sums
    "bernoulli_confidence_interval": "confseq",
    "best_rho": "confseq",
    "beta_binomial_log_mixture": "confseq",
    "beta_binomial_mixture_bound": "confseq",
    "double_stitching_bound": "confseq",
    "empirical_process_lil_bound": "confseq",
    "gamma_exponential_log_mixture": "confseq",
    "gamma_exponential_mixture_bound": "confseq",
    "gamma_poisson_log_mixture": "confseq",
    "gamma_poisson_mixture_bound": "confseq",
    "normal_log_mixture": "confseq",
    "normal_mixture_bound": "confseq",
    "poly_stitching_bound": "confseq",
    "quantile_ab_p_value": "confseq",
    # e-values
    "EBH": "evalues",
    "e_average": "evalues",
    "e_bh": "evalues",
    "e_product": "evalues",
    "e_to_p": "evalues",
    "error_rates_log_e": "evalues",
    "error_share_log_e": "evalues",
    "evan_miller_barrier": "evalues",
    "p_to_e": "evalues",
    "random_walk_crossing": "evalues",
    # several hypotheses
    "Adjustment": "multiplicity",
    "adjusted": "multiplicity",
    "adjusted_p_values": "multiplicity",
    "interval_levels": "multiplicity",
    "rejections": "multiplicity",
    "simes": "multiplicity",
    "Graph": "graphical",
    "GraphicalResult": "graphical",
    "fixed_sequence_graph": "graphical",
    "gatekeeping_graph": "graphical",
    "graph": "graphical",
    "graphical_test": "graphical",
    "holm_graph": "graphical",
    "preferential_bonferroni": "graphical",
    "dunnett_critical_value": "dunnett",
    "dunnett_p_values": "dunnett",
    # power and sample size
    "MetricVariance": "metric_power",
    "ProportionTest": "proportion_power",
    "SampleSize": "power",
    "comparison_alpha": "metric_power",
    "design_effect": "metric_power",
    "metric_variance": "metric_power",
    "minimum_detectable_effect": "power",
    "minimum_detectable_proportion": "proportion_power",
    "power_means": "power",
    "power_of_ratio": "power",
    "power_per_metric": "metric_power",
    "power_proportions": "proportion_power",
    "power_relative": "metric_power",
    "sample_size_means": "power",
    "sample_size_non_inferiority": "power",
    "sample_size_proportions": "proportion_power",
    "sample_size_relative": "metric_power",
    "SequentialSampleSize": "sequential_power",
    "additional_units_factor": "sequential_power",
    "power_over_looks": "sequential_power",
    "sample_size_anytime": "sequential_power",
    "sample_size_sequential": "sequential_power",
    "assurance": "prior_power",
    "expected_power": "prior_power",
    "power_bayesian": "prior_power",
    "power_expected_loss": "prior_power",
    "power_upward": "prior_power",
    "constant_arrivals": "runtime",
    "observed_arrivals": "runtime",
    "runtime_days": "runtime",
    "saturating_arrivals": "runtime",
    # proportions
    "farrington_manning": "proportion",
    "proportion_interval": "proportion",
    "proportion_test": "proportion",
    "proportion_difference": "two_proportions",
    "proportion_difference_interval": "two_proportions",
    "proportion_lift": "two_proportions",
    "risk_ratio_interval": "two_proportions",
    # sample ratio
    "SampleRatio": "srm",
    "SequentialSampleRatio": "srm",
    "life_p_value": "srm",
    "log_bayes_factor": "srm",
    "sample_ratio_power": "srm",
    "sample_ratio_test": "srm",
    "sequential_sample_ratio": "srm",
    "sequential_sample_ratio_epochs": "srm",
    # quantiles
    "QuantileRanks": "quantile",
    "clustered_quantile_arm": "quantile",
    "effective_clusters": "quantile",
    "harrell_davis": "quantile",
    "quantile_arm": "quantile",
    "quantile_difference": "quantile",
    "quantile_interval": "quantile",
    "quantile_ranks": "quantile",
    "quantile_se": "quantile",
    "sample_quantile": "quantile",
    "tied_limits": "quantile",
    "QuantileEffect": "quantile_regression",
    "hall_sheather_bandwidth": "quantile_regression",
    "quantile_effect": "quantile_regression",
    # resampling
    "hash_units": "bootstrap",
    "poisson_bootstrap": "bootstrap",
    "poisson_sums": "bootstrap",
    "poisson_weights": "bootstrap",
    # posteriors and priors
    "BetaBinomial": "bayes",
    "NormalPosterior": "bayes",
    "beta_binomial": "bayes",
    "normal_posterior": "bayes",
    "RandomEffects": "meta",
    "prior_from_past": "meta",
    "random_effects": "meta",
    "shrink": "meta",
    "summed_effect": "portfolio",
    # selection and allocation
    "ConditionalEstimate": "selection",
    "Retrodesign": "selection",
    "conditional_mle": "selection",
    "retrodesign": "selection",
    "probability_best": "bandit",
    "top_two_probabilities": "bandit",
    # without randomization
    "DifferenceInDifferences": "panel",
    "PanelTable": "panel",
    "difference_in_differences": "panel",
    "panel_table": "panel",
    "two_way_fixed_effects": "panel",
    "SyntheticControl": "synthetic",
    "PlaceboTest": "synthetic",
    "panel_did": "synthetic",
    "placebo_test": "synthetic",
    "synthetic_control": "synthetic",
    "synthetic_did": "synthetic",
    # estimates from elsewhere
    "read": "reading",
    "z_statistic": "reading",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605 (computed from the table above)


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"paribus.stats has no {name!r}; {did_you_mean(name, _EXPORTS)}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return __all__
