"""Which column of a table of events says who, what, when and in which session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from paribus.errors import InputError, did_you_mean
from paribus.warehouse.engine import ColumnKind

# Names by which a role is known, the surest first, in lower case with underscores.
NAMES: dict[str, tuple[str, ...]] = {
    "unit": (
        "user_id",
        "unit_id",
        "unit",
        "user",
        "uid",
        "distinct_id",
        "person_id",
        "customer_id",
        "customer",
        "member_id",
        "account_id",
        "visitor_id",
        "visitorid",
        "client_id",
        "anonymous_id",
        "device_id",
        "player_id",
    ),
    "event": ("event", "event_name", "event_type", "name", "action", "activity", "type", "behavior", "behavior_type"),
    "time": (
        "corrected_time",
        "time",
        "timestamp",
        "event_time",
        "event_timestamp",
        "original_timestamp",
        "original_time",
        "ts",
        "occurred_at",
        "created_at",
        "datetime",
        "date_time",
        "created",
        "at",
        "date",
    ),
    "session": ("session_id", "session", "sessionid", "user_session", "visit_id", "visit"),
    "event_id": ("event_id", "insert_id", "message_id", "uuid", "event_uuid"),
    "received": ("received_time", "received_at", "server_received_time", "server_upload_time"),
}
KINDS: dict[str, frozenset[ColumnKind]] = {
    "unit": frozenset({"text", "integer"}),
    "event": frozenset({"text"}),
    "time": frozenset({"timestamp", "timestamp_tz", "date", "text", "integer", "number"}),
    "session": frozenset({"text", "integer"}),
    "event_id": frozenset({"text", "integer"}),
    "received": frozenset({"timestamp", "timestamp_tz", "text"}),
}
WORDS = {"unit": "the unit (user)", "event": "the event's name", "time": "the time of the event"}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table of events by role; empty where the table has none, or where it is to be inferred."""

    unit: str = ""
    event: str = ""
    time: str = ""
    session: str = ""
    event_id: str = ""
    received: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that have a role."""
        roles = (self.unit, self.event, self.time, self.session, self.event_id, self.received)
        return tuple(name for name in roles if name)


def infer(kinds: Mapping[str, ColumnKind], given: Columns | None = None, *, where: str = "source") -> Columns:
    """The roles of the columns, those in `given` first, the others by name and kind.

    Raises:
        InputError: a given column does not exist, or none can be the unit, the event's name or its time.

    >>> infer({"userId": "text", "event_name": "text", "ts": "timestamp", "price": "number"}).unit
    'userId'
    """
    found = given or Columns()
    for role in NAMES:
        asked = getattr(found, role)
        if asked:
            if asked not in kinds:
                raise InputError(
                    f"there is no column {asked!r}", where=f"{where}, {role}", fix=did_you_mean(asked, kinds)
                )
            continue
        taken = set(found.named)
        named = _by_name(role, {name: kind for name, kind in kinds.items() if name not in taken})
        if named:
            found = replace(found, **{role: named})
        elif role in WORDS:
            fitting = [name for name, kind in kinds.items() if kind in KINDS[role]]
            raise InputError(
                f"no column of {', '.join(kinds) or 'the table'} looks like {WORDS[role]}",
                where=where,
                rule=f"a table of events says {WORDS[role]}, by a usual name ({', '.join(NAMES[role][:4])} …)",
                fix=f"name it: --{role} {fitting[0] if fitting else 'COLUMN'}",
            )
    return found


def plain_name(name: str) -> str:
    """The name in lower case with underscores: `userId`, `User ID` and `$user_id` are `user_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _by_name(role: str, kinds: Mapping[str, ColumnKind]) -> str:
    plain = {plain_name(name): name for name in reversed(list(kinds)) if kinds[name] in KINDS[role]}
    for known in NAMES[role]:
        if known in plain:
            return plain[known]
    ends = {"unit": ("_user_id", "_userid", "_customer_id"), "time": ("_time", "_timestamp", "_at")}.get(role, ())
    for end in ends:
        for name, original in plain.items():
            if name.endswith(end) and not (role == "time" and kinds[original] in {"integer", "number"}):
                return original
    return ""
