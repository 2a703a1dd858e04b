"""What health checks look at, and how their answers are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from paribus.experiments.covariates import Imbalance
from paribus.experiments.plan import Design
from paribus.experiments.result import Check, Comparison
from paribus.metrics.cells import Counts, Measurement

Severity = Literal["blocking", "warning", "diagnostic"]

# The error of each blocking check over the experiment's life.
ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Subject:
    """An experiment's data before a check.

    ended        the reading is the last one of the plan (or the only one, without a registered end)
    horizon      the plan has an end, so that the last reading is known beforehand
    comparisons  effects in the whole; empty while effects are not computed
    imbalances   covariates compared before exposure
    """

    design: Design
    measurement: Measurement
    ended: bool = True
    horizon: bool = True
    comparisons: tuple[Comparison, ...] = ()
    imbalances: tuple[Imbalance, ...] = ()

    @property
    def counts(self) -> Counts:
        return self.measurement.counts

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(variant.name for variant in self.design.variants)

    @property
    def treatments(self) -> tuple[str, ...]:
        return tuple(name for name in self.variants if name != self.design.control)

    @property
    def is_unit_table(self) -> bool:
        """Whether the data are one row per unit, so that a second row of a unit is a question."""
        return all(metric.source is None and not metric.steps for metric in self.design.metrics)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A check of the registry. `needs_effects`: it looks at effects, so it runs after the others passed."""

    name: str
    severity: Severity
    look: Callable[[Subject], Check]
    needs_effects: bool = False


def answer(
    name: str,
    severity: Severity,
    failed: bool | None,
    sentence: str,
    p_value: float | None = None,
    evidence: dict[str, Any] | None = None,
) -> Check:
    """A check's answer; `failed` None means it does not apply."""
    status: Literal["passed", "failed", "not_applicable"] = (
        "not_applicable" if failed is None else "failed" if failed else "passed"
    )
    return Check(name, severity, status, f"{sentence[0].upper()}{sentence[1:]}.", p_value, evidence or {})


def by_arm(values: Sequence[tuple[str, int]]) -> str:
    """Counts by arm in words: "control 10, treatment 12"."""
    from paribus.charts.numbers import count

    return ", ".join(f"{name} {count(n)}" for name, n in values)
