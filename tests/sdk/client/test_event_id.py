"""An event may carry an id of its caller's, so that what is sent again is known to be the same."""

from __future__ import annotations

from paribus_sdk.testing import InMemoryClient

EMPTY = {
    "format": 1,
    "project": "default",
    "environment": "test",
    "revision": 1,
    "audiences": {},
    "layers": {},
    "holdouts": {},
    "flags": {},
}


def test_the_callers_id_is_kept_and_others_are_new() -> None:
    client = InMemoryClient(EMPTY)
    client.track("order_completed", unit="u1", event_id='order-"1"')
    client.track("order_completed", unit="u1", event_id=None, revenue=3)
    client.track("order_completed", unit="u1")
    ids = [event["event_id"] for event in client.events]
    assert ids[0] == 'order-"1"'
    assert len(set(ids)) == 3
    assert client.events[1]["properties"] == {"revenue": 3}
