"""The vectors that every SDK passes, evaluated in a real browser by the built bundle."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sdk.browser.conftest import ROOT, Visit

VECTORS = ROOT / "spec" / "vectors"


def read(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


@pytest.fixture
def page(visit: Visit) -> Any:
    return visit(consent="denied", vitals=False, errors=False)


def test_bucketing(page: Any) -> None:
    cases = read("bucketing")["cases"]
    found = page.evaluate("cases => cases.map(each => paribus.bucket(each.salt, each.unit))", cases)
    assert found == [case["bucket"] for case in cases]
    assert len(cases) >= 50


def test_evaluation(page: Any) -> None:
    suites = [suite for suite in read("evaluation")["suites"] if suite["browser"]]
    for suite in suites:
        suite["cases"] = [case for case in suite["cases"] if case.get("browser", True)]
    # As text: the bridge to the page would make its own objects of what the vectors hold.
    differences = page.evaluate(
        """text => { const wrong = []; let count = 0;
        const same = (a, b) => a === b || (a && b && typeof a === 'object' && typeof b === 'object'
          && Object.keys(a).length === Object.keys(b).length && Object.keys(a).every(k => same(a[k], b[k])));
        for (const suite of JSON.parse(text)) {
          const evaluator = new paribus.Evaluator(suite.snapshot);
          for (const each of suite.cases) {
            const found = evaluator.evaluate(each.flag, each.unit, each.context, each.kind, each.default);
            const { flag, error_message, ...fields } = found;
            count++;
            if (!same(fields, each.expect)) wrong.push([suite.name, each.name, found]);
          } }
        return [count, wrong] }""",
        json.dumps(suites),
    )
    count, wrong = differences
    assert wrong == []
    assert count >= 300
