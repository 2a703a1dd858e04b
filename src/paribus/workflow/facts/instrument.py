"""Which events measure it."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Part


class MetricEvents(Part):
    """The events a metric is made of, and who sends them."""

    metric: str
    role: str
    events: tuple[str, ...]
    sent_by: str
    """backend, frontend or sdk"""
    properties: tuple[str, ...] = ()
    """Properties that the metric reads."""


class Difference(Part):
    """One difference of the plan to what stood before this feature."""

    event: str
    property: str = ""
    what: str


class Lapse(Part):
    """A name that breaks the taxonomy's rule, or is too like another."""

    event: str
    what: str
    instead: str = ""


class CohortKey(Part):
    """What units can be grouped by, and where it comes from."""

    name: str
    kind: str
    """first seen, first exposure, or attribute"""
    sql: str
    """Over `events` as the lake shows them."""


class InstrumentFacts(Part):
    """The tracking plan after this feature."""

    plan: dict[str, Any]
    """The whole tracking plan document, as applied."""
    added: tuple[str, ...]
    changed: tuple[str, ...] = ()
    funnel: tuple[str, ...]
    """The feature's funnel: event names in order."""
    metrics: tuple[MetricEvents, ...]
    unmapped: tuple[str, ...] = ()
    interactions: dict[str, str] = {}
    """Event by interaction of the page (element id) or route."""
    cohort_keys: tuple[str, ...] = ()
    evidence: str = "plan"
    differences: tuple[Difference, ...] = ()
    """Against the plan before this feature, in words."""
    lapses: tuple[Lapse, ...] = ()
    """What the taxonomy's linter says."""
    cohorts: tuple[CohortKey, ...] = ()
    senders: dict[str, str] = {}
    """backend, frontend or sdk, by event of the plan"""
    conflicts: tuple[str, ...] = ()
    """Properties that are left out, because their name has another type already."""
    quiet: tuple[str, ...] = ()
    """Planned events that no unit had in the history."""
