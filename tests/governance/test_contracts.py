"""Contracts and lineage by their standards' own libraries."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from openlineage.client.facet_v2 import column_lineage_dataset

from paribus.errors import DefinitionError
from paribus.governance.contracts import ColumnTerms, TableTerms, contract, contract_yaml, read_contract
from paribus.governance.lineage import Dataset, Job, lines, run_events, upstream

TERMS = TableTerms(
    "dim_user",
    "Users with their history.",
    "a user and a stretch of time",
    "data team",
    400,
    58.9,
    [
        ColumnTerms("user_sk", "VARCHAR", "key", required=True, unique=True, key_position=1, personal="pseudonymous"),
        ColumnTerms("device", "VARCHAR", "device", values=("mobile", "desktop"), purpose="segments"),
        ColumnTerms("email", "VARCHAR", "address", personal="personal", inputs=("lake_events.properties",)),
    ],
)


def test_a_contract_is_read_back_by_the_standards_model() -> None:
    made = contract(TERMS, product="checkout", servers={"production": "data/*.parquet"})
    assert read_contract(contract_yaml(made)) == made
    columns = {each.name: each for each in made.schema_[0].properties}
    assert columns["user_sk"].primaryKeyPosition == 1
    assert [each.metric for each in columns["user_sk"].quality] == ["nullValues", "duplicateValues"]
    assert columns["device"].quality[0].arguments == {"validValues": ["mobile", "desktop"]}
    assert columns["email"].classification == "confidential"
    assert {each.property for each in made.slaProperties} >= {"retention", "latency"}


def test_what_breaks_the_standard_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no data contract"):
        read_contract("apiVersion: [1, 2]\nschema: nothing\n")


JOBS = [
    Job("stage", [Dataset("lake", {"properties": "VARCHAR"})], Dataset("stg", {"value": "VARCHAR"}), "SELECT 1",
        {"value": [("lake", "properties")]}),
    Job("sum", [Dataset("stg", {"value": "VARCHAR"})], Dataset("wide", {"total": "DOUBLE"}), "SELECT 2",
        {"total": [("stg", "value")]}),
]  # fmt: skip


def test_lineage_events_come_in_pairs_with_columns_and_are_the_same_each_time() -> None:
    time = datetime(2026, 6, 1, tzinfo=UTC)
    text = lines(run_events(JOBS, namespace="paribus://lake", time=time, run="r1"))
    assert text == lines(run_events(JOBS, namespace="paribus://lake", time=time, run="r1"))
    events = [json.loads(line) for line in text.splitlines()]
    assert [(each["job"]["name"], each["eventType"]) for each in events] == [
        ("stage", "START"), ("stage", "COMPLETE"), ("sum", "START"), ("sum", "COMPLETE"),
    ]  # fmt: skip
    assert events[0]["run"]["runId"] == events[1]["run"]["runId"] != events[2]["run"]["runId"]
    field = events[3]["outputs"][0]["facets"]["columnLineage"]["fields"]["total"]["inputFields"][0]
    assert column_lineage_dataset.InputField(field["namespace"], field["name"], field["field"]).name == "stg"
    assert events[3]["job"]["facets"]["sql"]["query"] == "SELECT 2"


def test_a_column_is_followed_back_to_its_source() -> None:
    assert upstream(JOBS, "wide", "total") == {("stg", "value"), ("lake", "properties")}
