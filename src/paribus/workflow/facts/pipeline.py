"""How events become the tables that people query: one neutral plan that every writer reads."""

from __future__ import annotations

from typing import Any, Literal

from paribus.workflow.artifact import Measured, Part

Hop = Literal["intake", "landing", "cleaned", "served"]
CheckKind = Literal[
    "contract", "not_null", "unique", "accepted_values", "relationships", "range", "freshness", "volume", "reconciled"
]


class ColumnPlan(Part):
    """A column of a table."""

    name: str
    type: str
    """As DuckDB names it."""
    description: str
    required: bool = False
    personal: str = "none"
    purpose: str = ""
    """Why it is kept."""
    retention_days: int
    inputs: tuple[str, ...] = ()
    """table.column it is made of."""


class TablePlan(Part):
    """A table: what a row is, where it comes from, who answers for it."""

    name: str
    kind: Literal["source", "staging", "dimension", "fact", "wide"]
    grain: str
    description: str
    columns: tuple[ColumnPlan, ...]
    depends_on: tuple[str, ...] = ()
    sql: str = ""
    """The SELECT that makes it, over the names of the tables it depends on."""
    key: tuple[str, ...] = ()
    owner: str
    personal: str = "none"
    """The highest class of its columns."""
    retention_days: int
    evidence: str


class CheckPlan(Part):
    """A check of the data, and at which hop it is made."""

    id: str
    hop: Hop
    kind: CheckKind
    table: str
    column: str = ""
    rule: str
    """In words."""
    values: tuple[str, ...] = ()
    to: str = ""
    """table.column that it refers to."""
    blocking: bool = True


class TaskPlan(Part):
    """A step of a run."""

    id: str
    command: str
    depends_on: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    retries: int
    retry_minutes: int
    evidence: str


class OptionPlan(Part):
    """One way to run it, with what it costs and how late its data are."""

    name: str
    components: tuple[str, ...]
    cost_per_month: Measured
    p95_freshness_seconds: Measured
    moving_parts: int
    chosen: bool
    why: str
    evidence: str


class ComponentPlan(Part):
    """A part of storage or processing: why it, and what was not taken."""

    name: str
    role: str
    why: str
    rejected: str
    status: Literal["live", "waits"] = "live"


class AlertPlan(Part):
    """When somebody is told, and what they then do."""

    name: str
    when: str
    severity: Literal["page", "ticket"]
    runbook: str
    """Name of the runbook, a file of the artifact."""
    expression: str = ""
    """As Prometheus reads it, where the server exports it."""


class PipelineFacts(Part):
    """The pipeline plan."""

    tables: tuple[TablePlan, ...]
    checks: tuple[CheckPlan, ...]
    tasks: tuple[TaskPlan, ...]
    schedule: str
    """As cron writes it, UTC."""
    events_per_second: Measured
    peak_events_per_second: Measured | None = None
    freshness_seconds: Measured
    """Target: how old the newest row may be, at the 95th percentile."""
    delivery: str
    consistency: str
    options: tuple[OptionPlan, ...]
    components: tuple[ComponentPlan, ...]
    alerts: tuple[AlertPlan, ...]
    streaming: dict[str, str] = {}
    """What is live, and what waits."""
    batch: dict[str, str] = {}
    feature_store: dict[str, Any] = {}
    """applicable, and why or why not"""
    masking: dict[str, str] = {}
    """Treatment by personal class."""
    lineage: tuple[dict[str, Any], ...] = ()
    """Jobs with inputs and outputs."""
    flow: dict[str, Any] = {}
    """The data flow diagram, drawn from the lineage."""
    star: dict[str, Any] = {}
    """The definition of the star model that Paribus keeps."""
    reused: tuple[str, ...] = ()
    """What was there already and is used."""
    missing: tuple[str, ...] = ()
    """Properties without owner, class, purpose or retention."""
    quality: tuple[dict[str, Any], ...] = ()
    """The quality of each day's events so far: time, metric, value, good, of; kept as a time series in the store."""
    evidence: str = "plan"
