"""Batches of decoded events, column by column, as they are written to the tables.

Columns are filled request by request, while its records are still in the processor's cache; filling them from all
records at the end costs twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import mmh3

from paribus.lake.columns import DAY, EVENT_COLUMNS, QUARANTINE_COLUMNS, TYPED_PREFIX
from paribus.lake.lateness import BUCKETS, buckets_of
from paribus.lake.record import Quarantined, Record, microseconds

if TYPE_CHECKING:
    from arro3.core import Array, Table

_PYTHON_TYPES = {bool: "boolean", int: "long", float: "double", str: "string", datetime: "timestamp"}
_DERIVED = {"landing_id", "landing_index", "event_key", "event_date", "received_date"}
_EVENT_FIELDS = tuple((name, attrgetter(name)) for name in EVENT_COLUMNS if name not in _DERIVED)
_QUARANTINE_FIELDS = tuple((name, attrgetter(name)) for name in QUARANTINE_COLUMNS if name not in _DERIVED)
_FORBIDDEN_IN_NAME = re.compile(r"[ ,;{}()\n\t=\x00]")
_INT64 = 1 << 63


class EventBatch:
    """Events of one flush for the table of events."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in EVENT_COLUMNS}
        self._typed: dict[str, tuple[list[int], list[Any]]] = {}

    def __len__(self) -> int:
        return len(self._columns["landing_id"])

    def add(self, records: Sequence[Record], landing_id: int, places: Sequence[int]) -> None:
        """Takes the records of one request and their places in it."""
        columns = self._columns
        first = len(columns["landing_id"])
        for name, value_of in _EVENT_FIELDS:
            columns[name].extend(map(value_of, records))
        columns["landing_id"].extend([landing_id] * len(records))
        columns["landing_index"].extend(places)
        columns["event_date"].extend([record.original_time // DAY for record in records])
        columns["event_key"].extend([_event_key(record.source, record.event_id) for record in records])
        for index, record in enumerate(records, first):
            for name, value in record.typed.items():
                if value is not None:
                    indexes, values = self._typed.setdefault(name, ([], []))
                    indexes.append(index)
                    values.append(value)

    def table(self, known: dict[str, str], untyped: Counter[str]) -> Table:
        """The events as an Arrow table with the partition column.

        Args:
            known: the table's columns so far, name → Delta type; a typed value that does not fit its column's type is
                left out of the column (the JSON text keeps it) and counted in `untyped` by property name.
        """
        arrays = {name: _array(self._columns[name], kind) for name, kind in EVENT_COLUMNS.items()}
        spelled = {name.lower(): name for name in known}
        for name, (indexes, values) in self._typed.items():
            column_name = TYPED_PREFIX + name
            clashes = spelled.setdefault(column_name.lower(), column_name) != column_name
            if clashes or _FORBIDDEN_IN_NAME.search(column_name):
                untyped[name] += len(values)
                continue
            kind = known.get(column_name) or _kind_of(values)
            column: list[Any] = [None] * len(self)
            for index, value in zip(indexes, _fitting(name, values, kind, untyped), strict=True):
                column[index] = value
            arrays[column_name] = _array(column, kind)
        return _table(arrays)

    def lateness(self) -> dict[tuple[int, int], int]:
        """How many events waited how long: (received day, bucket) → events."""
        if not len(self):
            return {}
        import numpy as np

        received = np.array(self._columns["received_time"], dtype=np.int64)
        waits = received - np.array(self._columns["corrected_time"], dtype=np.int64)
        keys, counts = np.unique(received // DAY * BUCKETS + buckets_of(waits), return_counts=True)
        return {divmod(key, BUCKETS): events for key, events in zip(keys.tolist(), counts.tolist(), strict=True)}


class QuarantineBatch:
    """Events of one flush for the table of quarantine."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in QUARANTINE_COLUMNS}

    def __len__(self) -> int:
        return len(self._columns["landing_id"])

    def add(self, events: Sequence[Quarantined], landing_id: int, places: Sequence[int]) -> None:
        """Takes the quarantined events of one request and their places in it."""
        columns = self._columns
        for name, value_of in _QUARANTINE_FIELDS:
            columns[name].extend(map(value_of, events))
        columns["landing_id"].extend([landing_id] * len(events))
        columns["landing_index"].extend(places)
        columns["received_date"].extend([event.received_time // DAY for event in events])

    def table(self) -> Table:
        """The events as an Arrow table with the partition column."""
        return _table({name: _array(self._columns[name], kind) for name, kind in QUARANTINE_COLUMNS.items()})


def _event_key(source: str, event_id: str) -> int:
    """The first half, signed, of MurmurHash3 x64 128 of source, NUL, event id.

    Of bytes: mmh3 crashes the process on text with a lone surrogate.
    """
    return mmh3.hash64(f"{source}\0{event_id}".encode("utf-8", "replace"))[0]


def _kind_of(values: list[Any]) -> str:
    first = values[0]
    for python_type, kind in _PYTHON_TYPES.items():
        if isinstance(first, python_type):
            return "double" if kind == "long" and any(isinstance(value, float) for value in values) else kind
    return "string"


def _fitting(name: str, values: list[Any], kind: str, untyped: Counter[str]) -> list[Any]:
    types = set(map(type, values))
    if types == {str} and kind == "string":
        return values
    if types == {float} and kind == "double":
        return values
    if types == {int} and kind == "long" and min(values) >= -_INT64 and max(values) < _INT64:
        return values
    fitted = [_fitted(value, kind) for value in values]
    untyped[name] += fitted.count(None)
    return fitted


def _fitted(value: Any, kind: str) -> Any:
    if kind == "string":
        return value if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "timestamp":
        return microseconds(value) if isinstance(value, datetime) and value.tzinfo is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "double":
        return _as_float(value)
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else None


def _as_float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _array(values: Sequence[Any], kind: str) -> Array:
    from arro3.core import Array, DataType

    if kind == "string":
        try:
            return Array(values, type=DataType.utf8())
        except UnicodeEncodeError:
            repaired = [None if text is None else text.encode("utf-8", "replace").decode() for text in values]
            return Array(repaired, type=DataType.utf8())
    if kind == "timestamp":
        return Array(values, type=DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))
    if kind == "date":
        return Array(values, type=DataType.int32()).cast(DataType.date32())
    types = {"long": DataType.int64, "double": DataType.float64, "boolean": DataType.bool}
    return Array(values, type=types[kind]())


def _table(arrays: dict[str, Any]) -> Table:
    from arro3.core import Table

    return Table.from_pydict(arrays)
