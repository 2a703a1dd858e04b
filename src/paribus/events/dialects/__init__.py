"""The intake dialects, and which one a request is of."""

from __future__ import annotations

from paribus.errors import NotFound
from paribus.events.dialects.amplitude import AmplitudeDialect
from paribus.events.dialects.cloudevents import CloudEventsDialect
from paribus.events.dialects.dialect import Dialect, route_of
from paribus.events.dialects.history import AmplitudeHistory, CsvHistory, MixpanelHistory, SegmentHistory
from paribus.events.dialects.mixpanel import MixpanelDialect
from paribus.events.dialects.otlp import OtlpDialect
from paribus.events.dialects.paribus import ParibusDialect
from paribus.events.dialects.posthog import PostHogDialect
from paribus.events.dialects.replay import ReplayDialect
from paribus.events.dialects.segment import RudderStackDialect, SegmentDialect
from paribus.events.dialects.snowplow import SnowplowDialect
from paribus.events.request import IntakeRequest

__all__ = ["REGISTRY", "Dialect", "dialect_named", "match", "root_routes"]

REGISTRY: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        ParibusDialect(),
        SegmentDialect(),
        RudderStackDialect(),
        AmplitudeDialect(),
        MixpanelDialect(),
        PostHogDialect(),
        SnowplowDialect(),
        OtlpDialect(),
        CloudEventsDialect(),
    )
}

_INNER: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (ReplayDialect(), AmplitudeHistory(), MixpanelHistory(), SegmentHistory(), CsvHistory())
}
"""Dialects without a route: replays and imports."""

_ROUTES: dict[str, tuple[Dialect, ...]] = {
    route: tuple(dialect for dialect in REGISTRY.values() if route in dialect.routes)
    for dialect in REGISTRY.values()
    for route in dialect.routes
}


def match(request: IntakeRequest) -> Dialect | None:
    """The dialect of a request by its path, its method and, where two share a path, its body; None for other requests.

    Each route is served at the vendor's root path and under /intake/<dialect>/, with and without a trailing slash.
    """
    route = route_of(request)
    if request.path.startswith("/intake/"):
        named = REGISTRY.get(request.path[len("/intake/") :].partition("/")[0])
        return named if named is not None and _serves(named, request, route) else None
    for dialect in _ROUTES.get(route, ()):
        if _serves(dialect, request, route):
            return dialect
    return None


def _serves(dialect: Dialect, request: IntakeRequest, route: str) -> bool:
    return request.method in dialect.routes.get(route, ()) and dialect.accepts(request, route)


def root_routes() -> list[tuple[str, str, str]]:
    """(dialect, method, path) of every route, at the vendor's root and under /intake/<dialect>."""
    found = []
    for name, dialect in REGISTRY.items():
        for route, methods in dialect.routes.items():
            for method in sorted(methods):
                found.append((name, method, route))
                found.append((name, method, f"/intake/{name}{route}"))
    return found


def dialect_named(name: str) -> Dialect:
    """The dialect of a landing row.

    Raises:
        NotFound: no dialect has that name.
    """
    found = REGISTRY.get(name) or _INNER.get(name)
    if found is None:
        raise NotFound(f"no intake dialect {name!r}", rule="one of " + ", ".join(REGISTRY))
    return found
