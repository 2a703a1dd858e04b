"""The tables and checks as a dbt project for DuckDB, over Parquet files of the lake's events."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from paribus.workflow.artifact import File
from paribus.workflow.facts.pipeline import CheckPlan, TablePlan
from paribus.workflow.pipeline.writers import Plan

SOURCE = "lake"
_CLAUSES = "SELECT|FROM|LEFT JOIN|JOIN|WHERE|QUALIFY|GROUP BY|WINDOW|UNION ALL"
EVENTS = "{{ env_var('PIPELINE_EVENTS', 'data/*.parquet') }}"


def dbt_project(plan: Plan) -> list[File]:
    """Project, profile, source, a model per table with its columns, and its checks as data and unit tests."""
    models = [table for table in plan.tables if table.kind != "source"]
    sources = [table for table in plan.tables if table.kind == "source"]
    files = [
        _yaml("dbt_project.yml", {
            "name": plan.name, "version": "1.0.0", "config-version": 2, "profile": plan.name,
            "model-paths": ["models"], "test-paths": ["tests"], "target-path": "target",
            "flags": {"send_anonymous_usage_stats": False},
            "models": {plan.name: {"staging": {"+materialized": "view"}, "star": {"+materialized": "table"}}},
        }),
        _yaml("profiles.yml", {
            plan.name: {"target": "local", "outputs": {"local": {
                "type": "duckdb", "path": "{{ env_var('PIPELINE_WAREHOUSE', 'target/star.duckdb') }}", "threads": 2,
                "settings": {"TimeZone": "UTC"},
            }}}
        }),
        _yaml("models/sources.yml", {
            "version": 2,
            "sources": [{"name": SOURCE, "description": "Events that Paribus wrote.",
                         "tables": [_source(table) for table in sources]}],
        }),
        _yaml("models/models.yml", {"version": 2, "models": [_model(table, plan.checks) for table in models]}),
        _yaml("models/unit_tests.yml", {"version": 2, "unit_tests": _unit_tests(plan)}),
    ]  # fmt: skip
    for table in models:
        folder = "staging" if table.kind == "staging" else "star"
        files.append(File(path=f"models/{folder}/{table.name}.sql", text=_sql(table, plan)))
    files += [
        File(path=f"tests/{_identifier(check.id)}.sql", text=_singular(check))
        for check in plan.checks
        if check.kind in ("accepted_values", "range") and check.table == "fct_event"
    ]
    return [File(path=f"dbt/{each.path}", text=each.text) for each in files]


def _yaml(path: str, body: dict[str, Any]) -> File:
    return File(path=path, text=yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=200))


def _source(table: TablePlan) -> dict[str, Any]:
    return {
        "name": table.name,
        "description": f"{table.description} One row is {table.grain}.",
        "meta": {"external_location": f"read_parquet('{EVENTS}', union_by_name = true)", **_governance(table)},
        "columns": [_column(table, column.name, ()) for column in table.columns],
    }


def _model(table: TablePlan, checks: Any) -> dict[str, Any]:
    own = [check for check in checks if check.table == table.name]
    body: dict[str, Any] = {
        "name": table.name,
        "description": f"{table.description} One row is {table.grain}.",
        "config": {"meta": _governance(table)},
        "columns": [_column(table, column.name, own) for column in table.columns],
    }
    return body


def _governance(table: TablePlan) -> dict[str, Any]:
    return {"owner": table.owner, "personal": table.personal, "retention_days": table.retention_days}


def _column(table: TablePlan, name: str, checks: Any) -> dict[str, Any]:
    column = next(each for each in table.columns if each.name == name)
    tests: list[Any] = []
    for check in checks:
        if check.column != name or check.kind not in ("not_null", "unique", "relationships"):
            continue
        severity = {} if check.blocking else {"config": {"severity": "warn"}}
        if check.kind == "relationships":
            to, _, field = check.to.partition(".")
            tests.append({"relationships": {"arguments": {"to": f"ref('{to}')", "field": field}, **severity}})
        else:
            tests.append({check.kind: severity} if severity else check.kind)
    body: dict[str, Any] = {
        "name": name,
        "description": column.description,
        "data_type": column.type,
        "config": {"meta": {"personal": column.personal, "purpose": column.purpose,
                            "retention_days": column.retention_days}},
    }  # fmt: skip
    return {**body, **({"data_tests": tests} if tests else {})}


def _sql(table: TablePlan, plan: Plan) -> str:
    """The SELECT over refs, a clause to a line; facts are built from what is new."""
    text = _lines(table.sql)
    for name in sorted(table.depends_on, key=len, reverse=True):
        other = next(each for each in plan.tables if each.name == name)
        macro = f"source('{SOURCE}', '{name}')" if other.kind == "source" else f"ref('{name}')"
        text = _replace_relation(text, name, "{{ " + macro + " }}")
    if table.kind == "fact":
        head = "{{ config(materialized='incremental', unique_key='event_sk') }}\n\n"
        new = "{% if is_incremental() %}\nWHERE event_sk NOT IN (SELECT event_sk FROM {{ this }})\n{% endif %}\n"
        return f"{head}SELECT * FROM (\n{text}\n) AS fresh\n{new}"
    return f"{text}\n"


def _replace_relation(text: str, name: str, macro: str) -> str:
    """A relation's name where it is read: after FROM or JOIN."""
    return re.sub(rf"\b(FROM|JOIN) {re.escape(name)}(?=\s|\)|$)", lambda found: f"{found[1]} {macro}", text)


def _lines(text: str) -> str:
    """The statement with its clauses on lines of their own; what stands in quotes stays as it is."""
    parts = re.split(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")", text)
    broken = [
        part if i % 2 else re.sub(rf"(?<!LEFT)(?<!DISTINCT) (?=({_CLAUSES})\b)", "\n", part).replace("), ", "),\n")
        for i, part in enumerate(parts)
    ]
    return "".join(broken)


def _singular(check: CheckPlan) -> str:
    """Rows of one event that break a rule of the plan."""
    event, *rest = check.values
    column = f'"{check.column}"'
    where = f"event_name = {_literal(event)} AND {column} IS NOT NULL"
    if check.kind == "accepted_values":
        broken = f"{column} NOT IN ({', '.join(map(_literal, rest))})"
    else:
        low, high = rest
        broken = " OR ".join([*([f"{column} < {low}"] if low else []), *([f"{column} > {high}"] if high else [])])
    return f"-- {check.rule}\nSELECT * FROM {{{{ ref('fct_event') }}}} WHERE {where} AND ({broken})\n"


def _unit_tests(plan: Plan) -> list[dict[str, Any]]:
    """A case worked out by hand for each transformation that decides something."""
    exposure = {"flag": plan.feature, "environment": "prod", "assigned": "treatment", "reason": "SPLIT", "epoch": 1}
    staged = {"event_sk": "a", "event_name": "$exposure", "user_key": "u1", "properties": json.dumps(exposure),
              "event_time": "2026-01-01 10:00:00", "event_date": "2026-01-01"}  # fmt: skip
    other = {**staged, "event_sk": "b", "event_name": "something_done", "properties": "{}"}
    tests: list[dict[str, Any]] = [
        {
            "name": "exposures_are_told_from_events",
            "model": "fct_exposure",
            "overrides": {"macros": {"is_incremental": False}},
            "given": [{"input": "ref('stg_event')", "rows": [staged, other]}],
            "expect": {"rows": [{"event_sk": "a", "flag": plan.feature, "assigned": "treatment", "reason": "SPLIT"}]},
        },
        {
            "name": "events_are_told_from_exposures",
            "model": "fct_event",
            "overrides": {"macros": {"is_incremental": False}},
            "given": [{"input": "ref('stg_event')", "rows": [staged, other]}],
            "expect": {"rows": [{"event_sk": "b", "event_name": "something_done"}]},
        },
    ]
    users = next(table for table in plan.tables if table.kind == "dimension")
    attributes = [c.name for c in users.columns if any(i.startswith("stg_observation.") for i in c.inputs)]
    named = [name for name in attributes if name not in ("user_sk", "user_key", "valid_from", "valid_to", "is_current")]
    if named:
        rows = [
            {"event_sk": str(i), "user_key": "u1", "event_time": f"2026-01-0{i} 10:00:00", named[0]: value}
            for i, value in enumerate(("a", "a", "b"), 1)
        ]
        tests.append(
            {
                "name": "a_changed_attribute_opens_a_new_stretch",
                "model": "dim_user",
                "given": [{"input": "ref('stg_observation')", "rows": rows}],
                "expect": {
                    "rows": [
                        {"user_key": "u1", named[0]: "a", "is_current": False},
                        {"user_key": "u1", named[0]: "b", "is_current": True},
                    ]
                },
            }
        )
    return tests


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(text: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else "_" for each in text)
