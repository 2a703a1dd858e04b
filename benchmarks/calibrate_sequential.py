"""Reading more than once: error over all looks, coverage at the stop, predicted power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.calibrate_engine import batch_of
from benchmarks.calibrate_fixed import ALPHA, power_gate
from benchmarks.calibrate_gate import Gate, share_gate
from benchmarks.calibrate_outcome import NONZERO, RARE, SIGMA, Floats, from_power_sums, of_successes, sums_of_spending
from paribus.experiments.effects import Arms, compare, reshaped, rule_of
from paribus.experiments.plan import Method, Plan
from paribus.experiments.reading import Look
from paribus.metrics.definition import MetricType
from paribus.stats.anytime import MixtureSPRT
from paribus.stats.arm import difference, outcome
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates
from paribus.stats.group_sequential import GroupSequentialDesign, group_sequential_design
from paribus.stats.moments import Moments
from paribus.stats.sequential_power import power_over_looks
from paribus.stats.spending import Spending

LOOKS = 200
FIRST, LAST = 50, 20_000  # units in each arm at the first and the last look
AT_ONCE = 500
MEAN, SD = 10.0, 5.0


@dataclass(frozen=True, slots=True)
class Stream:
    """An outcome as it comes in: moments at every look, cells (looks, replications), of two arms of these units."""

    name: str
    type: MetricType
    sd: float


NORMAL = Stream("normal", MetricType.MEAN, SD)
_VARIANCE = NONZERO * np.exp(2 * SIGMA**2) - (NONZERO * np.exp(SIGMA**2 / 2)) ** 2
STREAMS = (
    NORMAL,
    Stream("zero-inflated lognormal", MetricType.MEAN, float(np.sqrt(_VARIANCE))),
    Stream("Bernoulli .01", MetricType.PROPORTION, (RARE * (1 - RARE)) ** 0.5),
)


def log_spaced() -> np.ndarray:
    """Units in each arm at the looks: 200 of them, logarithmically spaced."""
    return np.unique(np.round(np.geomspace(FIRST, LAST, LOOKS + 20)).astype(np.int64))[-LOOKS:]


def stream(
    rng: np.random.Generator, what: Stream, units: np.ndarray, replications: int, effect: float = 0.0
) -> Moments:
    """Moments of one arm at every look."""
    steps = np.diff(units, prepend=0)[:, None] * np.ones(replications, dtype=np.int64)
    n = np.broadcast_to(units[:, None].astype(np.float64), steps.shape).copy()
    if what.type is MetricType.PROPORTION:
        return of_successes(rng.binomial(steps, RARE + effect).cumsum(axis=0).astype(np.float64), n)
    if what.name == "normal":
        # The sum and the sum of squares of a block of normal values, without drawing the values.
        mean = rng.standard_normal(steps.shape) / np.sqrt(steps)
        within = np.where(steps > 1, rng.chisquare(np.maximum(steps - 1, 1)), 0.0)
        s1, s2 = (mean * steps).cumsum(axis=0), (within + steps * mean**2).cumsum(axis=0)
        m2 = (s2 - s1**2 / n) * SD**2
        value = MEAN + effect + SD * s1 / n
        return Moments(("y",), n, value[..., None], m2[..., None, None], np.zeros((*n.shape, 1)))
    sums = (part.cumsum(axis=0) for part in sums_of_spending(rng, steps))
    found = from_power_sums(n, *sums)
    return Moments(found.names, n, found.mean + effect, found.m2, found.m3)


def over_all_looks(rng: np.random.Generator, replications: int) -> list[Gate]:
    """The error of the anytime-valid default and of the mixture SPRT over 200 looks."""
    units = log_spaced()
    plan = Plan(method=Method.ANYTIME)
    boundary = rule_of(plan, Look(1, None))(plan.confidence_level)
    gates = []
    for what in STREAMS:
        sprt = MixtureSPRT(tau=(0.1 * what.sd) ** 2)
        errors: dict[str, list[Floats]] = {"default": [], "sprt": []}
        seen = []
        for start in range(0, replications, AT_ONCE):
            size = min(AT_ONCE, replications - start)
            arms = [stream(rng, what, units, size) for _ in range(2)]
            absolute = default(arms[0], arms[1], what.type, plan, boundary)
            seen.append(absolute.determined.any(axis=0))
            errors["default"].append(_ever(absolute))
            errors["sprt"].append(_ever(difference(*(outcome(m, "y") for m in arms), boundary=sprt)))
        group = "Anytime-valid: error over 200 looks"
        known = np.concatenate(seen)
        named = ((boundary.method, "default", "asymptotic confidence sequence"), (sprt.method, "sprt", sprt.method))
        for _, key, method in named:
            hits = np.concatenate(errors[key])
            name = f"{what.name}, {units[0]} to {units[-1]:,} units per arm"
            side = known if key == "default" else None
            # The bare mixture has no domain: where few or skewed units make it wrong, the engine's default refuses.
            if key == "sprt" and what.name != "normal":
                continue
            gates.append(share_gate(group, name, "error", hits, ALPHA, "upper", known=side, method=method))
    return gates


def default(control: Moments, treatment: Moments, type: MetricType, plan: Plan, boundary: Boundary) -> Estimates:
    """The absolute effects of every look by the engine's comparison, with its domain; axes (look, replication)."""
    looks, size = control.n.shape
    batch = batch_of(_at(control, -1), _at(treatment, -1), type)
    arms = [outcome(m.reshape_cells((looks, 1, size)), "y") for m in (control, treatment)]
    found, _, _ = compare(batch, Arms(arms[0], arms[1], np.zeros((looks, 1, size))), boundary)
    return reshaped(found, lambda a: a[:, 0])


def _at(m: Moments, look: int) -> Moments:
    return Moments(m.names, m.n[look], m.mean[look], m.m2[look], m.m3[look])


def _ever(e: Estimates) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray((e.p_value <= ALPHA).any(axis=0))


def group_sequential(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Error and power of spending designs, with information estimated from the data at every look."""
    gates = []
    rules = (
        ("O'Brien–Fleming spending", Spending("obrien-fleming")),
        ("Pocock spending", Spending("pocock")),
        ("Hwang–Shih–DeCani spending", Spending("hwang-shih-decani", -4.0)),
    )
    for name, rule in rules:
        for looks in (3, 5):
            design = group_sequential_design(rule, looks=looks, alpha=ALPHA)
            units = np.round(2000 * np.asarray(design.information)).astype(np.int64)
            arms = [stream(rng, NORMAL, units, replications) for _ in range(2)]
            hits = _crossed(arms[0], arms[1], design)[0]
            group = "Group sequential: error over the planned looks"
            gates.append(share_gate(group, f"{name}, {looks} looks", "type I", hits, ALPHA, "both", method=name))
            effect = design.drift * SD * (2 / 2000) ** 0.5
            moved = stream(rng, NORMAL, units, replications, effect)
            found = float(_crossed(arms[0], moved, design)[1].mean())
            predicted = design.power_at(design.drift)
            gates.append(power_gate(f"{name}, {looks} looks", found, predicted, replications, "group sequential"))
    return gates


def _crossed(control: Moments, treatment: Moments, design: GroupSequentialDesign) -> tuple[np.ndarray, np.ndarray]:
    """Whether any look excluded zero, and whether the first that did lay above."""
    z = difference(outcome(control, "y"), outcome(treatment, "y")).extra["statistic"]
    critical = np.asarray(design.critical)[:, None]
    over = np.abs(z) >= critical
    first = np.argmax(over, axis=0)
    sign = np.take_along_axis(z, first[None], axis=0)[0]
    crossed = np.asarray(over.any(axis=0))
    return crossed, crossed & (sign > 0)


def anytime_power(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Predicted power of the anytime-valid default over 20 looks."""
    units = np.round(np.linspace(500, 10_000, 20)).astype(np.int64)
    plan = Plan(method=Method.ANYTIME, n_opt=10_000)
    boundary = rule_of(plan, Look(1, None))(plan.confidence_level)
    gates = []
    for effect in (0.2, 0.3):
        hits = []
        for start in range(0, replications, AT_ONCE):
            size = min(AT_ONCE, replications - start)
            arms = [stream(rng, NORMAL, units, size, shift) for shift in (0.0, effect)]
            hits.append(_ever(default(arms[0], arms[1], MetricType.MEAN, plan, boundary)))
        below, above = power_over_looks(boundary, effect, SD * np.sqrt(2 / units), 2.0 * units)
        predicted = float(below[-1] + above[-1])
        found = float(np.concatenate(hits).mean())
        gates.append(power_gate(f"anytime, effect {effect:g}, 20 looks", found, predicted, replications, "anytime"))
    return gates
