"""CSV files whose columns are declared, as events."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from paribus.errors import InputError


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """What the columns of a CSV file mean; all columns that are not named become properties.

    Cells of properties are read as JSON numbers, true, false and null where they are written so, else as text; empty
    cells are left out.
    """

    time: str
    name: str | None = None
    """Column with the event's name; or `event` for one name in all rows."""
    event: str | None = None
    unit: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    event_id: str | None = None
    unit_type: str = "user"


def csv_events(text: io.TextIOBase, columns: CsvColumns, path: Path) -> Iterator[bytes]:
    """The rows as JSON texts of our own events.

    Raises:
        InputError: a declared column is missing.
    """
    reader = csv.DictReader(text)
    known = set(reader.fieldnames or ())
    named = {"name": columns.name, "time": columns.time, "unit": columns.unit, "user_id": columns.user_id,
             "anonymous_id": columns.anonymous_id, "event_id": columns.event_id}  # fmt: skip
    missing = sorted(column for column in named.values() if column is not None and column not in known)
    if missing or (columns.name is None) == (columns.event is None):
        raise InputError(
            f"no column {missing[0]!r}" if missing else "either a column with the event's name, or one name for all",
            where=str(path),
            rule="declared columns stand in the header: " + ", ".join(sorted(known)),
        )
    taken = {column for column in named.values() if column is not None}
    seen: dict[bytes, int] = {}
    for row in reader:
        event: dict[str, Any] = {
            field: row[column] for field, column in named.items() if column is not None and row[column]
        }
        event.setdefault("name", columns.event)
        event["unit_type"] = columns.unit_type
        event["properties"] = {
            name: _cell(value)
            for name, value in row.items()
            if isinstance(name, str) and name not in taken and isinstance(value, str) and value != ""
        }
        if "event_id" not in event:
            digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).digest()[:16]
            count = seen.get(digest, 0)
            seen[digest] = count + 1
            event["event_id"] = f"{digest.hex()}-{count}"
        yield json.dumps(event).encode()


def _cell(text: str) -> Any:
    if text in ("true", "false") or text[:1] in "-0123456789":
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, ValueError):
            return text
        return value if isinstance(value, (bool, int, float)) else text
    return text
