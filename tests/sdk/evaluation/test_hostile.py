"""Nothing that a definition, a unit or a context holds raises into the caller, or hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paribus_sdk import Decision, Evaluator
from tests.sdk.reference import decide
from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot
from tests.sdk.vectors import EXPECTED, FOLDER

SNAPSHOTS = [suite["snapshot"] for suite in json.loads((FOLDER / "evaluation.json").read_text("utf-8"))["suites"]]
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
attributes = st.sampled_from(("it", "n", "a", "b", "x", "country", "plan", "base", "on", "targetingKey", "company"))
strange = any_json | st.sampled_from(("v1.0.0", "2026-01-31T12:00:00Z", "\ud800", "u1")) | st.binary(max_size=3)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SNAPSHOTS), strange, st.dictionaries(attributes, strange, max_size=6) | strange, strange)
def test_any_unit_context_and_kind_get_a_decision(part: Any, unit: Any, context: Any, kind: Any) -> None:
    evaluator = Evaluator(part)
    decisions = evaluator.evaluate_all(unit, context)
    assert len(decisions) == len(part["flags"])
    for key, decision in zip(part["flags"], decisions, strict=True):
        assert isinstance(decision.to_dict(), dict)
        assert isinstance(evaluator.evaluate(key, unit, context, kind=kind), Decision)
        assert isinstance(evaluator.explain(key, unit, context).text, str)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_definition_is_read(data: st.DataObject) -> None:
    """A sound snapshot in which some part is replaced by anything."""
    document = json.loads(json.dumps(data.draw(st.sampled_from(SNAPSHOTS[-5:] + SNAPSHOTS[:3]))))
    places = list(_places(document))
    for place, name in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        place[name] = data.draw(any_json)
    evaluator = Evaluator(document)
    assert evaluator.usable or evaluator.problems
    for decision in evaluator.evaluate_all("u1", {"it": "x"}):
        assert decision.reason in {"ERROR"} or decision.variant is not None


@given(strange)
def test_a_snapshot_of_any_shape_is_an_evaluator(anything: Any) -> None:
    evaluator = Evaluator(anything)
    assert not evaluator.usable
    assert evaluator.problems
    assert evaluator.evaluate("f", "u1", default=5).value == 5


@given(any_json, any_json)
def test_strange_attributes_are_weighed_as_the_reference_does(value: Any, operand: Any) -> None:
    conditions = [
        compare("it", op, operand) for op in ("equals", "not_equals", "in", "not_in", "less_than", "contains")
    ]
    conditions += [compare("it", "at_least", 0), compare("it", "before", "2026-01-31T12:00:00Z")]
    flags = {
        f"f{index}": flag(gives("treatment", condition, "is"), gives("treatment", {"not": condition}, "is-not"))
        for index, condition in enumerate(conditions)
    }
    evaluator = Evaluator(snapshot(flags))
    for key in flags:
        expected = decide(snapshot(flags), key, "u1", {"it": value})
        del expected["attributes"]  # not a number equals nothing, itself included
        got = evaluator.evaluate(key, "u1", {"it": value}).to_dict()
        assert {name: got[name] for name in EXPECTED if name in expected} == expected


def test_an_unhashable_attribute_is_unknown_and_later_rules_still_decide() -> None:
    rules = (gives("treatment", compare("it", "in", ["a", "b"])), rolls(rule="r2"))
    evaluator = Evaluator(snapshot({"f": flag(*rules)}))
    decision = evaluator.evaluate("f", "u1", {"it": ["a"]})
    assert (decision.reason, decision.rule, decision.attributes) == ("SPLIT", "r2", {"it": ["a"]})


def test_a_context_that_raises_gives_the_default() -> None:
    class Hostile(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise RuntimeError("no")

        def __iter__(self) -> Iterator[str]:
            raise RuntimeError("no")

        def __len__(self) -> int:
            raise RuntimeError("no")

    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", compare("it", "equals", "x")))}))
    decision = evaluator.evaluate("f", "u1", Hostile(), default="mine")
    assert (decision.value, decision.reason, decision.error_code) == ("mine", "ERROR", "GENERAL")
    assert [each.error_code for each in evaluator.evaluate_all("u1", Hostile())] == ["GENERAL"]
    assert "cannot be told" in evaluator.explain("f", "u1", Hostile()).text


def test_a_value_that_cannot_be_compared_is_no_match() -> None:
    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            raise RuntimeError("no")

    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", compare("it", "equals", "x")))}))
    assert evaluator.evaluate("f", "u1", {"it": Hostile()}).reason == "DEFAULT"
    assert "unknown" in evaluator.explain("f", "u1", {"it": Hostile()}).text


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_regular_expression_bombs_are_harmless(pattern: str) -> None:
    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", compare("it", "matches", pattern)))}))
    assert evaluator.problems == ()
    started = time.process_time()
    evaluator.evaluate("f", "u1", {"it": "a" * 50_000 + "!"})
    assert time.process_time() - started < 1


@pytest.mark.parametrize("pattern", ["((a{1000}){1000}){1000}", "[z-a]", "a{99999}", "\ud800", "(?P<n"])
def test_regular_expressions_that_are_too_much_break_the_flag(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", compare("it", "matches", pattern)))}))
    assert evaluator.evaluate("f", "u1", {"it": "a"}).error_code == "PARSE_ERROR"
    assert capfd.readouterr() == ("", "")


def test_deep_conditions_break_the_flag_and_no_other() -> None:
    deep: Any = compare("it", "equals", "x")
    for _ in range(100_000):
        deep = {"not": deep}
    evaluator = Evaluator(snapshot({"deep": flag(gives("treatment", deep)), "good": flag(gives("treatment"))}))
    assert evaluator.evaluate("deep", "u1").error_code == "PARSE_ERROR"
    assert evaluator.evaluate("good", "u1").variant == "treatment"


def test_conditions_as_deep_as_allowed_are_compiled() -> None:
    deep: Any = compare("it", "equals", "x")
    for level in range(49):
        deep = {"all" if level % 2 else "any": [deep, deep] if level > 45 else [deep]}
    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", deep))}))
    assert evaluator.problems == ()
    assert evaluator.evaluate("f", "u1", {"it": "x"}).variant == "treatment"


def test_audiences_that_double_at_each_step_are_refused() -> None:
    audiences: dict[str, Any] = {"0": compare("it", "equals", "x")}
    audiences |= {str(level): {"all": [{"audience": str(level - 1)}] * 2} for level in range(1, 40)}
    flags = {
        "huge": flag(gives("treatment", {"audience": "39"})),
        "large": flag(gives("treatment", {"audience": "12"})),
    }
    evaluator = Evaluator(snapshot(flags, audiences=audiences))
    assert evaluator.evaluate("huge", "u1").error_code == "PARSE_ERROR"
    assert evaluator.evaluate("large", "u1", {"it": "x"}).variant == "treatment"


def test_a_long_chain_of_audiences_breaks_only_what_is_too_deep() -> None:
    audiences: dict[str, Any] = {str(level): {"audience": str(level - 1)} for level in range(1, 5_000)}
    audiences["0"] = compare("it", "equals", "x")
    flags = {str(level): flag(gives("treatment", {"audience": str(level)})) for level in (4_999, 2_000, 40, 60)}
    evaluator = Evaluator(snapshot(flags, audiences=audiences))
    variants = {key: evaluator.evaluate(key, "u1", {"it": "x"}).variant for key in flags}
    assert variants == {"4999": "control", "2000": "control", "40": "treatment", "60": "control"}


def test_prerequisites_that_double_at_each_step_are_refused() -> None:
    flags = {"0": flag(gives("treatment"))}
    for level in range(1, 40):
        needed = [{"flag": str(level - 1), "variants": ["treatment", "control"]}] * 2
        flags[str(level)] = flag(gives("treatment"), prerequisites=needed)
    evaluator = Evaluator(snapshot(flags))
    assert evaluator.evaluate("39", "u1").error_code == "PARSE_ERROR"
    assert evaluator.evaluate("6", "u1").variant == "treatment"


def test_a_long_chain_or_ring_of_prerequisites_is_refused() -> None:
    def chain(first: str) -> dict[str, Any]:
        flags = {
            "0": flag(gives("treatment"), prerequisites=[{"flag": first, "variants": ["treatment"]}] if first else [])
        }
        for level in range(1, 3_000):
            needed = [{"flag": str(level - 1), "variants": ["treatment"]}]
            flags[str(level)] = flag(gives("treatment"), prerequisites=needed)
        return snapshot(flags)

    line, ring = Evaluator(chain("")), Evaluator(chain("2999"))
    assert line.evaluate("40", "u1").reason == "TARGETING_MATCH"
    assert line.evaluate("2999", "u1").error_code == "PARSE_ERROR"
    assert all(decision.error_code == "PARSE_ERROR" for decision in ring.evaluate_all("u1"))


def test_code_in_definitions_stays_text() -> None:
    evil = "__import__('os').abort()\n'\"\"\"); {unit}"
    definition = flag(
        rolls({evil: 10_000}, salt=evil, when={"any": [compare(evil, "equals", evil), compare(evil, "in", [evil])]}),
        type="string",
        variants=[{"name": evil, "value": evil}],
        default_variant=evil,
        unit_type=evil,
    )
    decision = Evaluator(snapshot({evil: definition})).evaluate(evil, "u1", {evil: evil})
    assert (decision.reason, decision.value, decision.flag) == ("SPLIT", evil, evil)


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    for name, part in parts:
        yield document, name
        if isinstance(part, dict | list):
            yield from _places(part)
