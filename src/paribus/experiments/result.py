"""The answer of an analysis, as data; `experiments.report` draws it, `experiments.verify` recomputes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from paribus.metrics.cells import LakeState, StatementText
from paribus.metrics.definition import Direction, MetricType, Role
from paribus.stats.estimate import Estimate, Undetermined

if TYPE_CHECKING:
    from paribus.charts import Figure
    from paribus.experiments.sensitivity import Sensitivity

Quantity = Estimate | Undetermined

Conclusion = Literal[
    "better", "worse", "inconclusive", "safe", "harmful", "not shown safe", "equivalent", "undetermined"
]


class VerdictValue(StrEnum):
    """The verdicts (contracts.md)."""

    INVALID = "invalid"
    ROLL_BACK = "roll_back"
    NOT_YET = "not_yet"
    SHIP = "ship"
    ITERATE = "iterate"
    NEUTRAL = "neutral"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Exactly one verdict. `rule` is the row of the decision table (1 to 7; 0 for unregistered).

    `would_be` is set only for unregistered: what the default plan would have said.
    `arm` is the treatment that ships or is rolled back, where one is named.
    """

    value: VerdictValue
    rule: int
    sentence: str
    reasons: tuple[str, ...] = ()
    would_be: VerdictValue | None = None
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A health check's answer. `severity` says what a failure does: blocks, warns, or explains."""

    name: str
    severity: Literal["blocking", "warning", "diagnostic"]
    status: Literal["passed", "failed", "not_applicable"]
    sentence: str
    p_value: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArmValue:
    """One arm's own number: value, standard error, units, and for ratios numerator and denominator sums."""

    variant: str
    units: int
    value: float
    se: float
    numerator: float | None = None
    denominator: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment against control on one metric, in the whole or in one segment.

    `absolute` and `relative` come from the same test (one scale is tested, the other is its transform).
    `unadjusted` is the absolute difference without covariates. `adjusted_p` and `simultaneous` carry the plan's
    correction. `margin_p` is a guardrail's one-sided p-value against its margin (small: safe), None for others.
    `detectable` is the smallest true effect, on the scale that is shown, that would be shown now with the plan's power.
    `at_stop` is the relative effect without what stopping early adds to it: the median-unbiased estimate, or the
    posterior where an anytime-valid plan seals a prior; None where nothing was shown before the plan's end.
    """

    metric: str
    type: MetricType
    role: Role
    direction: Direction
    control: ArmValue
    treatment: ArmValue
    absolute: Quantity
    relative: Quantity
    unadjusted: Quantity
    method: str
    adjusted_p: float | None = None
    simultaneous: tuple[float, float] | None = None  # relative scale
    margin_p: float | None = None
    detectable: float | None = None
    at_stop: Quantity | None = None
    margin: float | None = None
    margin_absolute: bool = False
    conclusion: Conclusion = "undetermined"
    variance_reduction: float | None = None  # share of the variance removed by covariates
    capped_share: tuple[float, float] | None = None  # control, treatment
    uncapped: Quantity | None = None
    posterior: dict[str, float] | None = None  # P(better), expected losses, interval; None unless Bayesian is shown
    segment: tuple[str, str | None] | None = None
    shrunk: Quantity | None = None  # segments: after shrinkage
    required_units: int | None = None  # guardrails not shown safe: n per arm that would do
    immature_units: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Cumulative effect of one comparison at the end of one cohort day, with the deciding method's interval."""

    metric: str
    treatment: str
    day: date
    units: int
    absolute: Quantity
    relative: Quantity
    boundary: tuple[float, float] | None = None  # absolute effect at which the plan's boundary lies
    is_look: bool = False


@dataclass(frozen=True, slots=True)
class NoveltyPoint:
    """The relative effect on what happened in the first `days` days after exposure."""

    days: int
    effect: Quantity


@dataclass(frozen=True, slots=True)
class Novelty:
    """One metric and treatment over days since exposure.

    units   units of both arms, the same at every point
    points  effects over longer and longer windows, each with an interval of its own
    change  the effect over the longest window less that over the first day; its interval is at least as wide as it has
            to be, because how much both share is not measured
    """

    metric: str
    treatment: str
    units: int
    points: tuple[NoveltyPoint, ...]
    change: Quantity
    sentence: str


@dataclass(frozen=True, slots=True)
class EarlyIndicator:
    """A leading metric of the plan, read by its own rule; it takes no part in the verdict.

    rule      what a bad sign does: warn, or hold the ramp
    relative  effect so far; its interval holds at all times and for all early indicators together
    state     bad sign: shown worse by more than `worse_than`; good sign: shown better
    """

    metric: str
    arm: str
    rule: Literal["warn", "hold"]
    worse_than: float
    units: int
    relative: Quantity
    state: Literal["bad sign", "good sign", "nothing yet", "undetermined"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything an analysis says. `to_dict()` follows the published schema; `from_dict` reads it back."""

    experiment: str
    title: str
    verdict: Verdict
    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    segments: tuple[Comparison, ...]
    curve: tuple[CurvePoint, ...]
    units: dict[str, int]
    control: str
    as_of: datetime | None
    method: str
    confidence_level: float
    registered: bool
    plan: dict[str, Any]
    seal: dict[str, Any] | None
    deviations: tuple[str, ...]
    data_notes: tuple[str, ...]  # what was found in the data and what was done: a count, a decision, a sentence
    statements: tuple[StatementText, ...]
    proof: dict[str, Any]
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    lake: LakeState | None = None  # None: the data are no lake's
    early_indicators: tuple[EarlyIndicator, ...] = ()  # leading metrics of the plan, by their own rule
    novelty: tuple[Novelty, ...] = ()  # effects by days since exposure, where they were asked for

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values by spec/result.schema.json; passwords in texts are blotted out."""
        from paribus.experiments.serialize import result_to_dict

        return result_to_dict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Result:
        """The result that `to_dict` wrote.

        Raises:
            ProofError: a field is missing, unknown or of another type.
        """
        from paribus.experiments.serialize import result_from_dict

        return result_from_dict(plain)

    def sensitivity(self) -> Sensitivity:
        """Every comparison read again by other methods, from the proof's moments; none of them decides.

        Raises:
            InputError: the plan or a health check hides effects.
        """
        from paribus.experiments.sensitivity import sensitivity

        return sensitivity(self)

    def plot(self, *, width: float = 720) -> Figure:
        """The interval plot of all comparisons: shows itself in a notebook, `save("effects.svg")` writes it."""
        from paribus.experiments.report import plot

        return plot(self, width=width)

    def __repr__(self) -> str:
        from paribus.experiments.report import text

        return text(self)

    def _repr_html_(self) -> str:
        from paribus.experiments.report import notebook

        return notebook(self)
