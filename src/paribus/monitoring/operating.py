"""How a guard behaves, by simulation: how often it convicts a harmless treatment, and how soon a harmful one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.monitoring.watch import Guard
from paribus.stats.evalues import error_share_log_e


@dataclass(frozen=True, slots=True)
class Operating:
    """A guard under continuous looking.

    Attributes:
        convicted: share of runs convicted, with `error` its standard error.
        units: median units of both arms at conviction; None when fewer than half of the runs convict.
        units_90: units by which 9 of 10 runs have convicted; None when fewer do.
    """

    control_rate: float
    treatment_rate: float
    horizon_units: int
    runs: int
    convicted: float
    error: float
    units: int | None
    units_90: int | None


def simulate(
    guard: Guard,
    control_rate: float,
    treatment_rate: float,
    *,
    horizon_units: int,
    treatment_share: float = 0.5,
    runs: int = 1000,
    seed: int = 0,
) -> Operating:
    """The guard read after every unit, on runs whose units enter at random.

    Args:
        guard: what is simulated.
        control_rate: share of control's units with the outcome.
        treatment_rate: share of treatment's.
        horizon_units: units of both arms over the experiment's life.
        treatment_share: probability that a unit is in treatment.
        runs: simulated experiments.
        seed: of the simulation.
    """
    random = np.random.default_rng(seed)
    limit = np.log(1 / guard.budget)
    at = np.full(runs, np.inf)
    for run in range(runs):
        treated = random.random(horizon_units) < treatment_share
        failed = random.random(horizon_units) < np.where(treated, treatment_rate, control_rate)
        events = np.flatnonzero(failed)
        in_treatment = treated[events]
        t, c = np.cumsum(in_treatment), np.cumsum(~in_treatment)
        log_e = error_share_log_e(c, t, treatment_share=treatment_share, tolerated_ratio=guard.tolerated_ratio)
        units_treated = np.cumsum(treated)[events]
        units_control = events + 1 - units_treated
        gap = t / np.maximum(units_treated, 1) - c / np.maximum(units_control, 1)
        hit = np.flatnonzero((log_e >= limit) & (gap >= guard.minimum_difference) & (units_control > 0))
        if len(hit):
            at[run] = events[hit[0]] + 1
    convicted = float(np.isfinite(at).mean())
    return Operating(
        control_rate,
        treatment_rate,
        horizon_units,
        runs,
        convicted,
        float(np.sqrt(convicted * (1 - convicted) / runs)),
        *(_reached(at, share) for share in (0.5, 0.9)),
    )


def _reached(at: np.ndarray, share: float) -> int | None:
    value = float(np.quantile(at, share, method="higher"))
    return int(value) if np.isfinite(value) else None
