"""Sending planted events through the real doors: the SDK's client, and the vendors' protocols that are switched on."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from paribus.errors import TransientError
from paribus.workflow.validation.staging import Door, trust

Json = dict[str, Any]
PATIENCE_SECONDS = 30.0
SDK = "paribus"


@dataclass(frozen=True, slots=True)
class Plant:
    """One event to send; sent again under the same id it is the same event."""

    event_id: str
    name: str
    unit: str
    time: datetime
    properties: Json = field(default_factory=dict)
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None


def send_by_sdk(door: Door, plants: Sequence[Plant], folder: Path, now: datetime) -> int:
    """How many the server acknowledged, sent by the SDK's client.

    Raises:
        TransientError: not all were taken in time.
    """
    from paribus_sdk import Client

    moment = now.timestamp()
    with Client(door.url, door.secret, cache_dir=folder, clock=lambda: moment, flush_seconds=0.05) as client:
        for each in plants:
            client.track(
                each.name,
                each.unit,
                each.time,
                properties=each.properties,
                user_id=each.user_id,
                anonymous_id=each.anonymous_id,
                session_id=each.session_id,
                event_id=each.event_id,
            )
        if not client.flush(PATIENCE_SECONDS):
            raise TransientError(
                f"the server did not take {len(plants):,} planted events within {PATIENCE_SECONDS:g} s", where=door.url
            )
        return int(client.stats.sent)


def send_by(dialect: str, door: Door, plants: Sequence[Plant]) -> int:
    """How many the server took, as a vendor's own client would send them: segment, amplitude or mixpanel."""
    import httpx

    path, headers, body = _request(dialect, door, plants)
    answer = httpx.post(door.url + path, json=body, headers=headers, timeout=PATIENCE_SECONDS, verify=trust())
    if answer.status_code >= 400:
        raise TransientError(f"{path}: {answer.status_code} {answer.text[:200]}", where=door.url)
    return len(plants)


def _request(dialect: str, door: Door, plants: Sequence[Plant]) -> tuple[str, dict[str, str], Any]:
    basic = {"Authorization": "Basic " + base64.b64encode(f"{door.secret}:".encode()).decode()}
    if dialect == "segment":
        batch = [
            {
                "type": "track",
                "event": each.name,
                "userId": each.unit,
                "messageId": each.event_id,
                "timestamp": each.time.isoformat(),
                "properties": each.properties,
            }
            for each in plants
        ]
        return "/intake/segment/v1/batch", basic, {"batch": batch}
    if dialect == "amplitude":
        events = [
            {
                "event_type": each.name,
                "user_id": each.unit,
                "insert_id": each.event_id,
                "time": int(each.time.timestamp() * 1000),
                "event_properties": each.properties,
            }
            for each in plants
        ]
        return "/intake/amplitude/2/httpapi", {}, {"api_key": door.secret, "events": events}
    listed = [
        {
            "event": each.name,
            "properties": {
                **each.properties,
                "token": door.secret,
                "distinct_id": each.unit,
                "$insert_id": each.event_id,
                "time": int(each.time.timestamp() * 1000),
            },
        }
        for each in plants
    ]
    return "/intake/mixpanel/import", basic, listed
