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
