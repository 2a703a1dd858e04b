"""Exposures of OFREP single evaluations: deduplicated, gathered for a moment, then landed like any other event.

An answer does not wait for its exposure: a flag must be served although the disk is full. What cannot land is tried
again while it fits the bound, then counted as lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from paribus_sdk.event import new_event_id, quoted, timestamp
from paribus_sdk.exposure import EXPOSURE, ExposureLog, exposure_json

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
"""Exposures of a key that are told from new ones."""
SDK = "paribus-server"
log = structlog.get_logger("paribus.server")

Land = Callable[["Principal", bytes], Awaitable[None]]
"""Lands one body of our own dialect, durable when it returns."""


class Exposures:
    """What was exposed and has not landed yet."""

    def __init__(self, land: Land, clock: Clock) -> None:
        self._land = land
        self._clock = clock
        self._waiting: list[tuple[Principal, bytes]] = []
        self._seen: dict[str, ExposureLog] = {}
        self._sequence = 0
        self._task: asyncio.Task[None] | None = None
        self._landing = asyncio.Lock()
        self.landed = 0
        self.repeated = 0
        self.lost = 0

    def add(self, principal: Principal, decision: Decision) -> None:
        """Remembers that this unit met this variant; without a unit or variant nobody was exposed."""
        unit = decision.unit
        if not unit or decision.variant is None:
            return
        seen = self._seen.get(principal.key_id)
        if seen is None:
            seen = self._seen[principal.key_id] = ExposureLog(REMEMBERED)
        if not seen.add(decision.outcome, unit):
            self.repeated += 1
            return
        self._sequence += 1
        self._waiting.append((principal, self._event(principal, decision, unit)))
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
            by_key: dict[Principal, list[bytes]] = {}
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

    async def _flush_batch(self, principal: Principal, events: list[bytes]) -> None:
        body = b'{"sent_at":"%b","batch":[%b]}' % (timestamp(self._clock().timestamp()).encode(), b",".join(events))
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

    def _event(self, principal: Principal, decision: Decision, unit: str) -> bytes:
        number = self._sequence
        properties = exposure_json(decision, decision.attributes, principal.environment, number, SDK)
        return (
            f'{{"event_id":"{new_event_id()}","name":"{EXPOSURE}","time":"{timestamp(self._clock().timestamp())}",'
            f'"unit_type":{quoted(decision.unit_type or "user")},"unit":{quoted(unit)},"sequence":{number},'
            f'"properties":{properties}}}'
        ).encode("utf-8", "replace")
