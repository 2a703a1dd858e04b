"""What step 2 believes, and what it would be worth."""

from __future__ import annotations

from typing import Any, Literal

from paribus.workflow.artifact import Measured, Part


class Forecast(Part):
    """A prediction that is scored later: a quantity with its distribution, and the chance of an event."""

    lift: Measured
    """Relative effect on the success metric, prior mean and interval."""
    chance_of_success: Measured
    value_per_year: Measured | None = None
    chance_of_loss: Measured | None = None


class Hypothesis(Part):
    """Because, we believe, for whom, will, measured by."""

    id: str
    because: str
    """What was found, in words."""
    change: str
    """What is built: the requirement, or a candidate."""
    for_whom: str
    segment: str = ""
    """Key of a segment of the exploration; empty: everyone."""
    expected: str
    """What will happen, with direction."""
    measured_by: str
    """Name of the success metric."""
    findings: tuple[str, ...] = ()
    """Ids of bottlenecks and findings; none: an opinion, and marked so."""
    source: Literal["finding", "opinion", "model", "follow_up"] = "finding"
    reach: Measured
    ice: Measured
    rice: Measured
    expected_value: Measured | None = None
    """Money of the first year under the rule, net of building."""
    forecast: Forecast
    days: Measured | None = None
    """Until its experiment has found the effect planned for, in full weeks; value None where it never does."""
    base: Measured | None = None
    """The success metric per unit at the place of the change, without it."""


class HypothesizeFacts(Part):
    """Ranked hypotheses; the first is tested. `metrics` are definitions as an experiment document holds them."""

    hypotheses: tuple[Hypothesis, ...]
    chosen: str
    metrics: tuple[dict[str, Any], ...]
    """Success first, then guardrails with margins, then secondary."""
    evidence: str = "metrics"
    smallest_worthwhile: Measured
    """Relative effect at which value pays for cost."""
    detectable: Measured
    """Relative effect detectable in the planned runtime."""
    minimum_detectable_effect: Measured
    """What the plan is sized for."""
    economics: dict[str, Any] = {}
    """Value per unit of the success metric, costs, horizon; objects with evidence."""
    support: dict[str, Any] = {}
    """What of the exploration the requirement speaks of, and the words that nothing speaks of."""
    ranking: dict[str, Any] = {}
    """Order, what it follows, and how stable it is when the inputs vary."""
    tree: tuple[dict[str, Any], ...] = ()
    """From the metric to money a year, factor by factor; each with its interval."""
    prior: dict[str, Any] = {}
    """What is believed of the effect before, and where that comes from."""
    choices: tuple[dict[str, Any], ...] = ()
    """Per metric: role, baseline, and why it was chosen and its margin."""
    dots: dict[str, Any] = {}
    """Quantiles of the forecasts, each an equal share of the chance."""
