"""What a sensitivity analysis found, as data: readings by other methods, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paribus.experiments.sensitivity.pair import Scale
from paribus.experiments.unit_readings.findings import UnitReadings
from paribus.stats.estimate import Estimate, Undetermined


@dataclass(frozen=True, slots=True)
class OtherReading:
    """One comparison by one method, uncorrected for others.

    is_share     whether the metric is a share of units
    at_any_time  whether the method holds at every look, or once, at the plan's end
    statistic    estimate, less what is tested, over its standard error; None where the method has none
    """

    metric: str
    treatment: str
    method: str
    scale: Scale
    is_share: bool
    at_any_time: bool
    effect: Estimate | Undetermined
    statistic: float | None = None


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely an arm is the best of all under flat priors, and how often top-two Thompson sampling would play it."""

    metric: str
    variant: str
    best: float
    top_two: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Two shares under flat priors: the chance that treatment is better, and what choosing either arm loses on average.

    The losses are differences of shares, over all pairs of shares that the data leave.
    """

    metric: str
    treatment: str
    chance: float
    loss_treatment: float
    loss_control: float


@dataclass(frozen=True, slots=True)
class Worth:
    """What a test with this standard error is worth if the smallest worthwhile effect is true (Gelman, Carlin 2014)."""

    metric: str
    treatment: str
    effect: float
    power: float
    type_s: float
    exaggeration: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """How many of a share's events must fall into treatment for an effect to be shown, at any look.

    events    units with the event in both arms
    observed  of them, those in treatment
    expected  of them, in treatment if there is no effect: by the split
    few       as few, or fewer, show that treatment has fewer events; None: no number would
    many      as many, or more, show that it has more; None: no number would
    """

    metric: str
    treatment: str
    method: str
    events: int
    observed: int
    expected: float
    few: int | None
    many: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """Evidence that one comparison moved at all, and whether it survives among all of them.

    e         e-value at this look: its expectation without an effect is at most 1, whenever it is read
    survives  whether e-BH names it, with false discoveries of at most 1 - level among all that it names
    """

    metric: str
    treatment: str
    e: float
    survives: bool


@dataclass(frozen=True, slots=True)
class Family:
    """All comparisons together.

    any_success  Simes' p-value that no success metric moved in any arm; None for plans with looks, or one hypothesis
    hypotheses   how many it is about
    moved        every comparison's evidence
    """

    any_success: float | None
    hypotheses: int
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class LaterLooks:
    """How the looks to come may end, under a group-sequential plan; its futility bounds are left out.

    look           the planned look that is read
    looks          how many are planned
    units          of both arms now
    units_to_come  until the plan's end, at the pace of its looks
    statistic      estimate over standard error now, positive where treatment is better
    boundary       the plan's at this look, at this hypothesis' share of alpha
    obrien_fleming, pocock   where those shapes have it
    shown          whether a look up to now shows an effect
    chance_as_seen       chance that a later look shows the treatment better if the effect is as it looks now
    chance_if_worthwhile the same if it is the smallest worthwhile one; None where the plan names none
    rest_must_show       the effect that the units to come must show, on the metric's scale, for the last look to show
                         the treatment better; None where no effect would
    """

    metric: str
    treatment: str
    look: int
    looks: int
    units: float
    units_to_come: float
    statistic: float
    boundary: float
    obrien_fleming: float
    pocock: float
    shown: bool
    is_share: bool
    effect: float
    chance_as_seen: float | None
    chance_if_worthwhile: float | None
    rest_must_show: float | None


@dataclass(frozen=True, slots=True)
class SplitOverTime:
    """The sample ratio of one epoch, read after every day: whether, and since when, the units do not fit their split.

    days        ISO dates
    units       counted up to each day's end, in all arms
    p_value     at any look, the smallest so far
    since       the first day on which it was at most alpha; None where it never was
    """

    epoch: str | None
    days: tuple[str, ...]
    units: tuple[int, ...]
    p_value: tuple[float, ...]
    alpha: float
    since: str | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The readings in the order of the design's metrics, and what the same data say beside them.

    units  readings from rows of units; None where only moments were read
    """

    readings: tuple[OtherReading, ...]
    chances: tuple[Chance, ...]
    worth: tuple[Worth, ...]
    level: float
    choices: tuple[Choice, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    family: Family | None = None
    later_looks: tuple[LaterLooks, ...] = ()
    splits: tuple[SplitOverTime, ...] = ()
    units: UnitReadings | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; what is undetermined has its reason."""
        from paribus.experiments.plain import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain

    def text(self) -> str:
        """A table by comparison."""
        from paribus.experiments.sensitivity.text import lines

        return "\n".join(lines(self))

    def __repr__(self) -> str:
        return self.text()
