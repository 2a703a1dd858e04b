"""The clients that ask for flags from Python: the OpenFeature provider for OFREP, OpenTelemetry, and our own SDK."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.arrival import Json, Sent, compare, landed, until
from tests.clients.conftest import Served
from tests.clients.splits import UNITS, check_exposures, variant_of

pytestmark = pytest.mark.xdist_group("clients")


def test_openfeature(served: Served, flag: Json, label: str) -> None:
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import Reason

    key = served.key("server", label)
    provider = OFREPProvider(served.url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    api.set_provider(provider, domain="clients")
    client = api.get_client(domain="clients")
    until(lambda: client.get_string_value("checkout", "", EvaluationContext("u0")))
    try:
        for unit in UNITS * 2:
            found = client.get_string_details("checkout", "none", EvaluationContext(unit, {"country": "DE"}))
            assert (found.value, found.variant) == (variant_of(flag, unit), variant_of(flag, unit))
            assert found.reason == Reason.SPLIT
    finally:
        api.clear_providers()
    exposures = until(lambda: len(found := landed(served.folder, f"paribus:{label}")) == len(UNITS) and found)
    assert exposures, "an exposure for each unit, not one for each question"
    check_exposures(flag, exposures, UNITS)


@pytest.fixture
def telemetry(served: Served, label: str) -> Iterator[Any]:
    """A logger of OpenTelemetry's SDK that exports to the server."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    key = served.key("intake", label)
    exporter = OTLPLogExporter(endpoint=served.url + "/v1/logs", headers={"Authorization": f"Bearer {key}"})
    provider = LoggerProvider(Resource.create({"service.name": "shop", "deployment.environment.name": "dev"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.mark.clients
def test_opentelemetry(served: Served, flag: Json, label: str, telemetry: Any, orders: list[Json]) -> None:
    """OpenFeature's own evaluation event, sent by a hook, as its documentation proposes."""
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.hook import Hook, HookContext
    from openfeature.telemetry import create_evaluation_event
    from opentelemetry._logs import LogRecord

    logger = telemetry.get_logger("openfeature")
    times: list[int] = []

    class Telemetry(Hook):
        def finally_after(self, hook_context: HookContext, details: Any, hints: Any) -> None:
            event = create_evaluation_event(hook_context, details)
            times.append(time.time_ns())
            attributes = {str(name.value): value for name, value in event.attributes.items()}
            logger.emit(LogRecord(timestamp=times[-1], event_name=event.name, attributes=attributes, body=event.body))

    server_key = served.key("server", label + "-ofrep")
    headers = {"Authorization": f"Bearer {server_key}", "paribus-exposure": "off"}
    api.set_provider(OFREPProvider(served.url, headers_factory=lambda: headers), domain="telemetry")
    client = api.get_client(domain="telemetry")
    until(lambda: client.get_string_value("checkout", "", EvaluationContext("u0")))
    client.add_hooks([Telemetry()])
    try:
        for unit in UNITS:
            client.get_string_value("checkout", "none", EvaluationContext(unit))
        client.get_boolean_value("no-such-flag", True, EvaluationContext("u0"))
    finally:
        api.clear_providers()
    for order in orders:
        logger.emit(
            LogRecord(
                timestamp=order["time"] * 1_000_000,
                event_name=order["name"],
                attributes={"log.record.uid": order["id"], "user.id": order["user"]},
                body=order["properties"],
            )
        )
    assert telemetry.force_flush()
    arrived = landed(served.folder, f"otlp:{label}")
    exposures, missing, others = arrived[: len(UNITS)], arrived[len(UNITS)], arrived[len(UNITS) + 1 :]
    for unit, nanoseconds, event in zip(UNITS, times, exposures, strict=False):
        known = event.properties
        assert (event.name, event.unit, event.user_id) == ("$exposure", unit, unit)
        assert (known["flag"], known["assigned"]) == ("checkout", variant_of(flag, unit))
        assert (known["reason"], known["environment"]) == ("SPLIT", "dev")
        assert event.original_time == nanoseconds // 1000
    assert missing.properties["reason"] == "ERROR"
    sent = [Sent(o["name"], o["id"], o["time"], o["properties"], user_id=o["user"]) for o in orders]
    compare(others, sent)
    assert landed(served.folder, f"paribus:{label}-ofrep") == [], "paribus-exposure: off"


def test_paribus_sdk(served: Served, flag: Json, label: str, orders: list[Json], tmp_path: Path) -> None:
    from paribus_sdk import Client

    with Client(served.url, served.key("server", label), cache_dir=tmp_path) as client:
        assert client.ready(20)
        for unit in UNITS * 2:
            assert client.variant("checkout", unit=unit, context={"country": "DE"}) == variant_of(flag, unit)
        for order in orders:
            client.track(
                order["name"],
                order["user"],
                order["time"],
                user_id=order["user"],
                anonymous_id=order["anonymous"],
                session_id="s-1",
                properties=order["properties"],
            )
        assert client.flush(30)
        assert (client.stats.exposures, client.stats.exposures_deduplicated) == (len(UNITS), len(UNITS))
    arrived = landed(served.folder, f"paribus:{label}")
    check_exposures(flag, arrived[: len(UNITS)], UNITS)
    sent = [
        Sent(o["name"], None, o["time"], o["properties"], o["user"], o["anonymous"], session_id="s-1") for o in orders
    ]
    compare(arrived[len(UNITS) :], sent)
    sequence = [event.sequence for event in arrived]
    assert sequence == sorted(sequence)
    assert len(set(sequence)) == len(arrived)


def test_paribus_sdk_of_a_program_that_only_ends(served: Served, label: str, tmp_path: Path) -> None:
    """No flush and no close: what was tracked is sent at the exit, or by the next start."""
    program = "import sys\nfrom paribus_sdk import Client\nclient = Client(*sys.argv[1:3], cache_dir=sys.argv[3])\n"
    program += 'for number in range(500):\n    client.track("gone", unit=f"u{number}", number=number)\n'
    key = served.key("server", label)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, served.url, key, str(tmp_path)], check=True)
    from paribus_sdk import Client

    with Client(served.url, key, cache_dir=tmp_path) as client:
        until(lambda: client.pending == 0 and client.flush(5))
    arrived = until(lambda: len(found := landed(served.folder, f"paribus:{label}")) == 1000 and found)
    assert sorted(event.properties["number"] for event in arrived) == sorted([*range(500)] * 2)
