"""The vectors of spec/vectors, whose expected values come from the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from paribus_sdk import Evaluator, bucket
from tests.sdk import vectors
from tests.sdk.reference import murmur3

BUCKETING = json.loads((vectors.FOLDER / "bucketing.json").read_text(encoding="utf-8"))
EVALUATION = json.loads((vectors.FOLDER / "evaluation.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((vectors.FOLDER.parent / "definitions.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
SUITES = {suite["name"]: suite for suite in EVALUATION["suites"]}


def test_murmur3_gives_the_values_published_with_it() -> None:
    # The verification vectors of the MurmurHash3 article on Wikipedia, seed 0 and others.
    published = [(b"", 0, 0), (b"", 1, 0x514E28B7), (b"test", 0, 0xBA6BD213), (b"test", 0x9747B28C, 0x704B81DC)]
    published += [(b"Hello, world!", 0, 0xC0363E43), (b"Hello, world!", 0x9747B28C, 0x24884CBA)]
    published += [(b"The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723)]
    assert [murmur3(data, seed) for data, seed, _ in published] == [expected for *_, expected in published]


def test_buckets_are_those_of_the_vectors() -> None:
    assert {case["name"]: bucket(case["salt"], case["unit"]) for case in BUCKETING["cases"]} == {
        case["name"]: case["bucket"] for case in BUCKETING["cases"]
    }


@pytest.mark.parametrize("name", SUITES)
def test_decisions_are_those_of_the_vectors(name: str) -> None:
    evaluator = Evaluator(SUITES[name]["snapshot"])
    for case in SUITES[name]["cases"]:
        for _ in ("compiled when first decided", "and as compiled"):
            assert decided(evaluator, case) == case["expect"], case["name"]


@pytest.mark.parametrize("name", SUITES)
def test_all_flags_together_decide_as_each_by_itself(name: str) -> None:
    evaluator = Evaluator(SUITES[name]["snapshot"])
    for case in SUITES[name]["cases"]:
        together = {each.flag: each.to_dict() for each in evaluator.evaluate_all(case["unit"], case["context"])}
        if case["kind"] is None and case["default"] is None and case["flag"] in together:
            decision = together[case["flag"]]
            assert {name: decision[name] for name in case["expect"]} == case["expect"], case["name"]


@pytest.mark.parametrize("name", SUITES)
def test_explanations_reach_the_same_decision(name: str) -> None:
    evaluator = Evaluator(SUITES[name]["snapshot"])
    for case in SUITES[name]["cases"]:
        if case["kind"] is None and case["default"] is None:
            explanation = evaluator.explain(case["flag"], case["unit"], case["context"])
            assert explanation.decision == evaluator.evaluate(case["flag"], case["unit"], case["context"])
            assert f"reason {case['expect']['reason']}." in explanation.text


@pytest.mark.parametrize("name", SUITES)
def test_snapshots_satisfy_the_schema_unless_they_are_broken(name: str) -> None:
    suite = SUITES[name]
    if "broken" not in name:
        assert [error.message for error in VALIDATOR.iter_errors(suite["snapshot"])] == []


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_the_schema_refuses_is_broken() -> None:
    refused = 0
    for suite in EVALUATION["suites"]:
        evaluator = Evaluator(suite["snapshot"])
        broken = {problem.flag for problem in evaluator.problems if problem.broken}
        for key, definition in suite["snapshot"]["flags"].items():
            document = {"format": 1, "flags": {key: definition}}
            if not VALIDATOR.is_valid(document):
                refused += 1
                assert key in broken, key
    assert refused > 60


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    names = [(suite["name"], case["name"]) for suite in EVALUATION["suites"] for case in suite["cases"]]
    assert len(names) == len(set(names))
    assert len(names) + len(BUCKETING["cases"]) >= 300


def test_the_files_are_what_the_reference_writes() -> None:
    for name, document in vectors.documents().items():
        assert (vectors.FOLDER / name).read_text(encoding="utf-8") == vectors.text(document), "write the vectors again"


def decided(evaluator: Evaluator, case: dict[str, Any]) -> dict[str, Any]:
    decision = evaluator.evaluate(
        case["flag"], case["unit"], case["context"], kind=case["kind"], default=case["default"]
    ).to_dict()
    return {name: decision[name] for name in case["expect"]}
