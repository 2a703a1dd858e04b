"""Writes spec/vectors from the inputs, with what the reference expects of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.sdk import reference
from tests.sdk.inputs import bucketing, faults, flow, logic, operators

FOLDER = Path(__file__).parents[2] / "spec" / "vectors"
EXPECTED = ("value", "variant", "assigned", "served", "reason", "error_code", "revision", "epoch", "traffic_bp")
EXPECTED += ("split_bp", "probability", "rule", "unit", "unit_type", "attributes")


def documents() -> dict[str, dict[str, Any]]:
    """The contents of each file of vectors."""
    buckets = [
        {
            **case,
            "hash": reference.murmur3(f"{case['salt']}:{case['unit']}".encode()),
            "bucket": reference.bucket(case["salt"], case["unit"]),
        }
        for case in bucketing.cases()
    ]
    return {
        "bucketing.json": {"format": 1, "cases": buckets},
        "evaluation.json": {"format": 1, "suites": list(_suites())},
    }


def text(document: dict[str, Any]) -> str:
    """The document as it is written: one case a line."""
    return "".join(_lines(document)) + "\n"


def main(arguments: list[str]) -> int:
    if arguments not in (["write"], ["check"]):
        print("python -m tests.sdk.reference write | check")
        return 2
    is_same = True
    for name, document in documents().items():
        path = FOLDER / name
        if arguments == ["write"]:
            path.write_text(text(document), encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text(document):
            print(f"{name} differs from what the reference expects")
            is_same = False
    return 0 if is_same else 1


def _suites() -> Iterator[dict[str, Any]]:
    for module in (operators, logic, flow, faults):
        for suite in module.suites():
            cases = [_case(suite["snapshot"], case) for case in suite["cases"]]
            yield {
                "name": suite["name"],
                "browser": suite.get("browser", True),
                "snapshot": suite["snapshot"],
                "cases": cases,
            }


def _case(snapshot: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    full = {"kind": None, "default": None, "browser": True, **case}
    decision = reference.decide(snapshot, *(full[name] for name in ("flag", "unit", "context", "kind", "default")))
    ordered = {name: full[name] for name in ("name", "flag", "unit", "context", "kind", "default", "browser")}
    return {**ordered, "expect": {name: decision[name] for name in EXPECTED}}


def _lines(document: dict[str, Any]) -> Iterator[str]:
    def compact(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def listed(cases: list[dict[str, Any]], indent: str) -> str:
        return ",\n".join(indent + compact(case) for case in cases)

    yield '{"format": 1, '
    if "cases" in document:
        yield f'"cases": [\n{listed(document["cases"], "  ")}\n]}}'
        return
    yield '"suites": [\n'
    for index, suite in enumerate(document["suites"]):
        head = {name: suite[name] for name in ("name", "browser", "snapshot")}
        yield ",\n" if index else ""
        yield f'{compact(head)[:-1]}, "cases": [\n{listed(suite["cases"], "  ")}\n]}}'
    yield "\n]}"
