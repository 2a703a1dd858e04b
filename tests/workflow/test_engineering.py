"""Eight requests of a data engineer, each answered in eight parts and accepted; spoiled plans are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from paribus.app.engineering import COMMANDS, engineered
from paribus.charts.graph import Edge
from paribus.cli import app
from paribus.errors import InputError
from paribus.workflow.engineering import Answer, answer, review, understood
from paribus.workflow.engineering.page import markdown

REQUESTS = {
    "streaming": "Design a real-time streaming pipeline that processes 1M events per second from Kafka to BigQuery",
    "stack": "Build a modern data stack with dbt, Snowflake, and Fivetran for dimensional modeling",
    "lakehouse": "Implement a cost-optimized data lakehouse architecture using Delta Lake on AWS",
    "quality": "Create a data quality framework that monitors and alerts on data anomalies",
    "tenants": "Design a multi-tenant data platform with proper isolation and governance",
    "cdc": "Build a change data capture pipeline for real-time synchronization between databases",
    "mesh": "Implement a data mesh architecture with domain-specific data products",
    "late": "Create a scalable ETL pipeline that handles late-arriving and out-of-order data",
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_each_request_gets_a_plan_that_is_accepted(kind: str) -> None:
    plan = engineered(REQUESTS[kind])
    assert plan["kind"] == kind
    assert plan["objections"] == []
    text = markdown(plan)
    assert [line[3] for line in text.splitlines() if line.startswith("## ")] == [str(part) for part in range(1, 9)]
    assert "The checker accepts this plan." in text
    assert engineered(REQUESTS[kind]) == plan


def test_plans_differ_by_what_is_asked() -> None:
    flows = {engineered(request)["flow"] for request in REQUESTS.values()}
    assert len(flows) == len(REQUESTS)
    small = answer("a streaming pipeline for 50 events per second")
    assert next(each.name for each in small.options if each.chosen) == "embedded"
    large = engineered(REQUESTS["streaming"])
    (chosen,) = [each for each in large["options"] if each["chosen"]]
    assert chosen["components"][0] == "200 servers"  # 4 million events a second in the busiest hour, 20,000 each
    assert {each["id"] for each in large["named"]} >= {"queue/kafka", "warehouse/bigquery"}
    assert {each["depth"] for each in large["named"] if each["id"] == "warehouse/bigquery"} == {"unverified"}


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("stream 1M events per second", 1e6),
        ("stream 1,500 events per minute", 25.0),
        ("stream 8.64 million rows a day", 100.0),
        ("stream 20k messages/s", 20_000.0),
    ],
)
def test_a_rate_is_read_in_its_unit(text: str, per_second: float) -> None:
    found = understood(text)
    assert found.stated
    assert found.per_second == pytest.approx(per_second)


def test_what_is_not_known_is_refused_with_an_example() -> None:
    with pytest.raises(InputError, match="nothing that is known"):
        answer("paint the office blue")


def spoiled() -> dict[str, tuple[Answer, str]]:
    """Plans with one thing wrong, and what the checker has to say of it."""
    plan = answer(REQUESTS["late"])
    first = plan.components[0]
    circle = replace(plan.flow, edges=(*plan.flow.edges, Edge("results", "door")))
    ways = tuple(each.model_copy(update={"chosen": False}) for each in plan.options)
    silent = {**plan.requirements, "assumed": []}
    tables: tuple[dict[str, Any], ...] = ({**plan.tables[0], "owner": ""}, *plan.tables[1:])
    return {
        "assumption": (replace(plan, requirements=silent), "a rate is assumed"),
        "reason": (replace(plan, components=(replace(first, why=""), *plan.components[1:])), "no reason"),
        "part": (
            replace(plan, components=(replace(first, part="queue/rabbit"), *plan.components[1:])),
            "does not exist",
        ),
        "circle": (replace(plan, flow=circle), "circles"),
        "alone": (replace(plan, flow=replace(plan.flow, edges=plan.flow.edges[1:])), "nothing goes to or from"),
        "hop": (replace(plan, checks=plan.checks[1:]), "no check at the hop intake"),
        "ways": (replace(plan, options=ways), "0 ways are chosen"),
        "owner": (replace(plan, tables=tables), "has no owner"),
        "runbook": (replace(plan, runbooks={}), "has no runbook"),
        "errors": (replace(plan, errors=()), "nothing is said about failures"),
    }


@pytest.mark.parametrize("what", spoiled())
def test_the_checker_finds_what_is_missing(what: str) -> None:
    plan, said = spoiled()[what]
    assert any(said in each for each in review(plan, {"client/python", *COMMANDS}))


def test_commands_that_plans_name_exist() -> None:
    for command in COMMANDS:
        done = CliRunner().invoke(app, [*command.split()[1:], "--help"])
        assert done.exit_code == 0, command
    assert isinstance(app, typer.Typer)
