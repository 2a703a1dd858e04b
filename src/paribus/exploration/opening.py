"""Opening a source of events: the lake of a data folder, files, or a table of a database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.exploration.discovery import Reading
from paribus.exploration.event_log import EventLog
from paribus.exploration.filling import fill
from paribus.exploration.roles import Columns, infer, plain_name
from paribus.warehouse import open_engine
from paribus.warehouse.csv_types import quote
from paribus.warehouse.working_copy import MEMORY, WorkingCopy

if TYPE_CHECKING:
    from paribus.lake import LakeReader
    from paribus.warehouse.engine import ColumnKind, Engine

TABLE = "events"
LAKE_COLUMNS = (
    "name",
    "unit_type",
    "unit",
    "user_id",
    "anonymous_id",
    "session_id",
    "original_time",
    "received_time",
    "corrected_time",
    "properties",
    "context",
    "event_key",
)
ENVIRONMENT, STAGING = "environment", "staging"  # what validation plants there is nobody's behavior
SMALL = 30_000_000
"""Bytes of files up to which one thread reads: sums add up in one order then, the same events give the same bits."""
JSON_NAMES = frozenset(
    {"properties", "event_properties", "context", "user_properties", "attributes", "params", "traits"}
)


def is_database(source: str) -> bool:
    """Whether a source is a database's URL rather than files."""
    return "://" in source or source.startswith(("duckdb:", "chdb:"))


def open_source(
    source: str,
    *,
    base_dir: Path | None = None,
    columns: Columns | None = None,
    memory_limit: str = MEMORY,
    names: bool = False,
) -> EventLog:
    """The events of files (a path, a folder, a glob) or of a database's table, written URL#table.

    Raises:
        InputError: nothing is there, or its columns cannot be told.
        EngineError: the database refused.
    """
    if is_database(source):
        url, _, table = source.partition("#")
        return open_table(
            open_engine(url, base_dir=base_dir), table or TABLE, source=without_secret(url), columns=columns
        )
    return open_files(source, base_dir=base_dir or Path(), columns=columns, memory_limit=memory_limit, names=names)


def open_lake(
    reader: LakeReader, *, version: int | None = None, memory_limit: str = MEMORY, names: bool = False
) -> EventLog:
    """The events of the lake at a version, each once; anonymous ids are read as the user that an event links them to.

    Raises:
        InputError: the lake holds no event yet.
    """
    from paribus.lake import microseconds as micro

    snapshot = reader.snapshot(version)
    if not snapshot.files:
        raise InputError(
            "the lake holds no event yet",
            where=str(reader.folder),
            fix="send events to the server, or import them: paribus events import FILE",
        )
    typed = sorted(name for name in snapshot.columns if name.startswith("p_"))
    wanted = [name for name in LAKE_COLUMNS if name in snapshot.columns]
    size = sum(Path(file).stat().st_size for file in snapshot.files)
    copy = WorkingCopy(threads=_threads(size), memory_limit=memory_limit)
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in snapshot.files)
    landed = copy.query(f"SELECT sum(num_rows) FROM parquet_file_metadata([{listed}])").rows[0][0] or 0
    events = snapshot.events_sql(columns=[*wanted, *typed])
    if ENVIRONMENT in snapshot.columns:
        read = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        landed -= copy.query(f"SELECT count(*) FROM {read} WHERE {ENVIRONMENT} = '{STAGING}'").rows[0][0]
        events = snapshot.events_sql(columns=[*wanted, *typed, ENVIRONMENT])
        events = f"SELECT * FROM ({events}) WHERE {ENVIRONMENT} IS DISTINCT FROM '{STAGING}'"
    copy.keep("lake", events, as_view=True)
    # an event before login names its anonymous id as its unit too
    named = "CASE WHEN unit_type = 'user' AND unit IS DISTINCT FROM anonymous_id THEN unit END"
    user = f"coalesce(user_id, {named})"
    anonymous = "CASE WHEN unit_type = 'anonymous' THEN unit ELSE anonymous_id END"
    copy.keep(
        "links",
        f"SELECT anonymous, min_by(person, corrected_time) AS person FROM (SELECT {anonymous} AS anonymous, {user} AS "
        "person, corrected_time FROM lake) WHERE anonymous IS NOT NULL AND person IS NOT NULL GROUP BY anonymous",
    )
    reading = Reading(
        relation=f"(SELECT lake.*, coalesce({user}, links.person, {anonymous}, unit) AS who FROM lake "
        f"LEFT JOIN links ON links.anonymous = ({anonymous}))",
        unit="who",
        event="name",
        at="epoch_us(corrected_time)",
        session="session_id",
        received="epoch_us(received_time) - epoch_us(original_time)",
        row="event_key" if "event_key" in snapshot.columns else "hash(who, name, corrected_time)",
        json={name: name for name in ("properties", "context") if name in snapshot.columns},
        typed={name.removeprefix("p_"): (name, snapshot.columns[name]) for name in typed},
        shown="the lake's events, each once; a linked anonymous id is its user",
    )
    return fill(
        copy,
        reading,
        source="the lake",
        version=f"lake {snapshot.table_id} version {snapshot.version}",
        columns=Columns("unit", "name", "corrected_time", "session_id", "event_id", "received_time"),
        watermark=micro(snapshot.watermark),
        landed=int(landed),
        names=names,
    )


def open_files(
    source: str | Path,
    *,
    base_dir: Path | None = None,
    columns: Columns | None = None,
    memory_limit: str = MEMORY,
    names: bool = False,
) -> EventLog:
    """The events of CSV, Parquet or JSON-lines files, read once into a working copy."""
    copy, reading, found, version = staged_files(source, base_dir or Path(), columns, memory_limit)
    try:
        return fill(copy, reading, source=Path(str(source)).name, version=version, columns=found, names=names)
    except BaseException:
        copy.close()
        raise


def staged_files(
    source: str | Path, base_dir: Path, columns: Columns | None = None, memory_limit: str = MEMORY
) -> tuple[WorkingCopy, Reading, Columns, str]:
    """A working copy with the rows of files as `staged`, how to read them, which column is what, and the version.

    Raises:
        InputError: nothing is there, or its columns cannot be told.
    """
    from paribus.warehouse.duckdb_engine import DuckDBEngine

    engine = DuckDBEngine(base_dir=base_dir, memory_limit=memory_limit)
    relation = str(source)
    copy: WorkingCopy | None = None
    try:
        selected = engine.reader_sql(relation) or ""
        files = engine.fingerprint([relation])[relation]["files"]
        copy = WorkingCopy(threads=_threads(sum(file["size"] for file in files)), memory_limit=memory_limit)
        kinds = copy.columns(selected)
        found = infer(kinds, columns, where=relation)
        is_columnar = engine.is_columnar(relation)
        copy.keep(
            "staged",
            f"SELECT row_number() OVER () AS _row, * FROM ({selected})" if not is_columnar else selected,
            as_view=is_columnar,
        )
        version = ", ".join(f"{Path(f['path']).name} ({f['size']:,} bytes)" for f in files[:5])
        version += f" and {len(files) - 5} more files" if len(files) > 5 else ""
        return copy, _reading_of_files(copy, kinds, found, is_columnar), found, version
    except BaseException:
        if copy is not None:
            copy.close()
        raise
    finally:
        engine.close()


def open_table(engine: Engine, table: str, *, source: str, columns: Columns | None = None) -> EventLog:
    """The events of a table, asked where it is; only aggregates leave it."""
    from paribus.exploration.table_log import log_of_table

    kinds = engine.columns(table)
    return log_of_table(engine, table, kinds, infer(kinds, columns, where=table), source)


def open_frame(frame: object, *, columns: Columns | None = None) -> EventLog:
    """The events of a data frame in memory."""
    return open_table(open_engine(frames={TABLE: frame}), TABLE, source="a data frame", columns=columns)


def _reading_of_files(copy: WorkingCopy, kinds: Mapping[str, ColumnKind], found: Columns, is_columnar: bool) -> Reading:
    json: dict[str, str] = {}
    plain: dict[str, tuple[str, ColumnKind]] = {}
    for name, kind in kinds.items():
        if name in found.named:
            continue
        if kind in {"json", "other"} or (kind == "text" and plain_name(name) in JSON_NAMES):
            text = quote(name) if kind == "text" else f"CAST(to_json({quote(name)}) AS VARCHAR)"
            json[name] = f"CASE WHEN json_valid({text}) AND left(ltrim({text}), 1) = '{{' THEN {text} END"
        else:
            plain[name] = (quote(name), kind)
    return Reading(
        relation="staged",
        unit=_text(found.unit),
        event=_text(found.event),
        at=_time(copy, found.time, kinds[found.time]),
        session=_text(found.session) if found.session else None,
        received=f"{_time(copy, found.received, kinds[found.received])} - {_time(copy, found.time, kinds[found.time])}"
        if found.received
        else None,
        row="_row" if not is_columnar else _row_hash(found),
        json=json,
        plain=plain,
        event_id=_text(found.event_id) if found.event_id else None,
        shown="the files",
    )


def _row_hash(found: Columns) -> str:
    return f"hash({', '.join(quote(name) for name in (found.event_id or found.unit, found.time, found.event))})"


def _text(name: str) -> str:
    return f"CAST({quote(name)} AS VARCHAR)"


def _time(copy: WorkingCopy, name: str, kind: ColumnKind) -> str:
    """Microseconds of a time column; numbers are seconds, milliseconds or microseconds by their size."""
    if kind == "text":
        return f"epoch_us(TRY_CAST({quote(name)} AS TIMESTAMP WITH TIME ZONE))"
    if kind not in {"integer", "number"}:  # without a zone it is UTC, as the working copy's own is
        return f"epoch_us(CAST({quote(name)} AS TIMESTAMP WITH TIME ZONE))"
    middle = copy.query(f"SELECT median({quote(name)}) AS m FROM staged").rows[0][0] or 0
    factor = 1 if middle > 1e14 else 1_000 if middle > 1e11 else 1_000_000
    return f"CAST({quote(name)} * {factor} AS BIGINT)"


def _threads(size: int) -> int | None:
    return 1 if size <= SMALL else None


def without_secret(url: str) -> str:
    """The URL without user, password and options."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if rest else url
