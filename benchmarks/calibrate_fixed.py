"""Fixed horizon: type I error, coverage and power of the default method, by outcome, units and split."""

from __future__ import annotations

import numpy as np

from benchmarks.calibrate_engine import analyzed
from benchmarks.calibrate_gate import Gate, Side, inside_gate, share_gate, uniform_gate
from benchmarks.calibrate_outcome import RARE, Floats, Outcome, of_successes, outcomes, with_lift
from paribus.experiments.effects import Panel
from paribus.metrics.definition import MetricType
from paribus.stats.arm import difference, outcome
from paribus.stats.domain import within_domain
from paribus.stats.estimate import Estimates
from paribus.stats.moments import Moments
from paribus.stats.power import power_means
from paribus.stats.proportion_power import power_proportions
from paribus.stats.relative import lift

UNITS = (50, 500, 5000)
SPLITS = (0.5, 0.1)  # treatment's share
ALPHA = 0.05
# Inside the domain: every outcome at an even split, and those but the most skewed at 90/10 too (statistics.md).
REQUIRED = 5000


def arms(n: int, share: float) -> tuple[int, int]:
    """Units of control and treatment."""
    treatment = round(n * share)
    return n - treatment, treatment


def cell_name(name: str, n: int, share: float) -> str:
    return f"{name}, n {n:,}, {100 * (1 - share):.0f}/{100 * share:.0f}"


def type_one_and_coverage(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Every outcome at every number of units and split."""
    return [
        gate
        for what in outcomes()
        for n in UNITS
        for share in SPLITS
        for gate in one_cell(rng, what, n, share, replications)
    ]


def one_cell(rng: np.random.Generator, what: Outcome, n: int, share: float, replications: int) -> list[Gate]:
    """Type I error and uniformity under no effect, coverage of three intervals under one."""
    n_c, n_t = arms(n, share)
    control, treatment = what.draw(rng, replications, n_c), what.draw(rng, replications, n_t)
    name = cell_name(what.name, n, share)
    null = analyzed(control, treatment, what.type)
    p, known = null.absolute.p_value[0, 0], null.absolute.determined[0, 0]
    exact = what.type is MetricType.PROPORTION
    gates = [
        share_gate(
            f"Type I error of the default, {what.name}",
            name,
            "type I",
            p <= ALPHA,
            ALPHA,
            "upper" if exact else "both",
            known=known,
            method=null.method[0],
        )
    ]
    if n == REQUIRED and (share == 0.5 or what.name != "zero-inflated lognormal"):
        gates.append(inside_gate(gates[0].group, name, known))
    if what.continuous and known.mean() > 0.5:
        gates.append(uniform_gate(gates[0].group, name, p[known]))
    return gates + _coverage(rng, what, n_c, n_t, control, treatment, name, replications)


def _coverage(
    rng: np.random.Generator,
    what: Outcome,
    n_c: int,
    n_t: int,
    control: Moments,
    treatment: Moments,
    name: str,
    replications: int,
) -> list[Gate]:
    group = f"Coverage of 95% intervals under an effect, {what.name}"
    if what.type is MetricType.PROPORTION:
        successes = rng.binomial(n_t, RARE * (1 + what.effect), replications).astype(np.float64)
        shifted = of_successes(successes, np.full(replications, float(n_t)))
    else:
        shifted = with_lift(treatment, what.effect)
    panel = analyzed(control, shifted, what.type)
    side: Side = "lower" if what.type is MetricType.PROPORTION else "both"
    delta = _delta(panel, control, shifted)
    cases = (
        ("absolute", panel.absolute, what.effect * what.truth),
        ("relative, default", panel.relative, what.effect),
        ("relative, delta", delta, what.effect),
    )
    return [
        share_gate(
            group,
            name,
            measure,
            (e.lower <= truth) & (truth <= e.upper),
            0.95,
            side,
            known=e.determined,
            method=e.method,
        )
        for measure, e, truth in cases
        if not (what.type is MetricType.PROPORTION and measure == "relative, delta")
    ]


def _delta(panel: Panel, control: Moments, treatment: Moments) -> Estimates:
    """The delta interval where the default has a relative result, inside its own domain."""
    which = ("y", "d") if "d" in control.names else "y"
    a, b = (outcome(m.reshape_cells((1, 1, *m.cells)), which) for m in (control, treatment))
    found = within_domain(lift(a, b, method="delta", negative_baseline="magnitude"), "delta", a, b)
    for mask, reason in panel.relative.reasons:
        found = found.without(mask, reason)
    return found


def naive(rng: np.random.Generator, replications: int) -> dict[str, float]:
    """Type I errors of Welch's test without its domain, where it is known to be wrong: why the domain is there."""
    found = {}
    for what in outcomes():
        if what.name not in ("zero-inflated lognormal", "Bernoulli .01"):
            continue
        control, treatment = (what.draw(rng, replications, n) for n in arms(500, 0.1))
        p: Floats = difference(outcome(control, "y"), outcome(treatment, "y")).p_value
        found[cell_name(what.name, 500, 0.1)] = float((p <= ALPHA).mean())
    return found


def power(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Predicted power within .02 of simulated, for Welch's test and for the comparison of two shares."""
    gates = []
    normal = outcomes()[0]
    for n, share, effect in ((50, 0.5, 3.0), (500, 0.5, 1.2), (500, 0.1, 2.0), (5000, 0.1, 0.7)):
        n_c, n_t = arms(n, share)
        panel = analyzed(
            normal.draw(rng, replications, n_c),
            _moved(normal.draw(rng, replications, n_t), effect),
            MetricType.MEAN,
        )
        predicted = float(power_means(effect, 5.0, n_c, n_t))
        gates.append(_power_gate(cell_name("normal", n, share), panel, predicted))
    for n, share, p, moved in ((5000, 0.5, 0.1, 0.125), (2000, 0.5, 0.3, 0.36), (20_000, 0.1, 0.05, 0.066)):
        n_c, n_t = arms(n, share)
        draws = [rng.binomial(k, rate, replications).astype(float) for k, rate in ((n_c, p), (n_t, moved))]
        panel = analyzed(*(_successes(x, k) for x, k in zip(draws, (n_c, n_t), strict=True)), MetricType.PROPORTION)
        predicted = float(power_proportions(p, moved, n_c, n_t, test="pooled"))
        gates.append(_power_gate(cell_name(f"share {p:g}", n, share), panel, predicted))
    return gates


def _power_gate(name: str, panel: Panel, predicted: float) -> Gate:
    found = float((panel.absolute.p_value <= ALPHA).mean())
    return power_gate(name, found, predicted, panel.absolute.p_value.size, panel.method[0])


def power_gate(name: str, found: float, predicted: float, replications: int, method: str) -> Gate:
    """A simulated power, which the prediction must not miss by more than .02."""
    se = (predicted * (1 - predicted) / replications) ** 0.5
    return Gate(
        "Predicted power", name, "power", found, predicted, se, "within", replications, tolerance=0.02, method=method
    )


def _moved(m: Moments, effect: float) -> Moments:
    return Moments(m.names, m.n, m.mean + effect, m.m2, m.m3)


def _successes(x: Floats, n: int) -> Moments:
    return of_successes(x, np.full(len(x), float(n)))
