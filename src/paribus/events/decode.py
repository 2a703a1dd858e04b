"""Landing rows back to records: what the lake's flusher calls, the same at every call."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from paribus.events.compile import CompiledPlan
from paribus.events.hygiene import Flaw
from paribus.events.incoming import Batch, Incoming, event_text, final_id
from paribus.events.timing import corrected_time, is_placeable
from paribus.lake.record import QUARANTINED, REJECTED, LandingRow, Quarantined, Record

DEFAULT_UNIT_TYPE = "user"


def decode_batch(
    batch: Batch, row: LandingRow, plan: CompiledPlan, source: str, *, is_trusted: bool
) -> Iterator[Record | Quarantined]:
    """The records and quarantined events of a row, in the order of its body, by the verdicts it was landed with.

    An event without a unit of its own belongs to its user id, else to its anonymous id, of unit type `user`. An event
    without a time happened when it was sent, else when it was received.
    """
    received = row.received_time
    revision = row.plan_revision
    known = plan.events
    batch_sent = batch.sent
    for event, verdict in zip(batch.events, row.verdicts, strict=True):
        if verdict == REJECTED or isinstance(event, Flaw):
            continue
        sent = event.sent if event.sent is not None else batch_sent
        original = event.time
        if original is None:
            original = sent if sent is not None and is_placeable(sent, received) else received
        unit = event.unit
        if unit is None:
            unit = event.user_id if event.user_id is not None else event.anonymous_id
        event_id = final_id(event.event_id, sent, received)
        if verdict == QUARANTINED:
            whole = msgspec.structs.replace(event, sent=sent, event_id=event_id)
            yield quarantined(whole, plan, source, received, unit, is_trusted=is_trusted)
            continue
        checker = known.get(event.name)
        yield Record(
            source,
            event_id,
            event.name,
            original,
            received,
            original if is_trusted else corrected_time(original, sent, received),
            (event.unit_type or DEFAULT_UNIT_TYPE) if unit is not None else event.unit_type,
            unit,
            event.user_id,
            event.anonymous_id,
            event.session_id,
            sent,
            event.properties,
            event.context,
            checker.typed(event.properties) if checker is not None else {},
            revision,
            verdict == 0,
            event.sequence,
            is_trusted,
            plan.environment,
        )


def quarantined(
    event: Incoming, plan: CompiledPlan, source: str, received: int, unit: str | None, *, is_trusted: bool
) -> Quarantined:
    """The event with the reason that keeps it out, in words that hold none of its values."""
    reason, detail = quarantine_reason(event, plan, received, is_trusted=is_trusted)
    return Quarantined(
        reason=reason,
        detail=detail,
        source=source,
        received_time=received,
        body=event_text(event),
        name=event.name,
        event_id=event.event_id,
        unit=unit,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        original_time=event.time,
        plan_revision=plan.revision,
        environment=plan.environment,
    )


def quarantine_reason(event: Incoming, plan: CompiledPlan, received: int, *, is_trusted: bool) -> tuple[str, str]:
    """(reason, detail) of an event that is kept out."""
    if event.time_problem is not None:
        return "time", f"the time cannot be read: {event.time_problem}"
    if event.time is not None and not is_trusted and not is_placeable(event.time, received):
        side = "before" if event.time < received else "after"
        span = "30 days before" if side == "before" else "1 day after"
        return "time", f"the time lies more than {span} its receipt"
    checker = plan.events.get(event.name)
    if checker is None:
        return "unplanned", "the tracking plan has no such event"
    found = checker.violations(event.properties)
    return "contract", "; ".join(f"{violation} (rule: {violation.rule})" for violation in found)
