"""What a client did, counted: nothing disappears without a number that says so."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field, fields

logger = logging.getLogger("paribus_sdk")
SAY_SECONDS = 60.0


@dataclass(slots=True)
class Stats:
    """Counts since the client was made (in this process).

    Attributes:
        decisions_unready: Decisions made before any definitions were there.
        exposures: New exposures recorded.
        exposures_deduplicated: Exposures not sent because the same one was sent before.
        exposures_without_unit: Exposures that had no unit to count.
        recorded: Events accepted into the queue, exposures included.
        spooled: Events written to the spool, from where they are sent.
        adopted: Events found in the spool of a process that is gone.
        sent: Events that the server has, quarantined ones included.
        quarantined: Events that the server has put aside for breaking the tracking plan.
        rejected: Events that the server refused; they are not sent again.
        dropped: Events that found no room in the queue or the spool.
        damaged: Lines of an adopted spool that could not be read.
        unsent: Events of a client that has no server.
        retries: Requests that failed and were tried again.
        definitions: Snapshots of the definitions taken into use.
        errors: Failures by kind, each said once a minute in the log.
    """

    decisions_unready: int = 0
    exposures: int = 0
    exposures_deduplicated: int = 0
    exposures_without_unit: int = 0
    recorded: int = 0
    spooled: int = 0
    adopted: int = 0
    sent: int = 0
    quarantined: int = 0
    rejected: int = 0
    dropped: int = 0
    damaged: int = 0
    unsent: int = 0
    retries: int = 0
    definitions: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    _said: dict[str, float] = field(default_factory=dict, repr=False)

    def reset(self) -> None:
        """Counts from zero again, as in a forked child."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int):
                setattr(self, each.name, 0)
            else:
                value.clear()

    def trouble(self, kind: str, sentence: str) -> None:
        """Counts a failure and logs it, at most once a minute for each kind."""
        self.errors[kind] += 1
        now = time.monotonic()
        if now - self._said.get(kind, float("-inf")) >= SAY_SECONDS:
            self._said[kind] = now
            logger.warning("paribus: %s (%s: %d so far)", sentence, kind, self.errors[kind])
