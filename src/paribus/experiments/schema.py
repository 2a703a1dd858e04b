"""The schema of experiment.yaml: what may stand where. What it means together is checked in `meaning`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from paribus.experiments.scalars import (
    Confidence,
    Fragment,
    LowerPercentile,
    Name,
    Number,
    Positive,
    PositiveShare,
    Probability,
    Share,
    Time,
    UpperPercentile,
    Weight,
    Whole,
    complaint,
    shown,
)

SCHEMA_ID = "urn:paribus:experiment:1"


Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class Part(BaseModel):
    """Strict about types, closed to unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class SourceDoc(Part):
    """The database to ask. Without it, tables are files beside the experiment file."""

    url: Annotated[str, Field(min_length=1)]
    """SQLAlchemy URL, a DuckDB file, …; ${NAME} is read from the environment, so that no password stands here."""


class UnitsDoc(Part):
    """One row per unit, with its variant and its metric columns."""

    table: Name
    """File, glob of files, or table."""
    unit: Name
    """Column with the unit's id."""
    variant: Name
    """Column with the unit's variant."""
    exposed_at: Name | None = None
    """Column with the time of first exposure; without it there is no daily view."""
    stratum: Name | None = None
    """Column with the stratum for post-stratification."""
    epoch: Name | None = None
    """Column with the allocation epoch."""
    cluster: Name | None = None
    """Column with the randomized cluster, when units were randomized in clusters."""
    filter: Fragment | None = None
    """SQL condition that a row must pass."""


class ExposuresDoc(Part):
    """Who met which variant when: many rows per unit, the earliest counts."""

    table: Name
    """File, glob of files, or table."""
    unit: Name
    """Column with the unit's id."""
    variant: Name
    """Column with the assigned variant."""
    time: Name
    """Column with the time of the exposure."""
    epoch: Name | None = None
    """Column with the allocation epoch."""
    probability: Name | None = None
    """Column with the probability of this variant."""
    reason: Name | None = None
    """Column with the reason; only SPLIT enters the analysis."""
    served: Name | None = None
    """Column with the variant that was served."""
    stratum: Name | None = None
    """Column with the stratum for post-stratification."""
    cluster: Name | None = None
    """Column with the randomized cluster, when units were randomized in clusters."""
    filter: Fragment | None = None
    """SQL condition that a row must pass."""


class EventsDoc(Part):
    """Rows of facts about units: orders, page views, errors."""

    table: Name
    """File, glob of files, or table."""
    unit: Name
    """Column with the unit's id."""
    time: Name
    """Column with the time of the event."""
    filter: Fragment | None = None
    """SQL condition that a row must pass."""
    event_id: Name | None = None
    """Column with the event's id: rows with the same id are one event."""
    session: Name | None = None
    """Column with the session's id."""


class VariantDoc(Part):
    """One arm."""

    weight: Weight | None = None
    """Its part of the split; weights may add up to anything."""
    description: str = ""
    """What this arm is."""


class CapDoc(Part):
    """Winsorizing limits: numbers, or percentiles (0 to 100)."""

    lower: Number | None = None
    upper: Number | None = None
    lower_percentile: LowerPercentile | None = None
    """For instance 0.1."""
    upper_percentile: UpperPercentile | None = None
    """For instance 99.9."""
    over: Literal["pre_period", "pooled"] = "pre_period"
    """Which values the percentile is taken over; pooled only for a fixed horizon."""


class CovariateDoc(Part):
    """A covariate from before exposure, for CUPED."""

    days: Positive | None = None
    """The same metric in this many days before exposure."""
    value: Fragment | None = None
    """SQL expression; with one row per unit, over its columns."""
    source: Name | None = None
    """Events to read it from, when not the metric's own."""
    event: Name | None = None
    """With a flag: name of the events to read it from, when not the metric's own."""
    filter: Fragment | None = None
    """SQL condition that a row must pass."""


class MarginDoc(Part):
    """The largest acceptable harm: relative, or in the metric's own unit."""

    relative: Share | None = None
    absolute: Number | None = None


class AbsoluteMarginDoc(Part):
    """The largest acceptable harm in the metric's own unit."""

    absolute: Number


class StepDoc(Part):
    """One step of a funnel."""

    name: Name
    source: Name | None = None
    """Events of this step."""
    event: Name | None = None
    """With a flag: name of the events of this step."""
    where: Fragment | None = None
    """SQL condition of this step."""


def _covariate(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


def _margin(value: Any) -> Any:
    return value if isinstance(value, dict) else {"relative": value}


CovariateOrFragment = Annotated[
    CovariateDoc, BeforeValidator(_covariate, json_schema_input_type=CovariateDoc | Annotated[str, Field(min_length=1)])
]
Margin = Annotated[MarginDoc, BeforeValidator(_margin, json_schema_input_type=Share | AbsoluteMarginDoc)]


class MetricDoc(Part):
    """What every metric has."""

    name: Name
    """The name in reports and in plan.smallest_worthwhile."""
    role: Literal["success", "guardrail", "secondary"] = "success"
    """success can ship, guardrail must not get worse than its margin, secondary only explains."""
    direction: Literal["increase", "decrease"] = "increase"
    """Which way is better."""
    source: Name | None = None
    """Events to read, when there are exposures and events."""
    event: Name | None = None
    """With a flag: name of the events to read."""
    filter: Fragment | None = None
    """SQL condition that a row must pass."""
    window_days: Positive | None = None
    """Only rows within this many days after exposure, and only units whose window has closed."""
    margin: Margin | None = None
    """Guardrails: the largest acceptable harm, 1% or {absolute: 20}."""
    description: str = ""


class MeanDoc(MetricDoc):
    """The sum of value per unit, averaged over units."""

    type: Literal["mean"]
    value: Fragment | None = None
    """SQL expression; with one row per unit the default is the column with the metric's name."""
    cap: CapDoc | None = None
    """Winsorizing."""
    covariates: list[CovariateOrFragment] = []
    """What is known from before exposure, to narrow the intervals (CUPED)."""


class ProportionDoc(MetricDoc):
    """The share of units with a row that passes, or whose value is true."""

    type: Literal["proportion"]
    value: Fragment | None = None
    """SQL condition; with one row per unit the default is the column with the metric's name."""
    covariates: list[CovariateOrFragment] = []


class CountDoc(MetricDoc):
    """The number of rows per unit, averaged over units."""

    type: Literal["count"]
    cap: CapDoc | None = None
    covariates: list[CovariateOrFragment] = []


class RatioDoc(MetricDoc):
    """The sum of value over all units, divided by the sum of denominator over all units."""

    type: Literal["ratio"]
    value: Fragment
    """SQL expression of the numerator."""
    denominator: Fragment
    """SQL expression of the denominator."""
    denominator_source: Name | None = None
    """Events of the denominator, when not the numerator's."""
    denominator_event: Name | None = None
    """With a flag: name of the denominator's events, when not the numerator's."""
    denominator_filter: Fragment | None = None
    """SQL condition of the denominator's rows, when not the numerator's."""
    cap: CapDoc | None = None
    covariates: list[CovariateOrFragment] = []


class QuantileDoc(MetricDoc):
    """A quantile of value over units, or over rows with rows clustered by unit."""

    type: Literal["quantile"]
    quantile: Probability
    """For instance 0.95."""
    value: Fragment | None = None
    """SQL expression; with one row per unit the default is the column with the metric's name."""
    level_of_rows: Literal["unit", "row"] = "unit"


class FunnelDoc(MetricDoc):
    """The share of units that go through ordered steps within the window."""

    type: Literal["funnel"]
    steps: Annotated[list[StepDoc], Field(min_length=1)]
    given: Whole = 0
    """Conversion among the units that reached this step; 0 is all exposed units."""


class RetentionDoc(MetricDoc):
    """The share of units seen again between two days after exposure."""

    type: Literal["retention"]
    retention_days: Annotated[list[Whole], Field(min_length=2, max_length=2)]
    """First and last day, for instance [7, 13]."""


AnyMetric = Annotated[
    Annotated[MeanDoc, Tag("mean")]
    | Annotated[ProportionDoc, Tag("proportion")]
    | Annotated[CountDoc, Tag("count")]
    | Annotated[RatioDoc, Tag("ratio")]
    | Annotated[QuantileDoc, Tag("quantile")]
    | Annotated[FunnelDoc, Tag("funnel")]
    | Annotated[RetentionDoc, Tag("retention")],
    Discriminator("type"),
]
METRIC_TYPES: dict[str, type[MetricDoc]] = {
    "mean": MeanDoc,
    "proportion": ProportionDoc,
    "count": CountDoc,
    "ratio": RatioDoc,
    "quantile": QuantileDoc,
    "funnel": FunnelDoc,
    "retention": RetentionDoc,
}


class PriorDoc(Part):
    """A normal prior of a metric's relative effect."""

    mean: Share = 0.0
    sd: PositiveShare = 0.3
    origin: Annotated[str, Field(min_length=1)] = "weak prior"
    """Where it comes from, for instance '42 past experiments'."""


class GraphDoc(Part):
    """A graphical correction: the first weights of the hypotheses and what each passes on when it is rejected."""

    weights: list[Annotated[float, Field(ge=0, le=1)]]
    transitions: list[list[Annotated[float, Field(ge=0, le=1)]]]


class IndicatorDoc(Part):
    """A leading metric: read at any time by a sequence of its own; it warns, or holds the ramp, and never decides."""

    metric: Name
    """A metric of this document that has a value for each unit or is a ratio; a short window tells soonest."""
    rule: Literal["warn", "hold"] = "warn"
    """What a bad sign does: it is said, or it also keeps traffic from widening."""
    worse_than: Share = 0.0
    """Relative loss, 0 or above, that is no bad sign yet."""


class PlanDoc(Part):
    """What is agreed before data."""

    method: Literal["fixed", "group_sequential", "anytime", "bayesian"] = "fixed"
    """The one method that decides."""
    confidence_level: Confidence = 0.95
    power: Probability = 0.8
    min_sample_size: Whole = 0
    """Matured units per arm before any verdict but invalid and roll back."""
    start: Time | None = None
    """First instant of the analysis window; a date is its first instant in time_zone."""
    end: Time | None = None
    """First instant after the window; a date is its first instant in time_zone."""
    runtime_days: Positive | None = None
    looks: list[Positive] = []
    """Planned looks in days after start."""
    spending: Literal["obrien_fleming", "pocock", "kim_demets", "hwang_shih_decani"] | None = None
    spending_parameter: Number | None = None
    futility: Literal["none", "non_binding", "binding"] = "none"
    n_opt: Positive | None = None
    """anytime: number of units at which the sequence is tightest."""
    planned_units: Positive | None = None
    """Units in all arms together at the end."""
    correction: Literal["holm", "bonferroni", "hochberg", "dunnett", "graph", "none"] = "holm"
    graph: GraphDoc | None = None
    smallest_worthwhile: dict[Name, PositiveShare] = {}
    """Relative effect, by metric, below which a difference does not matter."""
    deterioration_alpha: Probability = 0.025
    priors: dict[Name, PriorDoc] = {}
    loss_threshold: PositiveShare | None = None
    """bayesian: ship when the expected relative loss is below this."""
    rope: Annotated[list[Share], Field(min_length=2, max_length=2)] | None = None
    """bayesian: the relative effects that count as none, for instance [-0.5%, 0.5%]."""
    cuped: bool = True
    srm_alpha: Probability = 0.001
    early_indicators: list[IndicatorDoc] = []
    """Leading metrics with a rule of their own."""


def _variants(value: Any) -> Any:
    if isinstance(value, list):
        names = [getattr(item, "text", item) for item in value]
        for name in names:
            if not isinstance(name, str):
                raise complaint(
                    f"{shown(name)} is not a variant's name", fix='write the name in quotes, "true" for instance'
                )
        if len(set(names)) < len(names):
            raise complaint("a variant is listed twice")
        return {name: {} for name in names}
    if isinstance(value, dict):
        return {name: item if isinstance(item, dict) else {"weight": item} for name, item in value.items()}
    raise complaint(f"{shown(value)} is not a set of variants", fix="write {control: 50, treatment: 50}")


def _interference(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        key, item = next(iter(value.items()))
        return f"{key}: {getattr(item, 'text', item)}"
    if value is None:
        return "none"
    return value


VariantNames = Annotated[list[Name], Field(min_length=2)]
Interference = Annotated[
    str,
    BeforeValidator(
        _interference,
        json_schema_input_type=Annotated[
            str, Field(pattern=r"^(none because .+|cluster: .+|switchback|shared_resource)$")
        ]
        | Annotated[dict[Literal["cluster"], Name], Field(min_length=1, max_length=1)],
    ),
]


class ExperimentDoc(Part):
    """An experiment: its arms, its data, its metrics and its plan."""

    paribus: Literal[1]
    """Version of this format."""
    experiment: Key
    """The experiment's key."""
    title: str = ""
    kind: Literal["ab", "cluster", "switchback", "holdback", "global_holdout"] = "ab"
    """How units are randomized."""
    interference: Interference
    """Can a unit's variant change another's outcome? 'none because …', 'cluster: KEY', switchback, shared_resource."""
    time_zone: str = "UTC"
    """Days are days in this zone, for instance Europe/Berlin."""
    tolerance_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """Events up to this long before exposure still count as after it."""
    flag: Key | None = None
    """The flag whose exposures in the lake are analyzed; its events are then named by metrics, event: NAME."""
    environment: Key | None = None
    """With a flag: only exposures of this environment."""
    unit_type: Key | None = None
    """With a flag: what the units are; user when omitted."""
    identity: Literal["none", "first"] = "none"
    """With a flag: first reads a linked anonymous id as the user it was linked to first."""
    source: SourceDoc | None = None
    units: UnitsDoc | None = None
    exposures: ExposuresDoc | None = None
    events: dict[Name, EventsDoc] = {}
    variants: Annotated[
        dict[Name, VariantDoc],
        BeforeValidator(_variants, json_schema_input_type=dict[str, Weight | VariantDoc] | VariantNames),
    ]
    """The arms and their weights; a list of names when the split is not known."""
    control: Name | None = None
    """Default: the only arm named control, ctrl, baseline, a, 0, off or false."""
    metrics: Annotated[list[AnyMetric], Field(min_length=1)]
    segments: list[Name] = []
    """Columns of units or exposures to break results down by."""
    plan: PlanDoc = PlanDoc()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of experiment.yaml, as published in spec/experiment.schema.json."""
    schema = _without_titles(ExperimentDoc.model_json_schema(by_alias=True, mode="validation"))
    schema["patternProperties"] = {"^x-": {"description": "Yours: a place for anchors."}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
        "title": "Paribus experiment",
    }


def json_schema_text() -> str:
    """The published file's text."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _without_titles(schema: Any) -> Any:
    """Drops the titles that pydantic makes from names: editors show them in place of the descriptions."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
