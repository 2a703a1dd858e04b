"""What is decided from estimates: several tests at once, winners, losses, portfolios."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.calibrate_gate import Gate, mean_gate, share_gate
from paribus.experiments.family import families
from paribus.experiments.plan import Design, Kind, Plan, Variant
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.bayes import normal_posterior
from paribus.stats.estimate import Estimate
from paribus.stats.multiplicity import adjusted_p_values
from paribus.stats.portfolio import summed_effect
from paribus.stats.selection import conditional_mle

TESTS = 5
CORRELATION = 0.5
ALPHA = 0.05
EXPERIMENTS = 500
PORTFOLIOS = 1_000


def multiplicity(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Family-wise error and false discovery rate of correlated tests; the plan's corrections through its family."""
    group = "Multiplicity: error at or below nominal"
    shared = rng.standard_normal((replications, 1)) * CORRELATION**0.5
    noise = rng.standard_normal((replications, TESTS)) * (1 - CORRELATION) ** 0.5
    z = shared + noise
    gates = []
    some = np.array([0.0, 0.0, 0.0, 3.0, 3.0])
    for words, effects in (("all true", np.zeros(TESTS)), ("3 of 5 true", some)):
        p = 2 * ndtr(-np.abs(z + effects))
        true = effects == 0
        for correction in ("holm", "bonferroni", "hochberg"):
            rejected = np.stack([_by_plan(row, correction) for row in p]) <= ALPHA
            hits = rejected[:, true].any(axis=1)
            gates.append(share_gate(group, f"{words}, plan with {correction}", "FWER", hits, ALPHA, "upper"))
        for method in ("hommel", "benjamini-hochberg", "benjamini-yekutieli"):
            rejected = adjusted_p_values(p, method) <= ALPHA
            if method == "hommel":
                hits = rejected[:, true].any(axis=1)
                gates.append(share_gate(group, f"{words}, {method}", "FWER", hits, ALPHA, "upper"))
                continue
            false = rejected[:, true].sum(axis=1) / np.maximum(rejected.sum(axis=1), 1)
            excess = mean_gate(group, f"{words}, {method}", "FDR", false)
            gates.append(Gate(group, excess.name, "FDR", excess.value, ALPHA, excess.se, "upper", replications))
    gates.append(_many_to_one(rng, replications, group))
    return gates


def _design(metrics: int, arms: int, correction: str) -> Design:
    names = ("control", *(f"arm {i}" for i in range(arms)))
    return Design(
        key="calibration",
        kind=Kind.AB,
        interference="none because the units are simulated",
        variants=tuple(Variant(name, 1.0) for name in names),
        control="control",
        metrics=tuple(Metric(f"m{i}", MetricType.MEAN) for i in range(metrics)),
        plan=Plan(correction=correction),  # type: ignore[arg-type]
    )


def _by_plan(p: np.ndarray, correction: str) -> np.ndarray:
    family = families(_design(len(p), 1, correction))[Role.SUCCESS]
    n = np.full((len(p), 1), 1000.0)
    return family.adjust(p[:, None], n, n)[:, 0]


def _many_to_one(rng: np.random.Generator, replications: int, group: str) -> Gate:
    """Dunnett: three arms against one control."""
    means = rng.standard_normal((replications, 4))
    p = 2 * ndtr(-np.abs(means[:, 1:] - means[:, :1]) / 2**0.5)
    family = families(_design(1, 3, "dunnett"))[Role.SUCCESS]
    n = np.full((1, 3), 1000.0)
    # The smallest p-value decides whether anything is rejected; its threshold is where the adjusted one is alpha.
    grid = np.geomspace(0.005, 0.05, 400)
    adjusted = np.array([family.adjust(np.array([[q, 1.0, 1.0]]), n, n)[0, 0] for q in grid])
    threshold = float(np.interp(ALPHA, adjusted, grid))
    return share_gate(group, "3 arms against control, Dunnett", "FWER", p.min(axis=1) <= threshold, ALPHA, "both")


def winners(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Coverage of the conditional interval among significant estimates, and how the naive one fares."""
    gates = []
    for effect in (0.0, 0.5, 1.0, 2.0, 3.0):
        needed = int(replications / max(_power(effect), 0.05)) + 1
        x = rng.normal(effect, 1, 2 * needed)
        chosen = x[np.abs(x) >= -ndtri(ALPHA / 2)][:replications]
        found = conditional_mle(chosen, 1.0)
        covers = (found.lower <= effect) & (effect <= found.upper)
        name = f"true effect {effect:g} standard errors"
        gates.append(share_gate("Winner's curse: conditional interval", name, "coverage", covers, 0.95, "both"))
    return gates


def _power(effect: float) -> float:
    z = -ndtri(ALPHA / 2)
    return float(ndtr(effect - z) + ndtr(-effect - z))


def loss(rng: np.random.Generator, replications: int) -> list[Gate]:
    """With a true prior, the expected loss is what is lost on average; also among those below a threshold."""
    group = "Expected loss, when the prior is true"
    gates = []
    for prior_sd, se in ((0.02, 0.01), (0.02, 0.02), (0.01, 0.03)):
        effect = rng.normal(0.002, prior_sd, replications)
        estimate = rng.normal(effect, se)
        posterior = normal_posterior(estimate, se, 0.002, prior_sd)
        of_treatment, of_control = posterior.expected_loss()
        chosen = of_treatment < np.median(of_treatment)
        name = f"prior sd {prior_sd:g}, standard error {se:g}"
        lost = np.maximum(-effect, 0.0) - of_treatment
        # In units of the prior's standard deviation.
        gates += [
            mean_gate(group, name, "treatment: lost less expected", lost / prior_sd),
            mean_gate(group, name, "treatment, loss below median", lost[chosen] / prior_sd),
            mean_gate(group, name, "control: lost less expected", (np.maximum(effect, 0.0) - of_control) / prior_sd),
        ]
        lower, upper = posterior.interval(0.95)
        covers = (lower <= effect) & (effect <= upper)
        gates.append(share_gate(group, name, "coverage of the credible interval", covers, 0.95, "both"))
        win = posterior.probability_above(0.0)
        gates.append(mean_gate(group, name, "better less chance to win", (effect > 0) - win))
    return gates


def portfolio(rng: np.random.Generator, replications: int) -> list[Gate]:
    """The summed effect of the shipped among 500 experiments, shrunk by the prior that all 500 give."""
    size = min(replications, PORTFOLIOS)
    group = "Portfolio of 500 experiments: the summed value's interval"
    gates = []
    for prior_sd in (0.005, 0.01, 0.03):
        covers, naive = [], []
        for _ in range(size):
            se = rng.uniform(0.005, 0.03, EXPERIMENTS)
            effect = rng.normal(0.001, prior_sd, EXPERIMENTS)
            estimate = rng.normal(effect, se)
            shipped = estimate > 1.96 * se
            total = float(effect[shipped].sum())
            found = summed_effect(estimate, se**2, shipped)
            covers.append(isinstance(found, Estimate) and found.lower <= total <= found.upper)
            naive.append(abs(estimate[shipped].sum() - total) <= 1.96 * float(np.sqrt((se[shipped] ** 2).sum())))
        name = f"shipped at p < .05, prior sd {prior_sd:g} (unshrunk sums cover {np.mean(naive):.3f})"
        gates.append(share_gate(group, name, "coverage", covers, 0.95, "both", method="empirical Bayes, REML"))
    return gates
