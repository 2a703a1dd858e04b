"""The events of files or of a database as a file of the lake's form: history, before the first event arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paribus.errors import InputError
from paribus.exploration.discovery import Reading
from paribus.exploration.event_log import DAY
from paribus.exploration.opening import TABLE, is_database, staged_files, without_secret
from paribus.exploration.roles import infer
from paribus.exploration.table_log import scale_of
from paribus.warehouse import open_engine
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import TYPED, literal
from paribus.warehouse.sql.portable import identifier, microseconds, text_column
from paribus.warehouse.working_copy import WorkingCopy

AT_ONCE = 500_000  # rows that one statement carries out of a database, about
MOST_ROWS = 20_000_000  # that are carried out of a database
_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """One Parquet file, and what identifies the data that it was made of."""

    path: Path
    version: str


def history_file(source: str, events: Sequence[str], path: Path, *, base_dir: Path | None = None) -> HistoryFile:
    """Writes the events of these names, so that statements over the lake's events answer on them.

    Plain columns become properties, and all but measures the context as well.

    Args:
        source: files (a path, a folder, a glob), or a database's table, written URL#table.
        events: names; of a reserved one the dollar sign may be left out.
        path: of the file to write.
        base_dir: of relative paths.

    Raises:
        InputError: nothing is there, its columns cannot be told, or a database has too many such events.
        EngineError: the database refused.
    """
    if is_database(source):
        copy, reading, version = _carried(source, events, base_dir)
    else:
        copy, reading, _, version = staged_files(source, base_dir or Path())
    try:
        copy.write(_in_the_lakes_form(reading, events), path)
    finally:
        copy.close()
    return HistoryFile(path, version)


def _in_the_lakes_form(reading: Reading, events: Sequence[str]) -> str:
    names = _listed(events)
    event_id = reading.event_id or f"CAST({reading.row} AS VARCHAR)"
    words = ", ".join(f"{literal(name)}, {sql}" for name, (sql, kind) in reading.plain.items() if kind != "number")
    objects = {name: f"CAST({sql} AS JSON)" for name, sql in reading.json.items()}
    context = objects.pop("context", "NULL")
    merged = ", ".join(f"coalesce({sql}, '{{}}')" for sql in objects.values())
    properties = f"json_merge_patch({merged})" if len(objects) > 1 else merged or "'{}'"
    columns = {
        "source": "'history'",
        "event_id": event_id,
        "name": reading.event,
        "unit_type": "'user'",
        "unit": reading.unit,
        "user_id": reading.unit,
        "anonymous_id": "CAST(NULL AS VARCHAR)",
        "session_id": reading.session or "CAST(NULL AS VARCHAR)",
        "original_time": f"make_timestamptz({reading.at})",
        "received_time": f"make_timestamptz({reading.at} + coalesce({reading.received or 0}, 0))",
        "corrected_time": f"make_timestamptz({reading.at})",
        "properties": f"CAST({properties} AS VARCHAR)",
        "context": f"CAST(json_merge_patch(json_object({words}), coalesce({context}, '{{}}')) AS VARCHAR)",
        "environment": "CAST(NULL AS VARCHAR)",
        "event_key": f"CAST(hash({event_id}, {reading.event}) >> 1 AS BIGINT)",
        **{TYPED + name: sql for name, (sql, _) in reading.plain.items()},
    }
    picked = ", ".join(f"{sql} AS {quote(name)}" for name, sql in columns.items())
    known = f"{reading.unit} IS NOT NULL AND {reading.at} IS NOT NULL AND {reading.event} IN ({names})"
    once = f" QUALIFY row_number() OVER (PARTITION BY {event_id}, {reading.event} ORDER BY {reading.at}) = 1"
    return f"SELECT {picked} FROM {reading.relation} WHERE {known}{once if reading.event_id else ''}"


def _carried(source: str, events: Sequence[str], base_dir: Path | None) -> tuple[WorkingCopy, Reading, str]:
    """The events of a database's table, stretch by stretch into a working copy."""
    url, _, named = source.partition("#")
    table = named or TABLE
    place = f"{without_secret(url)}#{table}"
    engine = open_engine(url, base_dir=base_dir)
    copy = WorkingCopy()
    try:
        kinds = engine.columns(table)
        found = infer(kinds, where=table)
        dialect = engine.dialect
        kind = kinds[found.time]
        at = microseconds(found.time, kind, dialect, scale_of(engine, table, found.time, kind))
        names = _listed(events)
        event = text_column(found.event, kinds[found.event], dialect)
        plain = {name: kind for name, kind in kinds.items() if name not in found.named and kind in _TYPES}
        roles = {"unit": found.unit, "session": found.session, "event_id": found.event_id}
        texts = {role: text_column(name, kinds[name], dialect) for role, name in roles.items() if name}
        picked = [f"{event} AS zh_event", f"{at} AS zh_at"]
        picked += [f"{sql} AS zh_{role}" for role, sql in texts.items()]
        picked += [f"{identifier(name, dialect)} AS zh_{i}" for i, name in enumerate(plain)]
        types = {"event": "VARCHAR", "at_us": "BIGINT"} | dict.fromkeys(texts, "VARCHAR")
        types |= {f"c{i}": _TYPES[kind] for i, kind in enumerate(plain.values())}
        relation = f"{engine.relation_sql(table)} WHERE {event} IN ({names})"
        counted = engine.query(f"SELECT COUNT(*) AS n, MIN({at}) AS a, MAX({at}) AS b FROM {relation}").rows[0]
        rows, first, last = (int(value or 0) for value in counted)
        if rows > MOST_ROWS:
            raise InputError(
                f"{rows:,} events would have to be carried out of the database",
                where=place,
                rule=f"a plan is sized on at most {MOST_ROWS:,} of them",
                fix="name a view of a few weeks, or export the events to Parquet files and name those",
            )
        copy.add("staged", {name: np.array([], dtype=object) for name in types}, types)
        stretch = max(DAY, (last - first + 1) * AT_ONCE // max(rows, 1))
        for begin in range(first, last + 1, stretch) if rows else ():
            end = begin + stretch
            answer = engine.query(f"SELECT {', '.join(picked)} FROM {relation} AND {at} >= {begin} AND {at} < {end}")
            if answer.rows:
                columns = zip(*answer.rows, strict=True)
                arrays = {
                    name: _array(values, kind) for (name, kind), values in zip(types.items(), columns, strict=True)
                }
                copy.add("staged", arrays, types)
    except BaseException:
        copy.close()
        raise
    finally:
        engine.close()
    reading = Reading(
        relation="staged",
        unit="unit",
        event="event",
        at="at_us",
        row="rowid",
        session="session" if "session" in texts else None,
        plain={name: (f"c{i}", kind) for i, (name, kind) in enumerate(plain.items())},
        event_id="event_id" if "event_id" in texts else None,
    )
    return copy, reading, f"{place}, {rows:,} events"


def _listed(events: Sequence[str]) -> str:
    return ", ".join(literal(name) for each in events for name in (each, f"${each}")) or "NULL"


def _array(values: Sequence[object], kind: str) -> Any:
    if kind == "DOUBLE":
        return np.array([np.nan if value is None else float(value) for value in values])  # type: ignore[arg-type]
    if kind == "VARCHAR":
        return np.array([None if value is None else str(value) for value in values], dtype=object)
    return np.array(values, dtype=object)
