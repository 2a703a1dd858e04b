"""The tracking plan: what it refuses, and what it lets through at the door."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.events.door import check, decode, records, request

from paribus.errors import DefinitionError
from paribus.events.compile import compile_plan
from paribus.events.json_schema import event_from_schema, event_schema, plan_from_schemas, plan_schema
from paribus.events.plan import column_name, parse_plan, plan_body
from paribus.lake.record import Quarantined, Record

ORDER: dict[str, Any] = {
    "version": 2,
    "description": "A customer paid.",
    "owner": "checkout",
    "semantics": "conversion",
    "funnel": {"funnel": "purchase", "step": 3},
    "properties": {
        "revenue": {"type": "number", "required": True, "minimum": 0, "maximum": 10000},
        "currency": {"type": "string", "enum": ["EUR", "USD"], "required": True},
        "items": {"type": "integer", "minimum": 1},
        "coupon": {"type": "string", "pattern": "^[A-Z]{3}[0-9]+$"},
        "gift": {"type": "boolean"},
        "shipped at": {"type": "datetime"},
        "cart": {"type": "json"},
        "email": {"type": "string", "personal": "personal"},
        "rating": {"type": "number", "enum": [1, 2.5, 4]},
    },
}
PLAN: dict[str, Any] = {"events": {"order_completed": ORDER}, "unplanned": {"prod": "quarantine"}}
GOOD = {
    "revenue": 31,
    "currency": "EUR",
    "items": 2,
    "coupon": "ABC1",
    "gift": True,
    "shipped at": "2026-11-24T10:00:00+02:00",
    "cart": {"a": [1, {"b": None}]},
    "email": "a@b.c",
    "rating": 2.5,
    "extra": "kept",
}


def held(properties: dict[str, Any]) -> str | None:
    """The detail of the quarantine, or None where the contract is kept."""
    event = {"name": "order_completed", "event_id": "e", "properties": properties}
    plan = compile_plan(PLAN, revision=1)
    (found,) = decode(check(request("/api/v1/events", {"batch": [event]}), plan), PLAN)
    if isinstance(found, Record):
        return None
    assert found.reason == "contract"
    return found.detail


def test_a_good_event_has_typed_values_and_keeps_its_text() -> None:
    event = {"name": "order_completed", "event_id": "e", "properties": GOOD}
    (record,) = records(request("/api/v1/events", {"batch": [event]}), PLAN)
    assert json.loads(record.properties) == GOOD
    assert record.planned
    typed = dict(record.typed)
    assert typed.pop("shipped_at").isoformat() == "2026-11-24T08:00:00+00:00"  # type: ignore[union-attr]
    assert json.loads(str(typed.pop("cart"))) == GOOD["cart"]
    assert typed == {
        "revenue": 31.0,
        "currency": "EUR",
        "items": 2,
        "coupon": "ABC1",
        "gift": True,
        "email": "a@b.c",
        "rating": 2.5,
    }
    assert type(typed["revenue"]) is float


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"revenue": None}, "revenue: is null (rule: required)"),
        ({"revenue": "31"}, "revenue: expected number, got string"),
        ({"revenue": True}, "revenue: expected number, got boolean"),
        ({"revenue": -1}, "revenue: expected number >= 0.0 (rule: number, at least 0, at most 10000)"),
        ({"revenue": 10000.5}, "at most 10000"),
        ({"currency": "GBP"}, "currency: is not one of the listed values (rule: string, one of EUR, USD)"),
        ({"items": 1.5}, "items: expected integer, got number"),
        ({"items": 0}, "items: expected integer >= 1"),
        ({"items": 2**63}, "items: expected integer"),
        ({"coupon": "abc"}, "coupon: does not match the pattern"),
        ({"gift": 1}, "gift: expected boolean, got integer"),
        ({"shipped at": "2026-11-24T10:00:00"}, "shipped at: is a time without an offset"),
        ({"shipped at": "soon"}, "shipped at: is not an RFC 3339 time"),
        ({"email": 7}, "email: expected string, got integer"),
        ({"rating": 3}, "rating: is not one of the listed values"),
    ],
)
def test_each_broken_rule_is_named_without_its_value(change: dict[str, Any], words: str) -> None:
    detail = held({**GOOD, **change})
    assert detail is not None
    assert words in detail
    assert "GBP" not in detail
    assert "abc" not in detail


def test_all_broken_rules_are_named() -> None:
    detail = held({"items": "x"})
    assert detail is not None
    assert [part.split(" ")[0] for part in detail.split("; ")] == ["revenue:", "currency:", "items:"]


@pytest.mark.parametrize("name", ["items", "coupon", "gift", "shipped at", "cart", "email", "rating"])
def test_optional_properties_may_be_null_or_missing(name: str) -> None:
    assert held({**GOOD, name: None}) is None
    assert held({key: value for key, value in GOOD.items() if key != name}) is None


def test_events_outside_the_plan_are_marked_or_held_as_the_environment_says() -> None:
    incoming = request("/api/v1/events", {"batch": [{"name": "other", "event_id": "e"}]})
    checked = check(incoming, compile_plan(PLAN, revision=1, environment="dev"))
    assert (checked.accepted, checked.unplanned, checked.quarantined) == (1, 1, 0)
    (record,) = decode(checked, PLAN)
    assert isinstance(record, Record)
    assert not record.planned
    checked = check(incoming, compile_plan(PLAN, revision=1, environment="prod"))
    assert (checked.accepted, checked.unplanned, checked.quarantined) == (0, 0, 1)
    (kept,) = decode(checked, PLAN)
    assert isinstance(kept, Quarantined)
    assert kept.reason == "unplanned"


def test_exposures_are_planned_without_a_plan() -> None:
    good = {"flag": "f", "assigned": "a", "revision": 3, "probability": 1, "attributes": {"x": 1}}
    batch = [
        {"name": "$exposure", "event_id": "1", "unit": "u", "properties": good},
        {"name": "$exposure", "event_id": "2", "unit": "u", "properties": {"assigned": "a"}},
        {"name": "$web_vital", "event_id": "3", "properties": {"metric": "LCP", "anything": [1]}},
    ]
    checked = check(request("/api/v1/events", {"batch": batch}))
    assert (checked.accepted, checked.unplanned, checked.quarantined) == (2, 0, 1)
    first, second, third = decode(checked)
    assert isinstance(first, Record)
    assert first.typed["probability"] == 1.0
    assert first.typed["attributes"] == '{"x":1}' or json.loads(str(first.typed["attributes"])) == {"x": 1}
    assert isinstance(second, Quarantined)
    assert isinstance(third, Record)
    assert third.planned


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"events": {"a": {"propertys": {}}}}, "Extra inputs"),
        ({"events": {"a": {"properties": {"x": {"type": "float"}}}}}, "should be 'string'"),
        ({"events": {"$exposure": {}}}, "event of Paribus itself"),
        (
            {
                "events": {
                    "a": {"properties": {"x": {"type": "string"}}},
                    "b": {"properties": {"x": {"type": "number"}}},
                }
            },
            "'x' is number here and string in event 'a'",
        ),
        ({"events": {"a": {"properties": {"flag": {"type": "boolean"}}}}}, "string in event '$exposure'"),
        (
            {"events": {"a": {"properties": {"Order ID": {"type": "string"}, "order_id": {"type": "string"}}}}},
            "would share the column p_order_id",
        ),
        ({"events": {"a": {"properties": {"x": {"type": "string", "pattern": "(?=a)b"}}}}}, "is not RE2"),
        ({"events": {"a": {"properties": {"x": {"type": "string", "minimum": 1}}}}}, "do not apply to string"),
        ({"events": {"a": {"properties": {"x": {"type": "number", "minimum": 2, "maximum": 1}}}}}, "is above"),
        ({"events": {"a": {"properties": {"x": {"type": "integer", "enum": ["1"]}}}}}, "not of type integer"),
        ({"events": {"a\x00": {}}}, "pattern"),
        ({"unplanned": {"dev": "drop"}}, "'accept' or 'quarantine'"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(body: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_plan(body)
    assert words in str(caught.value)
    assert str(caught.value).startswith("tracking_plan/default")


def test_the_body_of_a_plan_reads_back_the_same() -> None:
    assert parse_plan(plan_body(parse_plan(PLAN))) == parse_plan(PLAN)


def test_every_column_name_is_an_identifier() -> None:
    for name in ("Order ID", "1st", "__x", "a.b", "é", "", "class"):
        assert column_name(name).isidentifier()
    plan = compile_plan(
        {"events": {"a": {"properties": {"1st": {"type": "string"}, "class": {"type": "integer"}}}}}, revision=1
    )
    assert plan.events["a"].typed('{"1st":"x","class":2}') == {"x1st": "x", "class": 2}


# JSON Schema, judged by the jsonschema package


@pytest.mark.parametrize("name", ["order_completed"])
def test_the_schema_is_valid_and_reads_back(name: str) -> None:
    event = parse_plan(PLAN).events[name]
    schema = event_schema(name, event)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert event_from_schema(name, json.loads(json.dumps(schema))) == event
    assert plan_from_schemas({name: schema}, PLAN["unplanned"]) == parse_plan(PLAN)


def test_the_schema_of_the_plan_judges_by_name() -> None:
    schema = plan_schema(parse_plan(PLAN))
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    assert judge.is_valid({"name": "order_completed", "properties": GOOD})
    assert not judge.is_valid({"name": "order_completed", "properties": {**GOOD, "revenue": "1"}})
    assert judge.is_valid({"name": "other", "properties": {"revenue": "1"}})


scalars = st.sampled_from(
    [None, True, False, 0, 1, 2, -1, 10001, 2**63, 0.5, 1.5, 2.5, "EUR", "abc", "ABC1", "", "2026-01-01T00:00:00Z"]
) | st.text(max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*ORDER["properties"], "extra"]), scalars, max_size=9), st.booleans())
def test_the_compiled_plan_agrees_with_json_schema(values: dict[str, Any], from_good: bool) -> None:
    properties = {**GOOD, **values} if from_good else values
    judge = jsonschema.Draft202012Validator(
        event_schema("order_completed", parse_plan(PLAN).events["order_completed"]),
        format_checker=jsonschema.FormatChecker(formats=()),
    )
    expected = judge.is_valid(properties)
    shipped = properties.get("shipped at")
    if shipped is not None and shipped not in (GOOD["shipped at"], "2026-01-01T00:00:00Z"):
        expected = False  # date-time is an annotation to this validator
    checker = compile_plan(PLAN, revision=1).events["order_completed"]
    text = json.dumps(properties)
    assert checker.check(text) is expected
    assert (checker.violations(text) == []) is expected


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"properties": {"x": {"type": "string", "maxLength": 3}}}, "'maxLength'"),
        ({"properties": {"x": {"type": "object", "properties": {}}}}, "'properties'"),
        ({"properties": {"x": {"type": ["string", "number"], "minimum": 1}}}, "'minimum'"),
        ({"properties": {"x": {"type": "string", "format": "email"}}}, "format 'email'"),
        ({"properties": {}, "required": ["x"]}, "without a declaration"),
        ({"allOf": []}, "'allOf'"),
        ({"additionalProperties": False}, "no open object"),
    ],
)
def test_a_schema_that_says_more_than_a_plan_can_hold_is_refused(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        event_from_schema("a", schema)
