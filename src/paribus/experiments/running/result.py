"""What running summaries say: each comparison at every checkpoint, read as at a fixed horizon and at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus.charts.svg import Figure

HEADING = "unregistered: no plan was sealed, so nothing here decides"


@dataclass(frozen=True, slots=True)
class IntervalRead:
    """An interval and its p-value; None where there is none, and for an end that is open."""

    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One comparison at one checkpoint; differences are treatment minus control, in units of the metric.

    fixed    as if this were the only reading, planned before
    anytime  an asymptotic confidence sequence, all checkpoints so far together
    mixture  a mixture sequential probability ratio test, where it was asked for
    reason   why there is no interval
    """

    time: str
    n_control: int
    n_treatment: int
    mean_control: float
    mean_treatment: float
    difference: float
    se: float | None
    fixed: IntervalRead
    anytime: IntervalRead
    mixture: IntervalRead | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoppedThere:
    """The effect at the checkpoint at which the sequence first showed it, without what stopping there adds."""

    value: float
    lower: float
    upper: float
    method: str


@dataclass(frozen=True, slots=True)
class RunningComparison:
    """One treatment against its control over all checkpoints; None where nothing of the kind happened.

    key               values of the columns that tell comparisons apart
    checkpoints       those at which both arms can be read, earlier first
    n_opt             units of both arms together at which the sequence is tightest
    naive_first       the first checkpoint with a fixed-horizon p-value below 1 - level
    naive_shown       at how many checkpoints it is
    naive_turns       how often it changes its mind
    naive_at_end      whether it is at the last one
    naive_held        whether the effect of `naive_first` is still shown at the last one, in its direction
    anytime_first     the first checkpoint at which the sequence shows an effect
    anytime_at_end    whether its interval at the last one is without zero
    mixture_first     the first checkpoint at which the mixture test shows one
    at_stop           the effect at `anytime_first`, without what stopping there adds; none for the last checkpoint
    peeking_error     chance that without an effect some checkpoint's fixed-horizon p-value is below 1 - level
    is_growing        information falls while units arrive: values of units go on growing
    sample_ratio_p    of the split, at the last checkpoint
    left_out          checkpoints that cannot be read, by the reason
    """

    key: tuple[str, ...]
    control: str
    treatment: str
    checkpoints: tuple[Checkpoint, ...]
    n_opt: float | None = None
    naive_first: str | None = None
    naive_shown: int = 0
    naive_turns: int = 0
    naive_at_end: bool = False
    naive_held: bool | None = None
    anytime_first: str | None = None
    anytime_at_end: bool = False
    mixture_first: str | None = None
    at_stop: StoppedThere | None = None
    peeking_error: float | None = None
    is_growing: bool = False
    sample_ratio_p: float | None = None
    left_out: Mapping[str, int] | None = None

    @property
    def last(self) -> Checkpoint | None:
        """The last checkpoint, None when there is none."""
        return self.checkpoints[-1] if self.checkpoints else None


@dataclass(frozen=True, slots=True)
class RunningReadings:
    """What running summaries say; it shows itself as tables.

    by            columns that tell comparisons apart
    has_variants  treatments are told apart by a column of the arm
    n_opt         as it was given; None: each comparison's own number of units at the end
    effect_sd     of the mixture test, as given
    summary       what was found, in sentences
    """

    heading: str
    summary: str
    level: float
    time: str
    by: tuple[str, ...]
    has_variants: bool
    n_opt: float | None
    effect_sd: float | None
    comparisons: tuple[RunningComparison, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    data_notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values by spec/running.schema.json."""
        return asdict(self)

    def text(self) -> str:
        """The result as sentences and tables."""
        from paribus.experiments.running.text import text

        return text(self)

    def page(self) -> str:
        """The result as one HTML file with a picture of each comparison."""
        from paribus.experiments.running.page import page

        return page(self)

    def plot(self, at: int = 0) -> Figure:
        """The intervals of one comparison over time, by its place in `comparisons`."""
        from paribus.experiments.running.page import picture

        return picture(self, self.comparisons[at])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from paribus.experiments.running.page import fragment

        return fragment(self)
