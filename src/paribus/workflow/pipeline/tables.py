"""The tables of the pipeline: the lake's events, and the star model made of them, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paribus.events.plan import PERSONAL_ORDER, EventDoc, PersonalClass, PlanDoc
from paribus.governance.privacy import IDENTITY, classify
from paribus.lake import star_sql as sql
from paribus.lake.star_sql import Measure, StarDefinition
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.pipeline import ColumnPlan, TablePlan

RETENTION = {"none": 1095, "pseudonymous": 400, "personal": 180, "sensitive": 30}  # days
EVENTS = "lake_events"
_LAKE = {
    "source": ("VARCHAR", "the dialect and the key that it came by"),
    "event_id": ("VARCHAR", "id that the client gave it"),
    "name": ("VARCHAR", "name of the event"),
    "unit_type": ("VARCHAR", "kind of unit that it names"),
    "unit": ("VARCHAR", "whom it happened to"),
    "user_id": ("VARCHAR", "the known person"),
    "anonymous_id": ("VARCHAR", "the device or browser"),
    "session_id": ("VARCHAR", "the session"),
    "corrected_time": ("TIMESTAMPTZ", "when it happened, by the server's clock"),
    "received_time": ("TIMESTAMPTZ", "when it arrived"),
    "properties": ("VARCHAR", "properties as JSON"),
    "context": ("VARCHAR", "context as JSON"),
    "planned": ("BOOLEAN", "whether the tracking plan declares it"),
    "landing_id": ("BIGINT", "which accepted request it came in"),
    "landing_index": ("BIGINT", "its place in that request"),
    "event_date": ("DATE", "day of the partition"),
}
_REQUIRED = {
    "source",
    "event_id",
    "name",
    "corrected_time",
    "received_time",
    "landing_id",
    "landing_index",
    "event_date",
}


@dataclass(frozen=True, slots=True)
class Use:
    """Why a property is kept, and who answers for it."""

    purpose: str
    owner: str
    personal: PersonalClass


def star_definition(plan: PlanDoc, instrument: InstrumentFacts, unit_type: str) -> StarDefinition:
    """The star model of a tracking plan: its properties, the cohort's attributes, and what the metrics count."""
    kinds = {name: part.type for event in plan.events.values() for name, part in event.properties.items()}
    names = {sql.property_column(name): name for name in sorted(kinds, reverse=True)}  # one per column
    attributes = tuple(each.name for each in instrument.cohorts if each.kind == "attribute")
    measures: dict[str, Measure] = {}
    for metric in instrument.metrics:
        for event in metric.events:
            if not event.startswith("$"):
                for each in (
                    Measure(event),
                    *(Measure(event, p) for p in metric.properties if _is_number(kinds.get(p))),
                ):
                    measures.setdefault(each.column, each)
    return StarDefinition(
        attributes, tuple((name, kinds[name]) for name in sorted(names.values())), tuple(measures.values()), unit_type
    )


def tables(
    plan: PlanDoc, definition: StarDefinition, uses: Mapping[str, Use], *, owner: str, evidence: str
) -> tuple[TablePlan, ...]:
    """Source, staging, facts, dimension and the wide table, with every column's origin."""

    def table(
        name: str, kind: str, grain: str, said: str, columns: Sequence[ColumnPlan], *after: str, text: str = "",
        key: Sequence[str] = (),
    ) -> TablePlan:  # fmt: skip
        personal = max((each.personal for each in columns), key=list[str](PERSONAL_ORDER).index)
        return TablePlan.model_validate(
            {
                "name": name, "kind": kind, "grain": grain, "description": said, "columns": columns,
                "depends_on": after, "sql": text, "key": key, "owner": owner, "personal": personal,
                "retention_days": min(each.retention_days for each in columns), "evidence": evidence,
            }
        )  # fmt: skip

    lake = [
        _column(
            name, kind, said, name in _REQUIRED, IDENTITY.get(name, _json_class(plan, name)), "source of everything"
        )
        for name, (kind, said) in _LAKE.items()
    ]
    return (
        table(EVENTS, "source", "an event, copies included", "The lake's events as they landed.", lake,
              key=("source", "event_id", "landing_id", "landing_index")),
        table("stg_event", "staging", "an event", "Each event once, its unit resolved.", _staged(plan), EVENTS,
              text=sql.stg_event(EVENTS, definition), key=("event_sk",)),
        table("fct_event", "fact", "an event that is no exposure", "What users did, planned properties as columns.",
              _event_columns(definition, uses), "stg_event", text=sql.fct_event("stg_event", definition),
              key=("event_sk",)),
        table("fct_exposure", "fact", "an exposure", "Who met which variant of which flag, when, and why.",
              _exposure_columns(), "stg_event", text=sql.fct_exposure("stg_event"), key=("event_sk",)),
        table("stg_observation", "staging", "an event of a user", "What an event says about its user.",
              _observed(definition), "stg_event", text=sql.stg_observation("stg_event", definition), key=("event_sk",)),
        table("dim_user", "dimension", "a user and a stretch of time with the same attributes",
              "Users with their history (slowly changing, type 2).", _user_columns(definition), "stg_observation",
              text=sql.dim_user("stg_observation", definition), key=("user_sk",)),
        table("obt_experiment", "wide", "a flag, an environment and a unit",
              "One big table: first randomized exposure, who it was then, what came after.",
              _wide_columns(definition), "fct_exposure", "fct_event", "dim_user",
              text=sql.obt_experiment("fct_exposure", "fct_event", "dim_user", definition),
              key=("flag", "environment", "user_key")),
    )  # fmt: skip


def uses_of(plan: PlanDoc, instrument: InstrumentFacts) -> dict[str, Use]:
    """For each property why it is kept: the metrics that read it, cohorts, the funnel, else exploration."""
    found: dict[str, Use] = {}
    cohorts = {each.name for each in instrument.cohorts if each.kind == "attribute"}
    for event_name, event in plan.events.items():
        for name, declared in event.properties.items():
            metrics = sorted(m.metric for m in instrument.metrics if name in m.properties and event_name in m.events)
            before = found.get(name)
            purpose = f"metric {', '.join(metrics)}" if metrics else "" if before is None else before.purpose
            purpose = purpose or ("segments" if name in cohorts else "funnel" if event.funnel else "exploration")
            if before is not None and before.purpose.startswith("metric") and not metrics:
                purpose = before.purpose
            highest = max(declared.personal, before.personal if before else "none", key=PERSONAL_ORDER.index)
            found[name] = Use(purpose, event.owner or (before.owner if before else ""), highest)
    return found


def ungoverned(plan: PlanDoc, uses: Mapping[str, Use]) -> tuple[str, ...]:
    """Properties that lack an owner or a purpose, or whose class is lower than their name suggests."""
    missing = []
    for event_name, event in plan.events.items():
        for name, declared in event.properties.items():
            use = uses[name]
            lacks = [word for word, value in (("owner", _owner(event)), ("purpose", use.purpose)) if not value]
            suggested = classify(name)
            if PERSONAL_ORDER.index(declared.personal) < PERSONAL_ORDER.index(suggested):
                lacks.append(f"class: {declared.personal}, but its name suggests {suggested}")
            if lacks:
                missing.append(f"{event_name}.{name} lacks {', '.join(lacks)}")
    return tuple(missing)


def _owner(event: EventDoc) -> str:
    return event.owner


def _is_number(kind: str | None) -> bool:
    return kind in ("number", "integer")


def _json_class(plan: PlanDoc, column: str) -> PersonalClass:
    """JSON columns hold whatever the plan declares at its most personal; the context is at least pseudonymous."""
    if column not in ("properties", "context"):
        return "none"
    classes: list[PersonalClass] = [p.personal for e in plan.events.values() for p in e.properties.values()]
    return max(["pseudonymous", *classes] if column == "context" else ["none", *classes], key=PERSONAL_ORDER.index)


def _column(
    name: str, kind: str, said: str, required: bool, personal: PersonalClass, purpose: str, *inputs: str
) -> ColumnPlan:
    return ColumnPlan(
        name=name, type=kind, description=said, required=required, personal=personal, purpose=purpose,
        retention_days=RETENTION[personal], inputs=inputs,
    )  # fmt: skip


def _from(table: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{table}.{name}" for name in names)


def _staged(plan: PlanDoc) -> list[ColumnPlan]:
    return [
        _column("event_sk", "VARCHAR", "key: hash of source and event id", True, "none", "identity of the event",
                *_from(EVENTS, "source", "event_id")),
        _column("event_name", "VARCHAR", "name of the event", True, "none", "all metrics", *_from(EVENTS, "name")),
        _column("user_key", "VARCHAR", "the unit", False, "pseudonymous", "randomization unit",
                *_from(EVENTS, "unit_type", "unit", "user_id")),
        _column("session_id", "VARCHAR", "the session", False, "pseudonymous", "visits", *_from(EVENTS, "session_id")),
        _column("event_time", "TIMESTAMPTZ", "when it happened", True, "none", "windows",
                *_from(EVENTS, "corrected_time")),
        _column("received_time", "TIMESTAMPTZ", "when it arrived", True, "none", "freshness",
                *_from(EVENTS, "received_time")),
        _column("event_date", "DATE", "day", True, "none", "partition", *_from(EVENTS, "event_date")),
        _column("properties", "VARCHAR", "properties as JSON", False, _json_class(plan, "properties"),
                "what the plan does not declare", *_from(EVENTS, "properties")),
        _column("context", "VARCHAR", "context as JSON", False, _json_class(plan, "context"), "segments",
                *_from(EVENTS, "context")),
        _column("is_planned", "BOOLEAN", "whether the plan declares it", False, "none", "coverage",
                *_from(EVENTS, "planned")),
        _column("landing_id", "BIGINT", "which accepted request it came in", True, "none", "first of copies",
                *_from(EVENTS, "landing_id")),
        _column("landing_index", "BIGINT", "its place in that request", True, "none", "first of copies",
                *_from(EVENTS, "landing_index")),
    ]  # fmt: skip


def _event_columns(definition: StarDefinition, uses: Mapping[str, Use]) -> list[ColumnPlan]:
    base = {
        "event_sk": ("VARCHAR", "key", "none"),
        "event_name": ("VARCHAR", "name of the event", "none"),
        "user_key": ("VARCHAR", "the unit", "pseudonymous"),
        "session_id": ("VARCHAR", "the session", "pseudonymous"),
        "event_time": ("TIMESTAMPTZ", "when it happened", "none"),
        "received_time": ("TIMESTAMPTZ", "when it arrived", "none"),
        "event_date": ("DATE", "day", "none"),
        "is_planned": ("BOOLEAN", "whether the plan declares it", "none"),
    }
    columns = [
        _column(name, kind, said, name in ("event_sk", "event_name", "event_time", "event_date", "received_time"),
                personal, "facts", *_from("stg_event", name))  # type: ignore[arg-type]
        for name, (kind, said, personal) in base.items()
    ]  # fmt: skip
    for name, kind in definition.properties:
        use = uses[name]
        columns.append(
            _column(sql.property_column(name), sql.TYPES[kind], f"property {name}", False, use.personal, use.purpose,
                    *_from("stg_event", "properties"))
        )  # fmt: skip
    return columns


def _exposure_columns() -> list[ColumnPlan]:
    fields = {
        "flag": ("VARCHAR", "the flag"), "environment": ("VARCHAR", "environment of the flag"),
        "assigned": ("VARCHAR", "variant by the split: analyses use it"),
        "served": ("VARCHAR", "variant that was shown"), "reason": ("VARCHAR", "only SPLIT is randomized"),
        "revision": ("BIGINT", "revision of the flag"), "epoch": ("BIGINT", "stretch with one split"),
        "traffic_bp": ("BIGINT", "traffic in basis points"), "split_bp": ("BIGINT", "the variant's basis points"),
        "probability": ("DOUBLE", "probability of this variant"),
    }  # fmt: skip
    columns = [
        _column("event_sk", "VARCHAR", "key", True, "none", "identity", *_from("stg_event", "event_sk")),
        _column("user_key", "VARCHAR", "the unit", False, "pseudonymous", "analysis", *_from("stg_event", "user_key")),
    ]
    columns += [
        _column(name, kind, said, name in ("flag", "assigned", "reason"), "none", "analysis",
                *_from("stg_event", "properties"))
        for name, (kind, said) in fields.items()
    ]  # fmt: skip
    columns += [
        _column("event_time", "TIMESTAMPTZ", "when", True, "none", "analysis", *_from("stg_event", "event_time")),
        _column("event_date", "DATE", "day", True, "none", "partition", *_from("stg_event", "event_date")),
    ]
    return columns


def _observed(definition: StarDefinition) -> list[ColumnPlan]:
    columns = [
        _column("event_sk", "VARCHAR", "key", True, "none", "identity", *_from("stg_event", "event_sk")),
        _column("user_key", "VARCHAR", "the unit", True, "pseudonymous", "history", *_from("stg_event", "user_key")),
        _column("event_time", "TIMESTAMPTZ", "when", True, "none", "history", *_from("stg_event", "event_time")),
    ]
    return columns + [
        _column(name, "VARCHAR", f"attribute {name}", False, classify(name), "segments",
                *_from("stg_event", "context", "properties"))
        for name in definition.attributes
    ]  # fmt: skip


def _user_columns(definition: StarDefinition) -> list[ColumnPlan]:
    at = "stg_observation"
    columns = [
        _column("user_sk", "VARCHAR", "key of this stretch", True, "pseudonymous", "joins",
                *_from(at, "user_key", "event_time")),
        _column("user_key", "VARCHAR", "the unit", True, "pseudonymous", "joins", *_from(at, "user_key")),
    ]  # fmt: skip
    columns += [
        _column(name, "VARCHAR", f"attribute {name}", False, classify(name), "segments", *_from(at, name))
        for name in definition.attributes
    ]
    columns += [
        _column("valid_from", "TIMESTAMPTZ", "from when", True, "none", "history", *_from(at, "event_time")),
        _column("valid_to", "TIMESTAMPTZ", "until when, open for the current one", False, "none", "history",
                *_from(at, "event_time")),
        _column("is_current", "BOOLEAN", "whether it still holds", True, "none", "history", *_from(at, "event_time")),
    ]  # fmt: skip
    return columns


def _wide_columns(definition: StarDefinition) -> list[ColumnPlan]:
    x = "fct_exposure"
    columns = [
        _column("flag", "VARCHAR", "the flag", True, "none", "analysis", *_from(x, "flag")),
        _column("environment", "VARCHAR", "its environment", True, "none", "analysis", *_from(x, "environment")),
        _column("user_key", "VARCHAR", "the unit", True, "pseudonymous", "analysis", *_from(x, "user_key")),
        _column("variant", "VARCHAR", "variant assigned first", True, "none", "analysis", *_from(x, "assigned")),
        _column("epoch", "BIGINT", "epoch of that exposure", False, "none", "analysis", *_from(x, "epoch")),
        _column("exposed_at", "TIMESTAMPTZ", "first exposure", True, "none", "windows", *_from(x, "event_time")),
        _column("is_mixed", "BOOLEAN", "met two variants in one epoch", True, "none", "health",
                *_from(x, "assigned", "epoch")),
        _column("first_seen", "TIMESTAMPTZ", "first event ever", False, "none", "cohorts",
                *_from("dim_user", "valid_from")),
    ]  # fmt: skip
    columns += [
        _column(name, "VARCHAR", f"{name} at exposure", False, classify(name), "segments", *_from("dim_user", name))
        for name in definition.attributes
    ]
    for each in definition.measures:
        read = ("event_name", sql.property_column(each.number)) if each.number else ("event_name",)
        said = f"sum of {each.number} of {each.event} after exposure" if each.number else f"{each.event} after exposure"
        kind = "DOUBLE" if each.number else "BIGINT"
        columns.append(_column(each.column, kind, said, True, "none", "metrics", *_from("fct_event", *read)))
    return columns
