"""Every oracle file is answered: at least 97% of the cases supported, and every supported one within its tolerance."""

from __future__ import annotations

import ast
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.oracles import DATA, answers

FILES = sorted(path for path in DATA.glob("*.json") if path.name != "methods_without_values.json")
FURTHER = sorted((DATA / "further").glob("*.json"))


@cache
def answered(path: Path) -> dict[str, dict[str, Any]]:
    return answers(path)


def cases(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cases"]


def mismatch(got: Any, want: Any, tol: dict[str, float], where: str = "") -> str | None:
    """The first difference between an answer and what was expected, or None."""
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"{where}: {got!r}, not an object"
        missing = [f"{where}.{key} is missing" for key in want if key not in got]
        found = (mismatch(got[key], item, tol, f"{where}.{key}") for key, item in want.items() if key in got)
        return next((m for m in (*missing, *found) if m), None)
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return f"{where}: {got!r}, not {len(want)} items"
        found = (mismatch(g, w, tol, f"{where}[{i}]") for i, (g, w) in enumerate(zip(got, want, strict=True)))
        return next((m for m in found if m), None)
    if want is None or isinstance(want, bool | str):
        return None if got == want else f"{where}: {got!r}, expected {want!r}"
    if not isinstance(got, int | float) or not math.isfinite(got):
        return f"{where}: {got!r}, expected {want!r}"
    allowed = tol.get("abs", 0.0) + tol.get("rel", 0.0) * abs(want)
    return None if abs(got - want) <= allowed else f"{where}: {got!r}, expected {want!r} ± {allowed:.3g}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_supported_case_is_within_its_tolerance(path: Path) -> None:
    found = answered(path)
    problems = [
        f"{case['id']}{problem}"
        for case in cases(path)
        if "unsupported" not in found[case["id"]]
        and (problem := mismatch(found[case["id"]], case["expected"], case["tol"]))
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", FURTHER, ids=lambda path: path.stem)
def test_every_further_case_of_the_same_methods_is_answered_within_its_tolerance(path: Path) -> None:
    found = answered(path)
    problems = [mismatch(found[case["id"]], case["expected"], case["tol"], case["id"]) for case in cases(path)]
    assert not any(problems), "\n".join(problem for problem in problems if problem)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_topic_is_unsupported(path: Path) -> None:
    found = answered(path)
    unsupported = {case: reply["unsupported"] for case, reply in found.items() if "unsupported" in reply}
    assert len(unsupported) < len(found), unsupported


def test_at_least_97_percent_of_the_254_cases_are_supported() -> None:
    replies = {case: reply for path in FILES for case, reply in answered(path).items()}
    unsupported = {case: reply["unsupported"] for case, reply in replies.items() if "unsupported" in reply}
    assert len(replies) == 254
    assert len(unsupported) <= 0.03 * len(replies), unsupported


def test_what_cannot_be_answered_says_why_and_hides_nothing(tmp_path: Path) -> None:
    good = {"id": "good", "method": "Welch t", "inputs": {"control": [1.0, 2, 4], "treatment": [2, 3.0, 7]}}
    odd = {
        "topic": {**good, "topic": "astrology"},
        "method": {**good, "method": "guess"},
        "missing": {**good, "inputs": {"control": [1, 2]}},
        "wrong": {**good, "inputs": {"control": "two", "treatment": None}},
        "without": {"method": "Welch t"},
    }
    file = tmp_path / "mean_difference.json"
    file.write_text(json.dumps({"cases": [good, "junk", *({**case, "id": name} for name, case in odd.items())]}))
    found = answers(file)
    assert list(found["2"]) == ["unsupported"]
    assert found["good"]["diff"] == pytest.approx(5 / 3)
    assert all(list(found[name]) == ["unsupported"] and found[name]["unsupported"] for name in odd)


def test_whole_numbers_may_be_written_either_way_and_keys_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "group_sequential.json"
    inputs = {"kMax": 2, "alpha": 0.05, "sided": 2}
    as_floats = dict(reversed([(key, float(value)) for key, value in inputs.items()]))
    case = {"method": "Pocock"}
    file.write_text(json.dumps({"cases": [{**case, "id": "i", "inputs": inputs}, {**case, "inputs": as_floats}]}))
    integers, floats = answers(file).values()
    assert integers == floats
    assert integers["critical_values"][0] == pytest.approx(2.178, abs=5e-4)


def test_the_runner_computes_nothing() -> None:
    """Folders are joined, lists repeated, rows chosen, objects merged; every number comes from `paribus.stats`."""
    found = {
        ast.unparse(node.left)
        for path in Path(__file__).parent.glob("[a-z]*.py")
        if not path.stem.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitOr | ast.BitAnd)
    }
    assert found == {"DATA", "listed"}


def test_a_file_without_cases_has_no_answers(tmp_path: Path) -> None:
    file = tmp_path / "srm.json"
    file.write_text('{"topic": "srm", "cases": []}')
    assert answers(file) == {}
