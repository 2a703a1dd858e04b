"""What arrived last, for people who look: waiting in the queue, in the table of events, or held in quarantine."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paribus.lake.fresh import read_fresh
from paribus.lake.queue_schema import QUEUE_FILE, connect_reader, storage_error
from paribus.lake.reading import LakeReader, select_events
from paribus.lake.record import LandingRow

Row = dict[str, Any]
SHOWN = (
    "name",
    "unit",
    "user_id",
    "anonymous_id",
    "source",
    "event_id",
    "original_time",
    "corrected_time",
    "received_time",
    "planned",
    "properties",
)
HELD = ("reason", "detail", "name", "source", "event_id", "received_time", "plan_revision", "environment", "body")
_PLACE = ("landing_id", "landing_index")
_ROWS = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """A page of quarantined events, its cursor (None on the last page), and the events by reason in all."""

    rows: list[Row]
    next: str | None
    reasons: dict[str, int]


def waiting(folder: Path) -> list[LandingRow]:
    """The newest rows of the landing queue, newest first; from any process."""
    try:
        reader = connect_reader(folder / QUEUE_FILE)
    except sqlite3.Error as failure:
        raise storage_error(failure, folder / QUEUE_FILE) from failure
    try:
        found = reader.execute(
            "SELECT id, received_time, dialect, key_id, plan_revision, verdicts, body FROM landing "
            "ORDER BY id DESC LIMIT ?",
            (_ROWS,),
        ).fetchall()
    finally:
        reader.close()
    return [LandingRow(*fields) for fields in found]


def newest(reader: LakeReader, limit: int, name: str | None = None) -> list[Row]:
    """The events that landed last, newest first; of the last files only, so that it stays quick."""
    return read_fresh(lambda: _newest(reader, limit, name))


def held(reader: LakeReader, *, reason: str | None = None, after: str = "", limit: int = 100) -> Held:
    """Quarantined events, oldest first."""
    return read_fresh(lambda: _held(reader, reason, after, limit))


def _newest(reader: LakeReader, limit: int, name: str | None) -> list[Row]:
    snapshot = reader.snapshot()
    files = sorted(snapshot.files, key=lambda file: Path(file).stat().st_mtime_ns)[-50:]
    if not files:
        return []
    text = select_events(files, snapshot.columns, None if name is None else [name], (*SHOWN, *_PLACE))
    order = ", ".join(f"{column} DESC" for column in ("received_time", *_PLACE))
    return _rows(f"SELECT * FROM ({text}) ORDER BY {order} LIMIT {int(limit)}", SHOWN)


def _held(reader: LakeReader, reason: str | None, after: str, limit: int) -> Held:
    source = reader.quarantine_sql()
    place = "lpad(CAST(landing_id AS VARCHAR), 20, '0') || '.' || lpad(CAST(landing_index AS VARCHAR), 10, '0')"
    chosen = f"SELECT {', '.join(HELD)}, {place} AS place FROM ({source})"
    found = _rows(
        f"SELECT * FROM ({chosen}) WHERE place > $after AND ($reason IS NULL OR reason = $reason) "
        f"ORDER BY place LIMIT {int(limit)}",
        (*HELD, "place"),
        {"after": after, "reason": reason},
    )
    counts = _rows(f"SELECT reason, count(*) AS n FROM ({source}) GROUP BY 1 ORDER BY 2 DESC, 1", ("reason", "n"))
    cursor = found[-1]["place"] if len(found) == limit else None
    return Held(found, cursor, {row["reason"]: row["n"] for row in counts})


def _rows(statement: str, names: Sequence[str], values: dict[str, Any] | None = None) -> list[Row]:
    import duckdb

    chosen = ", ".join(f"epoch_us({name}) AS {name}" if name.endswith("_time") else name for name in names)
    with duckdb.connect(config={"threads": 1}) as connection:
        found = connection.execute(f"SELECT {chosen} FROM ({statement})", values or {}).fetchall()
    return [{name: _plain(name, value) for name, value in zip(names, row, strict=True)} for row in found]


def _plain(name: str, value: Any) -> Any:
    if value is None or not name.endswith("_time"):
        return value
    return (_EPOCH + timedelta(microseconds=value)).isoformat()
