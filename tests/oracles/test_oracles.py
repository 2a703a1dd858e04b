"""Every oracle file is answered: at least 97% of the cases supported, and every supported one within its tolerance."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.oracles import DATA, answers

FILES = sorted(path for path in DATA.glob("*.json") if path.name != "methods_without_values.json")


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
