"""Sample ratio while an experiment runs: the sequential test over epochs, alpha 0.001 over the experiment's life."""

from __future__ import annotations

from collections.abc import Mapping

from paribus.monitoring.finding import Finding, Severity
from paribus.monitoring.guardrail import Counts
from paribus.stats.srm import sequential_sample_ratio_epochs

ALPHA = 0.001


def read(epochs: Mapping[int, Counts], *, alpha: float = ALPHA) -> Finding:
    """Whether the arms' units fit their weights; read it as often as you like."""
    used = [counts for counts in epochs.values() if sum(counts.units.values()) and counts.weights]
    if not used:
        return Finding("sample_ratio", Severity.WELL, "sample ratio: no units yet")
    arms = list(used[0].weights)
    tested = sequential_sample_ratio_epochs(
        [[[counts.units.get(arm, 0) for arm in arms]] for counts in used],
        [[counts.weights.get(arm, 0.0) for arm in arms] for counts in used],
        alpha=alpha,
    )
    p_value = float(tested.p_value[-1])
    units = {arm: sum(counts.units.get(arm, 0) for counts in used) for arm in arms}
    shown = ", ".join(f"{arm} {count:,}" for arm, count in units.items())
    failed = p_value <= alpha
    return Finding(
        "sample_ratio",
        Severity.PAUSES if failed else Severity.WELL,
        f"sample ratio: {shown}; "
        + (f"does not fit the weights (p = {p_value:.2g})" if failed else f"fits the weights (p = {p_value:.2g})"),
        numbers={"units": units, "p_value": p_value, "alpha": alpha},
    )
