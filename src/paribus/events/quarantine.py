"""What is kept out, why, and the way back in after a fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from paribus.events.check import tally
from paribus.events.compile import CompiledPlan
from paribus.events.decode import quarantine_reason
from paribus.events.dialects.replay import ReplayBody, Replayed
from paribus.events.incoming import Batch, Incoming, read_event
from paribus.events.request import Verdict
from paribus.lake.record import LandingRow, Quarantined

_SHOWN_CHARACTERS = 40
_ROW_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """Events that are kept out for the same reason.

    `sample` shows one event's properties: the value where the plan declares the property as nobody's data, the type
    elsewhere.
    """

    reason: str
    detail: str
    name: str | None
    count: int
    first_received: int
    last_received: int
    sample: dict[str, str]


@dataclass(frozen=True, slots=True)
class Replay:
    """Landing rows to append, and the events that still break the plan."""

    rows: tuple[LandingRow, ...]
    replayed: tuple[Quarantined, ...]
    kept: tuple[tuple[Quarantined, str], ...]
    """With the reason under the plan of now."""


def reasons(held: Iterable[Quarantined], plan: CompiledPlan) -> list[Reason]:
    """The quarantine by reason, detail and event, the most frequent first."""
    groups: dict[tuple[str, str, str | None], list[Any]] = {}
    for event in held:
        group = groups.setdefault(
            (event.reason, event.detail, event.name), [0, event.received_time, event.received_time, event]
        )
        group[0] += 1
        group[1] = min(group[1], event.received_time)
        group[2] = max(group[2], event.received_time)
    found = [
        Reason(reason, detail, name, count, first, last, masked_sample(event, plan))
        for (reason, detail, name), (count, first, last, event) in groups.items()
    ]
    return sorted(found, key=lambda group: (-group.count, group.reason, group.detail, group.name or ""))


def masked_sample(held: Quarantined, plan: CompiledPlan) -> dict[str, str]:
    """The event's properties by name: values that are nobody's data, types of all others."""
    event = _read(held)
    if event is None:
        return {}
    values: dict[str, Any] = msgspec.json.decode(event.properties, type=dict[str, Any])
    checker = plan.events.get(event.name)
    declared = checker.declared.properties if checker is not None else {}
    shown = {}
    for name, value in list(values.items())[:50]:
        is_open = name in declared and declared[name].personal == "none"
        text = msgspec.json.encode(value).decode()
        shown[name] = text[:_SHOWN_CHARACTERS] if is_open else f"<{_type_name(value)}>"
    return shown


def replay(
    held: Iterable[Quarantined], plan: CompiledPlan, *, key_id: str, now: int, trust_times: bool = False
) -> Replay:
    """The landing rows that bring back every event which the plan of now accepts.

    The events keep their ids, sources and receipts, so one that is replayed twice is still one event to every reader.

    Args:
        held: events from the lake's quarantine.
        plan: the plan to judge by.
        key_id: the key in whose project and environment the plan stands.
        now: microseconds; the landing rows' receipt.
        trust_times: take original times as they are, however old.
    """
    chosen: list[tuple[Replayed, Verdict]] = []
    replayed: list[Quarantined] = []
    kept: list[tuple[Quarantined, str]] = []
    for event_held in held:
        event = _read(event_held)
        if event is None:
            kept.append((event_held, "its text cannot be read"))
            continue
        verdict = Verdict(
            tally(Batch([event]), plan, event_held.received_time, 1 << 40, is_trusted=trust_times).verdicts[0]
        )
        if verdict in (Verdict.QUARANTINED, Verdict.REJECTED):
            reason, detail = quarantine_reason(event, plan, event_held.received_time, is_trusted=trust_times)
            kept.append((event_held, f"{reason}: {detail}"))
            continue
        chosen.append((Replayed(event_held.source, event_held.received_time, event, trust_times), verdict))
        replayed.append(event_held)
    rows = tuple(
        LandingRow(
            id=0,
            received_time=now,
            dialect="replay",
            key_id=key_id,
            plan_revision=plan.revision,
            verdicts=bytes(verdict for _, verdict in chosen[start : start + _ROW_EVENTS]),
            body=msgspec.json.encode(ReplayBody([part for part, _ in chosen[start : start + _ROW_EVENTS]])),
        )
        for start in range(0, len(chosen), _ROW_EVENTS)
    )
    return Replay(rows, tuple(replayed), tuple(kept))


def _read(held: Quarantined) -> Incoming | None:
    try:
        return read_event(held.body)
    except (msgspec.MsgspecError, ValueError):
        return None


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "object"}
    return "null" if value is None else names[type(value)]
