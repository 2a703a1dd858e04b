"""What a sizing says, as data; `sizing_text` puts it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.experiments.assurance import Assurance
from paribus.experiments.operating import Characteristics
from paribus.experiments.plan import Method, Plan
from paribus.experiments.sample_size import Comparison
from paribus.metrics.definition import MetricType
from paribus.stats.estimate import Undetermined

if TYPE_CHECKING:
    from paribus.charts import Figure
    from paribus.experiments.other_sizes import OtherSizes

MDE_DAYS = 14


@dataclass(frozen=True, slots=True)
class MethodSize:
    """What one method needs; units are those of all arms together unless said.

    per_arm         largest sample, in the smallest treatment arm
    expected_h1     expected sample when the success metric's effect is as planned (it stops early); h0 without any
    days            until the largest sample has arrived and matured, in full weeks; None without arrivals
    false_positive  probability that the first success metric is shown better without any effect
    detectable      relative effect of the first success metric found with the planned power after `MDE_DAYS` days
    looks           days of the looks; none for a fixed horizon, or without arrivals
    binding         the metric that asks for the most
    """

    method: Method
    per_arm: int
    maximum: int
    expected_h1: float
    expected_h0: float
    days: int | Undetermined | None
    days_h1: int | Undetermined | None
    days_h0: int | Undetermined | None
    false_positive: float
    detectable: float | None
    looks: tuple[int, ...]
    binding: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One method's detectable relative effect and power for the planned effect, by days (or units without arrivals)."""

    name: str
    x: tuple[float, ...]
    detectable: tuple[float, ...]
    power: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Peeking:
    """What comes of stopping a plan for one reading at the first significant day of `looks`, equally spaced.

    error  probability that a comparison without any effect is significant on one of them
    """

    looks: int
    alpha: float
    error: float

    @property
    def sentence(self) -> str:
        """What daily looks would do to the error that the plan promises."""
        return (
            f"Looking on each of the {self.looks} days and stopping at the first p < {self.alpha:.2g} would call a "
            f"useless feature better or worse in {numbers.share(self.error)} of experiments."
        )


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer to "how many, how long, how small": sizes by method, curves, and the whole rule as simulated.

    metric        the first success metric, whose baseline and effect head the table
    plain         the deciding method's size without CUPED, where CUPED helps
    by_metric     units of all arms that each comparison asks for, under the deciding method
    x             what the curves run over: "days" or "units"
    loss_threshold  of the Bayesian rule, relative: the plan's, or the one of `sample_size.calibrated_loss`
    first         the first success metric's comparison with all that the plan asks of it
    nominal       the same at the plan's level and power as they stand, without covariates
    fractions     planned looks as shares of the end, where there are any; own_fractions: the deciding method's
    peeking       a fixed plan that is read every day; None without a calendar
    assurance     None where nothing is believed of the effect
    """

    title: str
    metric: str
    baseline: float
    sd: float
    mde: float
    plan: Plan
    arms: int
    guardrails: int
    daily_units: float | None
    sizes: tuple[MethodSize, ...]
    by_metric: Mapping[str, int]
    curves: tuple[Curve, ...]
    x: str
    rule: tuple[Characteristics, ...]
    loss_threshold: float
    type: MetricType
    first: Comparison
    nominal: Comparison
    fractions: tuple[float, ...]
    own_fractions: tuple[float, ...]
    peeking: Peeking | None = None
    assurance: Assurance | None = None
    plain: MethodSize | None = None
    plain_curve: Curve | None = None
    variance_reduction: float = 0.0
    is_share: bool = False
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def chosen(self) -> MethodSize:
        """The deciding method's size."""
        return next(size for size in self.sizes if size.method is self.plan.method)

    def text(self) -> str:
        """The sizing as a paper's table, at most 80 columns wide."""
        from paribus.experiments.sizing_text import text

        return text(self)

    def compare(self) -> OtherSizes:
        """Sizes by the conventions of other calculators and by classic boundaries, and why they differ."""
        from paribus.experiments.other_sizes import other_sizes

        return other_sizes(self)

    def to_dict(self) -> dict[str, Any]:
        """The sizing as plain JSON values."""
        from paribus.experiments.sizing_text import plain

        return plain(self)

    def plot(self, *, width: float = 720) -> Figure:
        """The detectable effect against days (or units), one curve per method; `save("power.svg")` writes it."""
        from paribus.experiments.sizing_text import plot

        return plot(self, width=width)

    def __repr__(self) -> str:
        return self.text()

    def _repr_svg_(self) -> str:
        return self.plot().svg
