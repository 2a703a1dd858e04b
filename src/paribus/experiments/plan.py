"""The analysis plan: what was agreed before data. One deciding method; every field is sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from paribus.metrics.definition import Metric


class Kind(StrEnum):
    """How units were randomized (statistics.md, decision 14). Analyses of switchback and holdouts come later."""

    AB = "ab"
    CLUSTER = "cluster"
    SWITCHBACK = "switchback"
    HOLDBACK = "holdback"
    GLOBAL_HOLDOUT = "global_holdout"


class Method(StrEnum):
    """The deciding method."""

    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group_sequential"
    ANYTIME = "anytime"
    BAYESIAN = "bayesian"


Spending = Literal["obrien_fleming", "pocock", "kim_demets", "hwang_shih_decani"]
Correction = Literal["holm", "bonferroni", "hochberg", "dunnett", "graph", "none"]


@dataclass(frozen=True, slots=True)
class Variant:
    """An arm with its weight in the split (weights are normalized to sum to 1)."""

    name: str
    weight: float
    description: str = ""


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal prior of the relative effect of one metric, sealed with its origin."""

    mean: float = 0.0
    sd: float = 0.3
    origin: str = "weak prior"


@dataclass(frozen=True, slots=True)
class Indicator:
    """A leading metric with a rule of its own: it is read at any time, warns or holds the ramp, and never decides.

    worse_than  relative loss that is no bad sign yet
    """

    metric: str
    rule: Literal["warn", "hold"] = "warn"
    worse_than: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The registered plan.

    min_sample_size   matured units per arm before any verdict but invalid and roll_back
    looks             planned looks in days after start (group-sequential, bayesian)
    n_opt             anytime: number of units at which the sequence is tightest
    smallest_worthwhile  relative effect below which a difference does not matter (neutral band), by metric
    deterioration_alpha  one-sided alpha of the test that a success metric got worse
    graph             weights and transition matrix over hypotheses, when correction = "graph"
    """

    method: Method = Method.FIXED
    confidence_level: float = 0.95
    power: float = 0.8
    min_sample_size: int = 0
    start: datetime | None = None
    end: datetime | None = None
    runtime_days: int | None = None
    looks: tuple[int, ...] = ()
    spending: Spending = "obrien_fleming"
    spending_parameter: float | None = None
    futility: Literal["none", "non_binding", "binding"] = "none"
    n_opt: int | None = None
    planned_units: int | None = None  # total units at the end, for information fractions
    correction: Correction = "holm"
    graph_weights: tuple[float, ...] = ()
    graph_transitions: tuple[tuple[float, ...], ...] = ()
    smallest_worthwhile: dict[str, float] = field(default_factory=dict)
    deterioration_alpha: float = 0.025
    priors: dict[str, Prior] = field(default_factory=dict)
    loss_threshold: float | None = None
    rope: tuple[float, float] | None = None
    cuped: bool = True
    srm_alpha: float = 0.001
    early_indicators: tuple[Indicator, ...] = ()


@dataclass(frozen=True, slots=True)
class Design:
    """An experiment with its metrics and plan, as sealed: everything the verdict may depend on but the data.

    split_declared   False: nobody said how the units were to be split, the weights are placeholders, and no sample
                     ratio can be tested
    """

    key: str
    kind: Kind
    interference: str
    variants: tuple[Variant, ...]
    control: str
    metrics: tuple[Metric, ...]
    plan: Plan
    segments: tuple[str, ...] = ()
    time_zone: str = "UTC"
    tolerance_seconds: float = 5.0
    title: str = ""
    split_declared: bool = True


@dataclass(frozen=True, slots=True)
class Amendment:
    """A plan sealed again after the first time, with the reason that was given.

    changed  what differs from the plan before, a sentence for each field
    """

    time: datetime
    author: str
    reason: str
    timing: Literal["sealed before data", "sealed after data"]
    changed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What everybody who reads the result has to know of it."""
        changed = f": {'; '.join(self.changed)}" if self.changed else ""
        timing = self.timing.removeprefix("sealed ")
        return f"sealed again {timing} on {self.time:%Y-%m-%d} by {self.author} ({self.reason}){changed}"


@dataclass(frozen=True, slots=True)
class Seal:
    """The registration of a plan (contracts.md): `registered` is the canonical body, `hash` its SHA-256 (RFC 8785).

    `amendments` lists every re-sealing after the first; `chain` is the hash over the whole history.
    """

    hash: str
    author: str
    time: datetime
    watermark: datetime | None
    rows_readable: int
    timing: Literal["sealed before data", "sealed after data"]
    registered: dict[str, object]
    amendments: tuple[Amendment, ...] = ()
    chain: str = ""
