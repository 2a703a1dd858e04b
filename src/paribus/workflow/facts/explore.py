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
    present: dict[str, float] = {}
    """Share of the event's rows that carry the property."""
    choices: dict[str, tuple[str, ...]] = {}
    """The values seen under the name of each text property that has few of them, in whatever event."""
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


class Attribute(Part):
    """What units can be told apart by; flags can be decided by it when the client sends it with the context."""

    name: str
    type: str = "string"
    values: tuple[str, ...]
    in_context: bool
    evidence: str


class Segment(Part):
    """A group of units by behavior or attribute; `rule` is a flag condition where it can be one."""

    key: str
    title: str
    rule: dict[str, Any] | None = None
    units: Measured
    stability: Measured | None = None
    behavior: dict[str, Any] | None = None
    """Of a group by behavior: `when`, its words as a condition on attributes that a client has to send, and `named`,
    the units that this condition names; the group itself is a cluster around it."""


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
    intra_unit_correlation: float | None = None
    """Between two days of the same unit."""
    evidence: str


class Entry(Part):
    """The units that reach an event, as an experiment would get them whose exposure stands there."""

    event: str
    daily: Measured
    """Units per day that reach it for the first time."""
    arrivals: tuple[float, ...] = ()
    """By day since the start of `arrivals`."""
    baselines: tuple[Baseline, ...] = ()
    """Metrics of these units from that event on."""
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
    best_segment: str = ""
    """Whose rate the plausible best is."""
    lost_conversions: Measured | None = None
    """Units per year of those lost that would have reached the funnel's end at the usual rates; ranks the list."""
    p_value: float | None = None
    """Of no loss, adjusted for every segment and step looked at."""
    evidence: str = "bottlenecks"


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
    attributes: tuple[Attribute, ...] = ()
    """What segments and targeting can be made of."""
    entries: tuple[Entry, ...] = ()
    """Places of the funnel where an experiment could expose, with what it would get there."""
    quality: dict[str, Any] = {}
    """Rows left out, repeats, late events, programs; with its evidence."""
    journeys: dict[str, Any] = {}
    """Transitions within visits, and where visits end; with its evidence."""
    series: dict[str, Any] = {}
    """Units and events by day, with the days left out; with its evidence."""
