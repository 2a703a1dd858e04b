"""The provider behind the genuine OpenFeature API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails
from paribus_sdk import Client
from paribus_sdk.openfeature import ExposureHook, ParibusProvider
from paribus_sdk.testing import InMemoryClient
from tests.sdk.client.paribus_server import ParibusServer
from tests.sdk.client.snapshots import flag, snapshot, treatment_to_all

UNIT = EvaluationContext("u1", {"country": "DE"})


def values(control: object, treatment: object) -> list[dict[str, object]]:
    return [{"name": "control", "value": control}, {"name": "treatment", "value": treatment}]


DEFINITIONS = snapshot(
    checkout=treatment_to_all(),
    text=treatment_to_all(type="string", variants=values("a", "b")),
    count=treatment_to_all(type="integer", variants=values(1, 2)),
    ratio=treatment_to_all(type="float", variants=values(0.5, 1.5)),
    body=treatment_to_all(type="json", variants=values({}, {"k": [1]})),
    off=flag(enabled=False),
    by_country=flag(
        rules=[{"id": "de", "when": {"attribute": "country", "op": "equals", "value": "DE"}, "variant": "treatment"}]
    ),
)


@pytest.fixture
def memory() -> InMemoryClient:
    return InMemoryClient(DEFINITIONS)


@pytest.fixture
def client(memory: InMemoryClient) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(ParibusProvider(memory), "tests")
    yield api.get_client("tests")
    api.clear_providers()


def test_each_type(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("checkout", False, UNIT) is True
    assert client.get_string_value("text", "", UNIT) == "b"
    assert client.get_integer_value("count", 0, UNIT) == 2
    assert client.get_float_value("ratio", 0.0, UNIT) == 1.5
    assert client.get_object_value("body", {}, UNIT) == {"k": [1]}
    widened = client.get_float_value("count", 0.0, UNIT)
    assert (widened, type(widened)) == (2.0, float)


def test_details_say_why(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("checkout", False, UNIT)
    assert (details.variant, details.reason, details.error_code) == ("treatment", "SPLIT", None)
    metadata = dict(details.flag_metadata)
    assert metadata.pop("rule") == "split"
    assert metadata == {
        "assigned": "treatment", "served": "treatment", "revision": 4, "epoch": 2, "traffic_bp": 10000,
        "split_bp": 10000, "probability": 1.0, "unit": "u1",
    }  # fmt: skip
    assert client.get_boolean_details("off", True, UNIT).reason == "DISABLED"
    assert client.get_boolean_details("by_country", False, UNIT).reason == "TARGETING_MATCH"


def test_errors_give_the_default(client: OpenFeatureClient) -> None:
    unknown = client.get_boolean_details("absent", True, UNIT)
    assert (unknown.value, unknown.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    mismatch = client.get_string_details("checkout", "fallback", UNIT)
    assert (mismatch.value, mismatch.error_code) == ("fallback", ErrorCode.TYPE_MISMATCH)


def test_async(client: OpenFeatureClient) -> None:
    assert asyncio.run(client.get_boolean_value_async("checkout", False, UNIT)) is True


def test_resolving_exposes_once(client: OpenFeatureClient, memory: InMemoryClient) -> None:
    for _ in range(3):
        client.get_boolean_value("checkout", False, UNIT)
    (exposure,) = memory.exposures("checkout")
    assert (exposure["unit"], exposure["assigned"], exposure["reason"]) == ("u1", "treatment", "SPLIT")


def test_the_hook_exposes_where_the_provider_does_not(memory: InMemoryClient) -> None:
    api.set_provider_and_wait(ParibusProvider(memory, exposures=False), "hooked")
    try:
        client = api.get_client("hooked")
        client.get_boolean_value("checkout", False, UNIT)
        assert memory.exposures() == []
        hooked = FlagEvaluationOptions(hooks=[ExposureHook(memory)])
        client.get_boolean_value("checkout", False, UNIT, hooked)
        assert [exposure["unit"] for exposure in memory.exposures()] == ["u1"]
        silent = FlagEvaluationOptions(hooks=[ExposureHook(memory)], hook_hints={"paribus.exposure": False})
        client.get_boolean_value("checkout", False, EvaluationContext("u2"), silent)
        assert len(memory.exposures()) == 1
    finally:
        api.clear_providers()


def test_tracking(client: OpenFeatureClient, memory: InMemoryClient) -> None:
    client.track("order_completed", UNIT, TrackingEventDetails(31.5, {"currency": "EUR"}))
    client.track("seen", UNIT)
    first, second = memory.events
    assert (first["name"], first["unit"]) == ("order_completed", "u1")
    assert first["properties"] == {"currency": "EUR", "value": 31.5}
    assert second["properties"] == {}


def test_changes_are_announced(client: OpenFeatureClient, memory: InMemoryClient) -> None:
    heard: list[EventDetails] = []
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, heard.append)
    memory.apply(snapshot(18, **(DEFINITIONS["flags"] | {"off": flag(enabled=True, revision=5)})))
    deadline = time.monotonic() + 5
    while not heard and time.monotonic() < deadline:  # handlers run in a thread of the SDK
        time.sleep(0.01)
    assert [details.flags_changed for details in heard] == [["off"]]


def test_not_ready_is_said_and_heals(make_client: Callable[..., Client], server: ParibusServer) -> None:
    definitions, server.snapshot = server.snapshot, None
    paribus = make_client(poll_seconds=0.1)
    with pytest.raises(ProviderNotReadyError):
        api.set_provider_and_wait(ParibusProvider(paribus, ready_seconds=0.1), "late")
    try:
        client = api.get_client("late")
        assert client.get_boolean_value("checkout", True, UNIT) is True
        assert definitions is not None
        server.publish(definitions)
        assert paribus.ready(5)
        assert server.wait_for(lambda: client.get_provider_status() == ProviderStatus.READY)
        assert client.get_boolean_details("checkout", False, UNIT).reason == "SPLIT"
    finally:
        api.clear_providers()


def test_shutdown_delivers(make_client: Callable[..., Client], server: ParibusServer) -> None:
    api.set_provider_and_wait(ParibusProvider(make_client(flush_seconds=60)), "closing")
    api.get_client("closing").get_boolean_value("checkout", False, UNIT)
    api.shutdown()
    api.clear_providers()
    assert [event["name"] for event in server.events] == ["$exposure"]
