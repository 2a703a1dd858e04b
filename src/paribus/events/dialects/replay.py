"""Events let out of quarantine: landed again, with the source and the receipt they came with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

import msgspec

from paribus.events.compile import PlanBook
from paribus.events.decode import decode_batch
from paribus.events.dialects.dialect import Dialect
from paribus.events.hygiene import Flaw
from paribus.events.incoming import Batch, Incoming
from paribus.events.request import IntakeRequest
from paribus.lake.record import LandingRow, Quarantined, Record


class Replayed(msgspec.Struct, gc=False):
    """One event with where and when it first came in."""

    source: str
    received: int
    event: Incoming
    is_trusted: bool = False


class ReplayBody(msgspec.Struct):
    """What a landing row of this dialect holds."""

    events: list[Replayed]


_read_body = msgspec.json.Decoder(ReplayBody).decode


class ReplayDialect(Dialect):
    """Has no route: only `quarantine.replay` writes it."""

    name = "replay"
    list_key: ClassVar[str | None] = "events"

    def key(self, request: IntakeRequest) -> str | None:
        """None: nothing comes in this way."""
        return None

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events without their sources."""
        return Batch([part.event for part in _read_body(document).events])

    def decode(self, row: LandingRow, plans: PlanBook, sources: Mapping[str, str]) -> Iterator[Record | Quarantined]:
        """The records under the row's plan, each with its first source and receipt."""
        plan = plans.at(row.key_id, row.plan_revision)
        for part, verdict in zip(_read_body(row.body).events, row.verdicts, strict=True):
            one = replace(row, received_time=part.received, verdicts=bytes([verdict]))
            yield from decode_batch(Batch([part.event]), one, plan, part.source, is_trusted=part.is_trusted)
