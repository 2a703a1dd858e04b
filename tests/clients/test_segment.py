"""Segment's and RudderStack's Python clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.clients.arrival import Json, Sent, compare, landed
from tests.clients.conftest import Served

pytestmark = pytest.mark.xdist_group("clients")


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def send(client: Any, orders: list[Json]) -> None:
    """One call of each kind of the protocol, then the orders."""
    first = {"timestamp": at(orders[0]["time"]), "anonymous_id": "device-0"}
    client.identify("user-0", {"plan": "pro", "age": 41}, message_id="m-identify", **first)
    client.page("user-0", "Shop", "Cart", {"path": "/cart"}, message_id="m-page", **first)
    client.screen("user-0", "Shop", "Cart", {"wide": True}, message_id="m-screen", **first)
    client.group("user-0", "acme", {"seats": 7}, message_id="m-group", **first)
    client.alias("device-0", "user-0", timestamp=first["timestamp"], message_id="m-alias")
    for order in orders:
        client.track(
            order["user"],
            order["name"],
            order["properties"],
            context={"ip": "203.0.113.7", "sessionId": 17},
            timestamp=at(order["time"]),
            anonymous_id=order["anonymous"],
            message_id=order["id"],
        )


def calls(orders: list[Json]) -> list[Sent]:
    """What must arrive of one call of each kind and the orders."""
    time = orders[0]["time"]
    who = {"user_id": "user-0", "anonymous_id": "device-0"}
    return [
        Sent("$identify", "m-identify", time, {"plan": "pro", "age": 41}, **who),
        Sent("$page_view", "m-page", time, {"path": "/cart", "name": "Cart", "category": "Shop"}, **who),
        Sent("$screen_view", "m-screen", time, {"wide": True, "name": "Cart", "category": "Shop"}, **who),
        Sent("$group", "m-group", time, {"seats": 7, "group_id": "acme"}, **who),
        Sent("$alias", "m-alias", time, {"previous_id": "device-0"}, user_id="user-0"),
        *(
            Sent(
                order["name"],
                order["id"],
                order["time"],
                order["properties"],
                order["user"],
                order["anonymous"],
                session_id="17",
                context={"ip": "203.0.113.7"},
            )
            for order in orders
        ),
    ]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_segment(served: Served, intake_key: str, label: str, orders: list[Json], compressed: bool) -> None:
    from segment.analytics.client import Client

    problems: list[object] = []
    client = Client(intake_key, host=served.url, gzip=compressed, on_error=lambda error, batch: problems.append(error))
    send(client, orders)
    client.shutdown()
    assert problems == []
    arrived = landed(served.folder, f"segment:{label}")
    compare(arrived, calls(orders))
    assert {event.context["library"]["name"] for event in arrived} == {"analytics-python"}
    assert all(event.sent_time is not None for event in arrived)


@pytest.mark.clients
def test_rudderstack(served: Served, intake_key: str, label: str, orders: list[Json]) -> None:
    from rudderstack.analytics.client import Client

    problems: list[object] = []
    client = Client(
        intake_key, host=served.url + "/intake/rudderstack", on_error=lambda error, batch: problems.append(error)
    )
    send(client, orders)
    client.shutdown()
    assert problems == []
    compare(landed(served.folder, f"rudderstack:{label}"), calls(orders))
