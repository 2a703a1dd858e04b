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


@pytest.mark.parametrize("name", ["checkout", "absent", None, 7, ["x"], {"x": 1}])
@pytest.mark.parametrize("unit", ["u", "", None, 7, True, 1.5, ["u"], {"u": 1}, b"u", "\ud800", "ü" * 10_000])
@pytest.mark.parametrize("context", [None, {}, [], "text", 7, {"a": object()}, {1: 2}, Hostile()])
def test_no_flag_unit_or_context_raises(name: Any, unit: Any, context: Any) -> None:
    client = InMemoryClient(snapshot(checkout=flag(rules=RULES)))
    empty = InMemoryClient()
    client.override("checkout", "tester", "treatment")
    for each in (client, empty):
        assert isinstance(each.variant(name, unit, context), str)
        each.value(name, False, unit, context)
        each.peek(name, unit, context)
        each.peek_all(unit, context if isinstance(context, dict) else None)
        with in_request("u", {"a": 1}) as request:
            each.variant(name, unit, context)
            assert request.variants.keys() <= {"checkout"}
        each.track("n", unit)
        assert len(each.events) >= 1


def test_reports_of_anything() -> None:
    client = InMemoryClient(snapshot())
    client.report("checkout", "no such variant", error=True, seconds=float("nan"))
    client.report("checkout", "control", error=True, seconds=-1)
    client.reset_breaker("absent")
