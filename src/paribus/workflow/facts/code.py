"""What steps 7 to 9 generate: a service, a page, a model; how each is started and what it sends."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class Route(Part):
    """One route of the service, what it sends, and the page element that leads to it."""

    method: str
    path: str
    events: tuple[str, ...]
    """Planned events that one successful request sends, in order."""
    element: str = ""
    """Id of the link or button that performs it; empty: the address itself."""
    decision: str = ""
    """Decision point that the route passes."""
    once: bool = False
    """Whether its events are sent once per visit only."""
    screen: str = ""
    """Path of the page that the element stands on."""
    leads_to: str = ""
    """Path of the page that comes after it."""


class CodedDecision(Part):
    """A decision point as it stands in the code."""

    id: str
    function: str
    """module.function"""
    after: str
    """The event that stands directly before it."""
    path: str
    """The screen that shows its outcome."""
    evaluations: int
    exposures: int
    evidence: str


class TestRun(Part):
    """A run of generated tests."""

    __test__ = False

    command: str
    passed: int
    failed: int
    note: str = ""
    evidence: str


class BackendFacts(Part):
    """A service that can be started.

    command           what starts it, in the folder that holds the generated files; `{python}` is an interpreter with
                      `requirements` installed
    port_variable     environment variable with the port to listen on, at 127.0.0.1
    variables         environment variables it reads, each with its meaning
    health            path that answers 200 when it serves
    access_log        where each request leaves its line, and the fields of that line
    forms             fields that each interaction's form carries, with their sample values, by element id
    """

    framework: str
    provider: str
    package: str
    command: tuple[str, ...]
    port_variable: str = "PORT"
    variables: dict[str, str]
    health: str = "/health"
    metrics_path: str = "/metrics"
    start_path: str = "/"
    access_log: str
    routes: tuple[Route, ...]
    decisions: tuple[CodedDecision, ...]
    interactions: dict[str, str]
    """Event by id of the page element, as the page is served."""
    forms: dict[str, dict[str, str]] = {}
    attributes: tuple[str, ...] = ()
    """Attributes that the service gives to the flag's rules."""
    requirements: tuple[str, ...]
    openapi: dict[str, Any] = {}
    """OpenAPI 3.1 description of the routes, without numbers that are not status codes."""
    tests: TestRun
    removal: dict[str, str]
    """File of the artifact that removes the losing arm, by loser."""
    evidence: str = "generation"


class FrontendFacts(Part):
    """The page of that service.

    assets      folder of the artifact that the service's PAGE_ASSETS names, after `build`
    build       commands that build it; empty: nothing to build
    page_events events that the page sends by itself
    """

    kind: str
    assets: str
    build: tuple[str, ...] = ()
    script: str
    interactions: dict[str, str]
    sent_by_page: tuple[str, ...] = ()
    """Planned events that the page sends where scripts run; without them the service sends them."""
    page_events: tuple[str, ...]
    variants: tuple[str, ...]
    same_events: bool
    """Whether every variant offers the same interactions."""
    recording: str
    mobile: str
    test_command: str
    evidence: str = "generation"


class ModelVariant(Part):
    """One model as a variant of the flag."""

    variant: str
    model: str
    sha256: str
    inputs: tuple[str, ...]
    owner: str
    quality: dict[str, Measured] = {}
    """Quality on rows that were not trained on: log loss, AUC, calibration."""
    evidence: str


class ModelFacts(Part):
    """Models that decide, their fallback and what watches them."""

    label: str
    """What the model predicts."""
    features: tuple[str, ...]
    features_from: str
    """Where the feature definitions come from: the pipeline's feature views, or the exploration's events."""
    variants: tuple[ModelVariant, ...]
    chain: tuple[str, ...]
    """Who answers when the one before fails, ending with the rule."""
    budget_ms: Measured
    p50_ms: Measured | None = None
    p99_ms: Measured | None = None
    drift: dict[str, Any] = {}
    """Watch on inputs and scores: rows per window, thresholds, false-alarm rate; objects with evidence."""
    pipeline: str = ""
    """Command that trains, converts, registers and serves again."""
    tests: TestRun | None = None
    evidence: str = "generation"
