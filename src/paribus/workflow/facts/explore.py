"""What step 1 found: how the product is used, measured on its own events."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class Window(Part):
    """The stretch of history that was read; dates are UTC, `end` is not in it."""

    start: str
    end: str
    days: int
    evidence: str


class EventProfile(Part):
    """One event of the history."""

    name: str
    count: int
    units: int
    properties: dict[str, str] = {}
    """Type by property."""
    evidence: str


class FunnelStep(Part):
    """One step: the units that reached it in order and in time, and their share of the step before."""

    event: str
    units: int
    share: Measured
    median_seconds: float | None = None


class Funnel(Part):
    """An ordered funnel within a window, per unit."""

    name: str
    window_hours: float
    steps: tuple[FunnelStep, ...]
    evidence: str


class Segment(Part):
    """A group of units by behavior or attribute; `rule` is a flag condition where it can be one."""

    key: str
    title: str
    rule: dict[str, Any] | None = None
    units: Measured
    stability: Measured | None = None


class Baseline(Part):
    """A metric before the feature; `definition` is the metric as the experiment document will hold it."""

    metric: str
    definition: dict[str, Any]
    mean: Measured
    sd: float
    units: int
    pre_period_correlation: float | None = None
    autocorrelation: float | None = None
    weekly: tuple[float, ...] = ()
    """Relative level per weekday, Monday first, 1 = the mean."""
    skew: float | None = None
    evidence: str


class Bottleneck(Part):
    """Where users are lost against a plausible best. Observational: it sizes an opportunity, it proves no cause."""

    id: str
    funnel: str
    from_event: str
    to_event: str
    segment: str = ""
    rate: Measured
    best: Measured
    lost_units: Measured
    """Units per year that the best rate would add."""
    reach: Measured
    """Units per day at `from_event`, in the segment."""


class Finding(Part):
    """A pattern, an anomaly, a hole in the data; hypotheses cite findings by id."""

    id: str
    kind: str
    statement: str
    size: Measured | None = None
    evidence: str


class ExploreFacts(Part):
    """The exploration report."""

    window: Window
    units: Measured
    daily_new_units: Measured
    """First-time units per day: the arrivals that an experiment gets."""
    arrivals: tuple[float, ...] = ()
    """Units first seen in the window, by day since its start: the arrival curve."""
    evidence: str = "arrivals"
    events: tuple[EventProfile, ...]
    funnels: tuple[Funnel, ...] = ()
    segments: tuple[Segment, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    bottlenecks: tuple[Bottleneck, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Patterns, anomalies and data holes."""
    engagement: dict[str, Any] = {}
    """Daily, weekly, monthly units, stickiness, retention grid, session length; each object with its evidence."""
