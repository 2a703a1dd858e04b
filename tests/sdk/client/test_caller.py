"""Nothing that a caller hands over raises in its code."""

from __future__ import annotations

from typing import Any

import pytest
from paribus_sdk.request import in_request
from paribus_sdk.testing import InMemoryClient
from tests.sdk.client.snapshots import flag, snapshot

RULES = [{"id": "r", "when": {"attribute": "a", "op": "equals", "value": 1}, "variant": "treatment"}]


class Hostile(dict[str, Any]):
    def get(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __getitem__ = get
    __contains__ = get
    keys = get


NAMES: list[Any] = [["x"], "checkout", "absent", None, 7, {"x": 1}]
UNITS: list[Any] = ["u", "", None, 7, True, 1.5, ["u"], {"u": 1}, b"u", "\ud800", "ü" * 10_000]


@pytest.mark.parametrize("context", [None, {}, [], "text", 7, {"a": object()}, {1: 2}, Hostile(), Hostile(a=1)])
@pytest.mark.parametrize("is_ready", [True, False])
def test_no_flag_unit_or_context_raises(context: Any, is_ready: bool) -> None:
    client = InMemoryClient(snapshot(checkout=flag(rules=RULES)) if is_ready else None)
    client.override("checkout", "tester", "treatment")
    for name in NAMES:
        for unit in UNITS:
            assert isinstance(client.variant(name, unit, context), str)
            client.value(name, False, unit, context)
            client.peek(name, unit, context)
            client.peek_all(unit, context)
            with in_request("u", {"a": 1}) as request:
                client.variant(name, unit, context)
                assert request.variants.keys() <= {"checkout"}
            client.track("n", unit)
    assert len(client.named("n")) == len(NAMES) * len(UNITS)


def test_reports_of_anything() -> None:
    client = InMemoryClient(snapshot())
    client.report("checkout", "no such variant", error=True, seconds=float("nan"))
    client.report("checkout", "control", error=True, seconds=-1)
    client.reset_breaker("absent")
