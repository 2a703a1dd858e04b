"""The verdict on each event of a batch, at the door."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.events.compile import CompiledPlan
from paribus.events.hygiene import Flaw
from paribus.events.incoming import Batch
from paribus.events.request import Rejection, Verdict
from paribus.events.timing import FUTURE, PAST

PLANNED, UNPLANNED, QUARANTINED, REJECTED = map(int, Verdict)
MAX_NAME = 200
MAX_ID = 1024


@dataclass(frozen=True, slots=True)
class Tally:
    """One verdict byte per event, and the words for those that were rejected."""

    verdicts: bytes
    rejected: tuple[Rejection, ...]


def tally(batch: Batch, plan: CompiledPlan, received_time: int, event_bytes: int, *, is_trusted: bool) -> Tally:
    """The verdicts on the events of a batch, in order.

    Rejected: what is no event of the dialect, or larger than allowed. Quarantined: a time that cannot be placed, a
    broken contract, or an unplanned event where the plan says so.
    """
    verdicts = bytearray()
    give = verdicts.append
    rejected: list[Rejection] = []
    earliest, latest = received_time - PAST, received_time + FUTURE
    known = plan.events
    unplanned = UNPLANNED if plan.unplanned == "accept" else QUARANTINED
    for index, event in enumerate(batch.events):
        if isinstance(event, Flaw):
            rejected.append(Rejection(index, event.what, event.rule))
            give(REJECTED)
            continue
        flaw = None
        name, properties, user_id = event.name, event.properties, event.user_id
        if len(properties) + len(event.context) > event_bytes:
            flaw = Flaw("the event is too large", f"at most {event_bytes} characters of properties and context")
        elif not 0 < len(name) <= MAX_NAME:
            flaw = Flaw("the name is empty or too long", f"1 to {MAX_NAME} characters")
        elif len(event.event_id) > MAX_ID or (user_id is not None and len(user_id) > MAX_ID):
            flaw = Flaw("an id is too long", f"at most {MAX_ID} characters")
        if flaw is not None:
            rejected.append(Rejection(index, flaw.what, flaw.rule))
            give(REJECTED)
            continue
        time = event.time
        if event.time_problem is not None or (time is not None and not is_trusted and not earliest <= time <= latest):
            give(QUARANTINED)
            continue
        checker = known.get(name)
        if checker is None:
            give(unplanned)
        else:
            give(PLANNED if checker.check(properties) else QUARANTINED)
    return Tally(bytes(verdicts), tuple(rejected))
