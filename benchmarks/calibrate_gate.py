"""A gate: a simulated number, what it should be, and how far chance alone may take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import kolmogi, ndtr, ndtri

# The chance that any gate of a whole run fails though all hold: z is about 4 for 300 gates.
FAMILY_ERROR = 0.02
REFUSED = 0.999  # the share of refusals from which a cell counts as outside a method's domain

Side = Literal["both", "upper", "lower", "within", "uniform", "refused"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of `make calibrate`.

    group         the section of the report
    name          outcome, n, split: the cell
    measure       what is simulated: type I, coverage, power
    value         the simulated number; NaN where every replication was refused
    target        what it should be
    se            its standard error at the target
    side          which deviations fail: "upper" above only, "within" beyond `tolerance`, "uniform" beyond the quantile of
                  Kolmogorov's distribution that is as rare as z, "refused" none, because the engine gives no number there
    determined    the share of replications with a result
    replications  of the simulation
    method        what the engine used
    """

    group: str
    name: str
    measure: str
    value: float
    target: float
    se: float
    side: Side
    replications: int
    determined: float = 1.0
    tolerance: float = 0.0
    method: str = ""

    def allowed(self, z: float) -> tuple[float, float]:
        """The smallest and the largest value that passes."""
        rare = kolmogi(2 * ndtr(-z)) if self.side == "uniform" else z
        reach = self.tolerance if self.side == "within" else float(rare) * self.se
        low = -np.inf if self.side in ("upper", "refused") else self.target - reach
        high = np.inf if self.side in ("lower", "refused") else self.target + reach
        return low, high

    def holds(self, z: float) -> bool:
        if self.side == "refused":
            return self.determined <= 1 - REFUSED
        low, high = self.allowed(z)
        return bool(low <= self.value <= high)

    def z_score(self) -> float:
        """How many standard errors from the target."""
        return float((self.value - self.target) / self.se) if self.se > 0 else float("nan")

    def record(self, z: float) -> dict[str, Any]:
        """As JSON; what is not finite is null."""
        numbers = {name: getattr(self, name) for name in ("value", "target", "se", "determined", "tolerance")}
        numbers |= dict(zip(("lowest", "highest"), self.allowed(z), strict=True))
        words = {name: getattr(self, name) for name in ("group", "name", "measure", "side", "replications", "method")}
        finite = {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}
        return {**words, **finite, "holds": self.holds(z)}


def critical_z(gates: int) -> float:
    """The z of one of so many gates, two-sided and Bonferroni-corrected."""
    return float(-ndtri(FAMILY_ERROR / (2 * max(gates, 1))))


def share_gate(
    group: str, name: str, measure: str, hits: Any, target: float, side: Side, *, known: Any = None, method: str = ""
) -> Gate:
    """The share of `hits` among the replications with a result, against a probability.

    Where at least 99.9% of replications have no result the cell is outside the method's domain: refusing is right.
    """
    hits = np.asarray(hits, dtype=np.bool_)
    known = np.ones(hits.shape, dtype=np.bool_) if known is None else np.asarray(known)
    n = int(known.sum())
    determined = n / known.size
    value = float(hits[known].mean()) if n else float("nan")
    if determined <= 1 - REFUSED:
        side = "refused"
    se = float(np.sqrt(target * (1 - target) / max(n, 1)))
    return Gate(group, name, measure, value, target, se, side, known.size, determined, method=method)


def inside_gate(group: str, name: str, known: Any) -> Gate:
    """That the engine gives a result in (nearly) every replication of a cell that its domain has to contain."""
    share = float(np.mean(known))
    return Gate(group, name, "share with a result", share, REFUSED, 0.0, "lower", len(known), share)


def uniform_gate(group: str, name: str, p_values: Any) -> Gate:
    """Kolmogorov and Smirnov's distance of p-values from uniform (Kolmogorov 1933), Bonferroni-corrected as every gate is."""
    p = np.sort(np.asarray(p_values))
    n = len(p)
    steps = np.arange(1, n + 1) / n
    distance = float(np.max([steps - p, p - steps + 1 / n]))
    return Gate(group, name, "KS distance", distance, 0.0, n**-0.5, "uniform", n)


def mean_gate(group: str, name: str, measure: str, differences: Any, side: Side = "both") -> Gate:
    """The mean of paired differences, against zero."""
    d = np.asarray(differences, dtype=np.float64)
    return Gate(group, name, measure, float(d.mean()), 0.0, float(d.std(ddof=1) / len(d) ** 0.5), side, len(d))


def table(gates: Sequence[Gate], z: float) -> list[str]:
    """The gates of one group as lines of Markdown."""
    lines = [
        "| cell | measure | simulated | should be | from | to | determined | replications | method | |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for gate in gates:
        low, high = gate.allowed(z)
        ends = ["" if not np.isfinite(end) else f"{end:.4f}" for end in (low, high)]
        word = "holds" if gate.holds(z) else "**FAILS**"
        if gate.side == "refused":
            word += ", refused"
        lines.append(
            f"| {gate.name} | {gate.measure} | {gate.value:.4f} | {gate.target:.4g} | {ends[0]} | {ends[1]} "
            f"| {gate.determined:.1%} | {gate.replications:,} | {gate.method} | {word} |"
        )
    return lines
