"""The size of the first success metric by the conventions of other calculators, and how it becomes the plan's own.

Calculators know two arms, one metric, and one reading or a classic boundary; they know no guardrails, no correction
and no covariates. So their rows take the plan's level and power as they stand, and `steps` lead from there to the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from paribus.experiments.plan import Method
from paribus.experiments.sample_size import Comparison, Reader
from paribus.experiments.sizes import plan_for
from paribus.experiments.sizing_result import Sizing
from paribus.metrics.definition import SHARES, MetricType
from paribus.stats.group_sequential import group_sequential_design
from paribus.stats.metric_power import MetricVariance, sample_size_relative
from paribus.stats.power import SampleSize, sample_size_means
from paribus.stats.proportion_power import ProportionTest, sample_size_proportions
from paribus.stats.sequential_power import sample_size_sequential
from paribus.stats.spending import OBRIEN_FLEMING, POCOCK, WangTsiatis


@dataclass(frozen=True, slots=True)
class OtherSize:
    """What one convention asks for, in control and one treatment arm.

    per_arm      units of the treatment arm
    total        of both arms, at most
    expected_h1  of both arms on average when the effect is as planned; h0 without any
    change       relative difference of `total` to what Paribus takes for one reading at the end
    is_own       whether it is what Paribus takes
    why          what it supposes
    """

    key: str
    name: str
    per_arm: int
    total: int
    expected_h1: float
    expected_h0: float
    change: float
    is_own: bool
    why: str


@dataclass(frozen=True, slots=True)
class Step:
    """Units that are asked for after one more property of the plan is counted on."""

    words: str
    units: int


@dataclass(frozen=True, slots=True)
class OtherSizes:
    """Sizes by other conventions, the way to the plan's own, and what has no row with its reason."""

    metric: str
    confidence_level: float
    power: float
    is_even: bool
    sizes: tuple[OtherSize, ...]
    steps: tuple[Step, ...]
    left_out: tuple[str, ...]

    def text(self) -> str:
        """The sizes as a table, at most 80 columns wide."""
        from paribus.experiments.other_sizes_text import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        from paribus.experiments.plain import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain

    def __repr__(self) -> str:
        return self.text()


def other_sizes(s: Sizing) -> OtherSizes:
    """What other calculators say to the same question as a sizing."""
    c = s.nominal
    moved = c.baseline + (c.distance if c.upward else -c.distance)
    left_out: list[str] = []
    rows: list[OtherSize] = []
    steps: tuple[Step, ...] = ()
    if s.type in SHARES and not 0 < moved < 1:
        left_out.append(f"No calculator for shares has an answer where one of {c.baseline:.3g} becomes {moved:.3g}.")
    elif c.power <= c.alpha:
        left_out.append(f"No calculator takes a power of {c.power:g} at an alpha of {c.alpha:g}.")
        steps = tuple(_steps(s))
    else:
        rows = [*_read_once(s.type, c, left_out), *_by_boundary(c, s.fractions, left_out)]
        own = next(row.total for row in rows if row.is_own)
        rows = [replace(row, change=row.total / own - 1) for row in rows]
        steps = tuple(_steps(s))
    return OtherSizes(
        s.metric, s.plan.confidence_level, s.plan.power, c.ratio == 1, tuple(rows), steps, tuple(left_out)
    )


_SHARES: tuple[tuple[ProportionTest, str, str], ...] = (
    (
        "pooled",
        "pooled z",
        "the variance of both arms' common share where nothing happens: the chi-squared test, R's power.prop.test",
    ),
    ("unpooled", "unpooled z", "each arm's own variance, as in Wald and delta intervals"),
    ("arcsine", "arcsine (Cohen's h)", "shares on a scale where all have one variance: R's pwr.2p.test"),
    (
        "evan-miller",
        "Evan Miller's calculator",
        "control's variance in both arms where nothing happens",
    ),
)


def _read_once(kind: MetricType, c: Comparison, left_out: list[str]) -> Iterator[OtherSize]:
    sign = 1.0 if c.upward else -1.0
    if kind in SHARES and not c.undated:
        for test, name, why in _SHARES:
            found = sample_size_proportions(
                c.baseline, effect=sign * c.distance, test=test, power=c.power, alpha=c.alpha, ratio=c.ratio
            )
            yield _row(test.replace("-", "_"), name, found, why, is_own=c.share and test == "pooled")
    elif kind in SHARES:
        left_out.append("Calculators for shares take units as independent; these come in clusters.")
    lift = sign * c.distance / c.baseline
    found = sample_size_relative(
        MetricVariance(c.baseline, c.variance), lift, power=c.power, alpha=c.alpha, ratio=c.ratio
    )
    why = "control's variance in both arms, by the t distribution: R's power.t.test, tea-tasting's relative effects"
    yield _row("relative_t", "Student's t", found, why, is_own=not c.share)
    if kind not in SHARES:
        found = sample_size_means(
            sign * c.distance, math.sqrt(c.variance), power=c.power, alpha=c.alpha, ratio=c.ratio, reference="z"
        )
        yield _row("z", "normal z", found, "the variance as known: the formula 16 sd² / effect² of textbooks")


def _by_boundary(c: Comparison, fractions: tuple[float, ...], left_out: list[str]) -> Iterator[OtherSize]:
    if c.undated:
        left_out.append("Classic boundaries are for metrics that are read by day; quantiles and clusters are not.")
        return
    yield from (_sequential(c, fractions, name, rule) for name, rule in _BOUNDARIES)


_BOUNDARIES = (("Pocock", POCOCK), ("O'Brien-Fleming", OBRIEN_FLEMING))


def _sequential(c: Comparison, fractions: tuple[float, ...], name: str, rule: WangTsiatis) -> OtherSize:
    design = group_sequential_design(rule, information=fractions, alpha=c.alpha, power=c.power)
    control, treatment = c.variances(c.distance)
    sd = math.sqrt((control + treatment / c.ratio) / (1 + 1 / c.ratio))
    found = sample_size_sequential(design, c.distance, sd, ratio=c.ratio)
    first, last = design.critical[0], design.critical[-1]
    stops = f"stops at |z| ≥ {last:.2f} at every look"
    if abs(first - last) > 0.005:
        stops = f"stops at |z| ≥ {first:.2f} at the first look, {last:.2f} at the last"
    row = _row(name.lower().replace("'", "").replace("-", "_"), f"{name}, {len(fractions)} looks", found.maximum, stops)
    return replace(row, expected_h1=found.expected_h1, expected_h0=found.expected_h0)


def _row(key: str, name: str, found: SampleSize, why: str, *, is_own: bool = False) -> OtherSize:
    whole = found.whole
    total = int(whole.total)
    return OtherSize(key, name, int(whole.treatment), total, float(total), float(total), 0.0, is_own, why)


def _steps(s: Sizing) -> Iterator[Step]:
    """From one comparison read once to the plan's own size; what the plan does not have is no step."""
    once = Reader(replace(s.plan, method=Method.FIXED))
    c, first, chosen = s.nominal, s.first, s.chosen
    yield Step("one metric, two arms, read once", _whole(once, c))
    if first.alpha != c.alpha:
        c = replace(c, alpha=first.alpha)
        yield Step(f"error of {first.alpha:.3g}, corrected for several comparisons", _whole(once, c))
    if first.power != c.power:
        c = replace(c, power=first.power)
        yield Step(f"power of {first.power:.3g}, so that guardrails pass too", _whole(once, c))
    if s.plain is not None:
        c = first
        yield Step("less variance by covariates", _whole(once, c))
    if s.plan.method is not Method.FIXED:
        own = Reader(plan_for(s.plan, s.plan.method, s.loss_threshold), s.own_fractions)
        yield Step(f"read by the plan's method, {s.plan.method.value.replace('_', ' ')}", _whole(own, first))
    asks = f", as {chosen.binding} asks" if chosen.binding != s.metric else ""
    yield Step(f"the plan: {s.arms} arms{asks}", chosen.maximum)


def _whole(reader: Reader, c: Comparison) -> int:
    control = reader.total(c) / (1 + c.ratio)
    return int(SampleSize(control, control * c.ratio).whole.total)
