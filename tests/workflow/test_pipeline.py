"""Step 6: what the facts before it change in tables, contracts, lineage, options and generated files."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from openlineage.client.serde import Serde
from tests.workflow.drawn import Scene, designed, explored, hypothesized

from paribus.governance.contracts import read_contract
from paribus.workflow.artifact import Artifact, refuse_unsupported
from paribus.workflow.block import Diagram
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.pipeline import PipelineFacts
from paribus.workflow.steps import architect, instrument, pipeline


def scene_of(folder: Path, explore: ExploreFacts | None = None, config: Config | None = None, **design: Any) -> Scene:
    made = Scene(folder, config)
    made.give("explore", explore or explored())
    made.give("hypothesize", hypothesized(design.get("order", "order_completed")))
    made.give("design", designed(**design))
    made.step(architect.run)
    made.step(instrument.run)
    return made


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = scene_of(tmp_path)
    yield made
    made.close()


def facts(artifact: Artifact) -> PipelineFacts:
    return PipelineFacts.model_validate(artifact.facts)


def files(artifact: Artifact) -> dict[str, str]:
    return {each.path: each.text for each in artifact.files}


def test_the_eight_parts_stand_in_the_artifact(scene: Scene) -> None:
    made = scene.step(pipeline.run)
    assert not made.blocked
    refuse_unsupported(made, scene.context.artifacts)
    found = facts(made)
    assert found.events_per_second.value == pytest.approx(
        sum(e.count for e in explored().events) / (28 * 86_400), abs=1e-6
    )
    assert {each.hop for each in found.checks} == {"intake", "landing", "cleaned", "served"}
    assert [each.chosen for each in found.options] == [True, False]
    assert all(each.rejected or each.status == "waits" for each in found.components)
    assert found.feature_store["applicable"] is False
    assert found.feature_store["why"]
    text = " ".join(block.text for block in pipeline.present(made) if hasattr(block, "text"))
    for number in range(1, 9):
        assert f"{number}. " in text
    assert scene.step(pipeline.run).hash == made.hash


def test_twice_the_traffic_doubles_the_rate_and_a_torrent_changes_the_choice(tmp_path: Path) -> None:
    seen = explored()
    scene = scene_of(tmp_path, seen)
    before = facts(scene.step(pipeline.run)).events_per_second.value or 0.0
    for factor, chosen in ((2, "embedded"), (2_000_000, "distributed")):
        events = tuple(each.model_copy(update={"count": each.count * factor}) for each in seen.events)
        scene.give("explore", seen.model_copy(update={"events": events}))
        made = facts(scene.step(pipeline.run))
        assert made.events_per_second.value == pytest.approx(before * factor, rel=1e-3)
        assert next(each.name for each in made.options if each.chosen) == chosen
    scene.close()


def test_a_renamed_event_reaches_columns_sql_dbt_and_the_drawing(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, explored(rename={"order_completed": "order_paid"}), order="order_paid")
    made = scene.step(pipeline.run)
    wide = next(each for each in facts(made).tables if each.name == "obt_experiment")
    assert "n_order_paid" in [column.name for column in wide.columns]
    assert "'order_paid'" in files(made)["dbt/models/star/obt_experiment.sql"]
    assert "order_completed" not in json.dumps(made.body())
    scene.close()


def test_a_new_property_becomes_a_column_a_contract_and_lineage(tmp_path: Path) -> None:
    seen = explored()
    events = tuple(
        each.model_copy(update={"properties": {**each.properties, "email": "string"}})
        if each.name == "order_completed"
        else each
        for each in seen.events
    )
    scene = scene_of(tmp_path, seen.model_copy(update={"events": events}))
    made = scene.step(pipeline.run)
    facts_table = next(each for each in facts(made).tables if each.name == "fct_event")
    column = next(each for each in facts_table.columns if each.name == "p_email")
    assert (column.personal, column.retention_days) == ("personal", 180)
    assert facts_table.retention_days == 180
    contract = read_contract(files(made)["contracts/fct_event.odcs.yaml"])
    email = next(each for each in contract.schema_[0].properties if each.name == "p_email")
    assert email.classification == "confidential"
    assert "***" in files(made)["privacy/masked.sql"]
    scene.close()


def test_contracts_and_lineage_are_read_by_their_own_libraries(scene: Scene) -> None:
    made = scene.step(pipeline.run)
    contracts = {path: text for path, text in files(made).items() if path.startswith("contracts/")}
    assert len(contracts) == len(facts(made).tables)
    for text in contracts.values():
        contract = read_contract(text)
        assert contract.apiVersion.startswith("v3")
        assert contract.schema_[0].properties
        assert all(each.classification and each.description for each in contract.schema_[0].properties)
    events = [json.loads(line) for line in files(made)["lineage.jsonl"].splitlines()]
    assert {each["eventType"] for each in events} == {"START", "COMPLETE"}
    assert Serde.to_json(events[0])
    wide = next(
        each for each in events if each["outputs"][0]["name"] == "obt_experiment" and each["eventType"] == "COMPLETE"
    )
    columns = wide["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert {each["name"] for each in columns["n_order_completed"]["inputFields"]} == {"fct_event"}


def test_the_drawing_is_the_lineage(scene: Scene) -> None:
    made = scene.step(pipeline.run)
    drawn = next(block for block in pipeline.present(made) if isinstance(block, Diagram))
    for job in facts(made).lineage:
        for name in job["inputs"]:
            assert f"  {name} --> {job['output']}" in drawn.mermaid
    assert drawn.figure.svg.count("pb-node") > len(facts(made).tables)


def test_the_generated_statements_build_the_star_in_duckdb(scene: Scene) -> None:
    """Every table's SELECT runs over the one before it, and the masked views show by class."""
    made = scene.step(pipeline.run)
    connection = duckdb.connect()
    connection.execute(
        """CREATE TABLE lake_events AS SELECT 's' AS source, 'e' || i AS event_id,
        CASE WHEN i % 4 = 0 THEN '$exposure' ELSE 'order_completed' END AS name, 'user' AS unit_type,
        'u' || (i % 5) AS unit, NULL AS user_id, NULL AS anonymous_id, NULL AS session_id,
        TIMESTAMPTZ '2026-01-01' + to_minutes(i) AS corrected_time, TIMESTAMPTZ '2026-01-02' AS received_time,
        DATE '2026-01-01' AS event_date, '{"device":"mobile"}' AS context, true AS planned, i AS landing_id,
        0 AS landing_index, CASE WHEN i % 4 = 0 THEN '{"flag":"f","assigned":"control","reason":"SPLIT","epoch":1}'
        ELSE '{"revenue": 2.5}' END AS properties FROM range(40) AS t(i)"""
    )
    for table in facts(made).tables:
        if table.sql:
            connection.execute(f"CREATE TABLE {table.name} AS {table.sql}")
            described = connection.execute(f"DESCRIBE {table.name}").fetchall()
            planned = {column.name for column in table.columns}
            assert planned == {row[0] for row in described}, table.name  # no column without words
    first = {unit: min(i for i in range(0, 40, 4) if i % 5 == unit) for unit in range(5)}
    after = sum(i >= first[i % 5] for i in range(40) if i % 4)
    assert connection.execute("SELECT count(*), sum(n_order_completed) FROM obt_experiment").fetchall() == [(5, after)]
    connection.execute("SET VARIABLE paribus_pepper = 'secret'")
    connection.execute(files(made)["privacy/masked.sql"])
    keys = [row[0] for row in connection.execute("SELECT DISTINCT user_key FROM masked_fct_event").fetchall()]
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)
    connection.close()


def test_a_property_without_an_owner_or_with_too_low_a_class_blocks(scene: Scene) -> None:
    given = scene.context.artifacts["instrument"]
    body = json.loads(json.dumps(given.facts))
    body["plan"]["events"]["order_completed"]["owner"] = ""
    body["plan"]["events"]["order_completed"]["properties"]["email"] = {"type": "string"}
    scene.keep(given.model_copy(update={"facts": body}))
    made = scene.step(pipeline.run)
    assert [each.name for each in made.blocked] == ["owner, class, purpose, retention"]
    assert any("order_completed.email" in each and "suggests personal" in each for each in facts(made).missing)


def test_a_model_makes_the_feature_store_apply(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, config=Config.model_validate({"implementation": {"model": True}}))
    assert facts(scene.step(pipeline.run)).feature_store["applicable"] is True
    scene.close()


def test_generated_yaml_and_python_are_well_formed(scene: Scene) -> None:
    made = scene.step(pipeline.run)
    for path, text in files(made).items():
        if path.endswith((".yml", ".yaml")):
            assert yaml.safe_load(text)
        if path.endswith(".py"):
            tree = ast.parse(text)
            called = {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert {"DAG", "BashOperator", "Asset"} <= called
    rules = yaml.safe_load(files(made)["alerts/rules.yml"])["groups"][0]["rules"]
    for rule in rules:
        assert rule["annotations"]["runbook"] in files(made)
    assert all(f"runbooks/{alert.runbook}" in files(made) for alert in facts(made).alerts)
