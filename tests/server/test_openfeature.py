"""The genuine, unmodified OpenFeature provider for OFREP against a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import mmh3
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from tests.server.installation import Installation


@pytest.fixture
def client(live: Installation, url: str) -> Iterator[OpenFeatureClient]:
    secret = live.secret("server")
    provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {secret}"})
    api.set_provider(provider, domain="test")
    yield api.get_client(domain="test")
    api.clear_providers()


def until(done: Callable[[], object], seconds: float = 5) -> None:
    """Waits until the server has noticed what another process would have written."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def unit(name: str, **attributes: object) -> EvaluationContext:
    return EvaluationContext(name, attributes)  # type: ignore[arg-type]


def test_every_type(live: Installation, client: OpenFeatureClient) -> None:
    live.flag("boolean", variants={"off": False, "on": True}, weights_bp=[0, 10_000])
    live.flag("text", variants={"a": "x", "b": "y"}, weights_bp=[0, 10_000])
    live.flag("whole", variants={"control": 1, "more": 7}, weights_bp=[0, 10_000])
    live.flag("real", variants={"control": 0.5, "more": 7}, weights_bp=[0, 10_000], flag_type="float")
    live.flag("json", variants={"control": {"n": 1}, "more": {"n": [1, {"x": None}]}}, weights_bp=[0, 10_000])
    until(lambda: client.get_object_value("json", {}, unit("u1")))
    assert client.get_boolean_value("boolean", False, unit("u1")) is True
    assert client.get_string_value("text", "d", unit("u1")) == "y"
    assert client.get_integer_value("whole", 0, unit("u1")) == 7
    assert client.get_float_value("real", 0.0, unit("u1")) == 7.0
    assert client.get_object_value("json", {}, unit("u1")) == {"n": [1, {"x": None}]}


def test_assignment_is_the_bucket_of_the_definition(live: Installation, client: OpenFeatureClient) -> None:
    body = live.flag("split").body
    assert body is not None
    until(lambda: client.get_string_value("split", "", unit("u1")))
    salt = body["environments"]["dev"]["rules"][0]["rollout"]["split_salt"]
    for number in range(40):
        found = client.get_string_details("split", "", unit(f"u{number}"))
        bucket = mmh3.hash(f"{salt}:u{number}", 0, signed=False) * 10_000 >> 32
        expected = "control" if bucket < 5000 else "treatment"
        assert (found.variant, found.value, found.reason) == (expected, expected, Reason.SPLIT)
        assert found.flag_metadata["probability"] == 0.5


def test_reasons_and_errors_arrive_as_such(live: Installation, client: OpenFeatureClient) -> None:
    live.flag("killed", variants={"off": False, "on": True}, weights_bp=[0, 10_000])
    until(lambda: client.get_boolean_value("killed", False, unit("u1")))
    assert client.get_boolean_value("killed", False, unit("u1")) is True
    live.kill("killed")
    until(lambda: not client.get_boolean_value("killed", True, unit("u1")))
    found = client.get_boolean_details("killed", True, unit("u1"))
    assert (found.value, found.variant, found.reason) == (False, "off", Reason.DISABLED)
    assert found.flag_metadata["reason"] == "KILLED"
    missing = client.get_boolean_details("a/b", True, unit("u1"))
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    wrong = client.get_string_details("killed", "mine", unit("u1"))
    assert (wrong.value, wrong.error_code) == ("mine", ErrorCode.TYPE_MISMATCH)


def test_without_a_unit_the_default_variant(live: Installation, client: OpenFeatureClient) -> None:
    live.flag("other-split")
    until(lambda: client.get_string_value("other-split", "", EvaluationContext()))
    found = client.get_string_details("other-split", "mine", EvaluationContext())
    assert (found.value, found.reason) == ("control", Reason.DEFAULT)
    assert found.flag_metadata["reason"] == "INVALID_UNIT"
