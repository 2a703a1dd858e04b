"""Exposures of OFREP single evaluations: deduplicated, gathered for a moment, then landed like any other event.

An answer does not wait for its exposure: a flag must be served although the disk is full. What cannot land is tried
again while it fits the bound, then counted as lost.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from paribus.errors import ParibusError

if TYPE_CHECKING:
    from paribus_sdk import Decision

    from paribus.clock import Clock
    from paribus.governance.access import Principal

GATHER_SECONDS = 0.02
BATCH = 500
BOUND = 50_000
"""Exposures held while landing refuses."""
REMEMBERED = 100_000
SDK = "paribus-server"
log = structlog.get_logger("paribus.server")

Land = Callable[["Principal", bytes], Awaitable[None]]
"""Lands one body of our own dialect, durable when it returns."""


class Exposures:
    """What was exposed and has not landed yet."""

    def __init__(self, land: Land, clock: Clock) -> None:
        self._land = land
        self._clock = clock
        self._waiting: list[tuple[Principal, dict[str, Any]]] = []
        self._seen: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self._sequence = 0
        self._task: asyncio.Task[None] | None = None
        self._landing = asyncio.Lock()
        self.landed = 0
        self.repeated = 0
        self.lost = 0

    def add(self, principal: Principal, decision: Decision) -> None:
        """Remembers that this unit met this variant; without a unit or variant nobody was exposed."""
        if not decision.unit or decision.variant is None:
            return
        identity = (
            principal.key_id,
            decision.flag,
            decision.unit,
            decision.assigned,
            decision.served,
            decision.revision,
        )
        if identity in self._seen:
            self.repeated += 1
            return
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._sequence += 1
        self._waiting.append((principal, self._event(principal, decision)))
        if len(self._waiting) > BOUND:
            del self._waiting[0]
            self.lost += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._later())

    @property
    def waiting(self) -> int:
        """How many have not landed."""
        return len(self._waiting)

    async def flush(self) -> None:
        """Lands what waits; what fails stays and is tried with the next flush."""
        async with self._landing:
            taken, self._waiting = self._waiting, []
            by_key: dict[Principal, list[dict[str, Any]]] = {}
            for principal, event in taken:
                by_key.setdefault(principal, []).append(event)
            for principal, events in by_key.items():
                for start in range(0, len(events), BATCH):
                    await self._flush_batch(principal, events[start : start + BATCH])

    async def close(self) -> None:
        """The last flush; what cannot land even now is counted as lost, and logged."""
        await self.flush()
        if self._waiting:
            self.lost += len(self._waiting)
            log.error("exposures_lost", count=len(self._waiting))
            self._waiting.clear()

    async def _flush_batch(self, principal: Principal, events: list[dict[str, Any]]) -> None:
        body = msgspec.json.encode({"sent_at": self._clock(), "batch": events})
        try:
            await self._land(principal, body)
        except (ParibusError, OSError) as error:
            log.warning("exposures_wait", count=len(events), error=str(error))
            self._waiting[:0] = [(principal, event) for event in events]
        else:
            self.landed += len(events)

    async def _later(self) -> None:
        wait = GATHER_SECONDS
        while self._waiting:
            await asyncio.sleep(wait)
            await self.flush()
            wait = min(5.0, wait * 4) if self._waiting else GATHER_SECONDS
        self._task = None

    def _event(self, principal: Principal, decision: Decision) -> dict[str, Any]:
        return {
            "event_id": _new_id(),
            "name": "$exposure",
            "time": self._clock(),
            "unit_type": decision.unit_type,
            "unit": decision.unit,
            "sequence": self._sequence,
            "properties": {
                "flag": decision.flag,
                "assigned": decision.assigned,
                "served": decision.served,
                "reason": decision.reason,
                "revision": decision.revision,
                "epoch": decision.epoch,
                "traffic_bp": decision.traffic_bp,
                "split_bp": decision.split_bp,
                "probability": decision.probability,
                "attributes": decision.attributes,
                "environment": principal.environment,
                "sdk": SDK,
                "sequence": self._sequence,
                "unit_type": decision.unit_type,
                "unit": decision.unit,
            },
        }


def _new_id() -> str:
    """A random UUID (RFC 9562, version 4), in a fifth of the time that uuid.uuid4 takes for its text."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"
