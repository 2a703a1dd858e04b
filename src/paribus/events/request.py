"""What comes in at the door and what goes back: requests, verdicts, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from paribus.lake.record import LandingRow


class Verdict(IntEnum):
    """What the check at intake said of one event; one byte of a landing row's `verdicts`."""

    PLANNED = 0
    UNPLANNED = 1
    QUARANTINED = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class IntakeRequest:
    """An HTTP request as any server can describe it."""

    method: str
    path: str
    """Decoded path without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """As received, still compressed."""
    received_time: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer that satisfies the dialect's genuine clients."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event, or with `index` None a whole body, that was not taken."""

    index: int | None
    what: str
    rule: str

    def to_dict(self) -> dict[str, Any]:
        """As in the answer of our own API."""
        return {"index": self.index, "what": self.what, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check made of a request: received = accepted + quarantined + rejected.

    A body that cannot be read at all counts as one received and one rejected.
    """

    dialect: str
    received: int
    accepted: int
    unplanned: int
    """Those of `accepted` that the plan does not know."""
    quarantined: int
    rejected: tuple[Rejection, ...]
    verdicts: bytes
    body: bytes
    """What to land: as received, or rewritten where the request's head says what the body means."""
    plan_revision: int
    received_time: int
    """Microseconds since the epoch, as it was when the times were judged."""
    answer: Answer
    """To be sent once the row is durable; at once when there is nothing to land."""

    @property
    def is_landing(self) -> bool:
        """Whether there is something to make durable before the answer."""
        return self.accepted + self.quarantined > 0

    def row(self, key_id: str) -> LandingRow:
        """The landing row, without an id yet (0)."""
        return LandingRow(
            id=0,
            received_time=self.received_time,
            dialect=self.dialect,
            key_id=key_id,
            plan_revision=self.plan_revision,
            verdicts=self.verdicts,
            body=self.body,
        )
