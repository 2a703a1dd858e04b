"""The description against the server: schemathesis sends what it allows, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from tests.server.installation import Installation

from paribus.server.openapi import document

FILE = Path(__file__).parents[2] / "spec" / "openapi.json"


def test_the_file_in_spec_is_current(url: str) -> None:
    served = httpx.get(url + "/api/v1/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    assert served == document()
    assert json.loads(FILE.read_text()) == served, "write it anew: python -m paribus.server.openapi spec/openapi.json"


WITHOUT_END = {"/ofrep/v1/events", "/api/v1/definitions/stream"}
OF_ANOTHER_PROTOCOL = {"/mcp"}  # its own conformance tool and client test it: tests/mcp
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(document()).get_all_operations()
    if found.ok().path not in WITHOUT_END | OF_ANOTHER_PROTOCOL
}

# Rules that a schema cannot say: what a usable flag is, that a key is printable, what I-JSON allows, which requirement
# says what is to be built.
# Wrong keys are asked of each route elsewhere; here they would meet the limit on guesses.
BEYOND_SCHEMA = {
    label: [ignored_auth, positive_data_acceptance]
    for label in OPERATIONS
    if label in {"POST /api/v1/events", "POST /api/v1/features"}
    or label.endswith("/explain")
    or "{collection}/{key}" in label
}


@pytest.fixture(scope="module")
def admin(live: Installation) -> dict[str, str]:
    live.flag("f")
    return {"X-API-Key": live.secret("admin")}


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation(label: str, url: str, admin: dict[str, str]) -> None:
    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    def keeps_its_word(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=url, headers=admin, excluded_checks=BEYOND_SCHEMA.get(label, [ignored_auth]))

    keeps_its_word()
