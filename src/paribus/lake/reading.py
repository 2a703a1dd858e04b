"""Reading the lake from any process: files at a version, SQL for them, the watermark, lateness, what changed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from paribus.clock import Clock
from paribus.errors import StorageError
from paribus.lake.columns import DUCKDB_TYPES, EVENT_COLUMNS, QUARANTINE_COLUMNS
from paribus.lake.fresh import read_fresh
from paribus.lake.lateness import quantile_seconds
from paribus.lake.notes import is_remote
from paribus.lake.queue_schema import QUEUE_FILE, connect_reader, storage_error
from paribus.lake.quoting import literal
from paribus.lake.reconciliation import Reconciliation, reconcile
from paribus.lake.record import microseconds
from paribus.lake.table import LOG_FOLDER, OPERATION, delta_columns, open_table

EVENTS_TABLE = "lake/events"
QUARANTINE_TABLE = "lake/quarantine"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The table of events at one version.

    Attributes:
        table_id: stays for the life of the table.
        watermark: every event acknowledged before it is in this version.
        files: absolute paths of the Parquet files.
        columns: name → DuckDB type, typed columns included.
    """

    table_id: str
    version: int
    watermark: datetime
    files: tuple[str, ...]
    columns: dict[str, str]

    def events_sql(self, names: Sequence[str] | None = None, columns: Sequence[str] | None = None) -> str:
        """As `LakeReader.events_sql`, for this version."""
        return select_events(self.files, self.columns, names, columns)


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file that a flush added: absolute path (it may be compacted away meanwhile), event date, rows, version."""

    path: str
    day: date
    rows: int
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to the events after one version up to another.

    Attributes:
        added: files of new events, in order of version. Compaction moves rows and adds none here.
        rewritten_days: event dates that lost rows to erasure or retention.
        is_complete: False when the log no longer reaches back that far, or an added file is deleted already: then
            start again from the newest version.
    """

    since: int
    until: int
    added: tuple[AddedFile, ...]
    rewritten_days: frozenset[date]
    is_complete: bool

    @property
    def days(self) -> frozenset[date]:
        """Event dates whose events changed in any way."""
        return self.rewritten_days | {file.day for file in self.added}


class LakeReader:
    """The lake of a data folder, read only; works beside the process that writes.

    Raises:
        StorageError: there is no lake in the folder, or it cannot be read.
    """

    def __init__(self, folder: str | Path, *, clock: Clock) -> None:
        self.folder = Path(folder)
        self._clock = clock
        if not (self.folder / EVENTS_TABLE / LOG_FOLDER).is_dir():
            raise StorageError(
                "there is no lake here", where=str(self.folder), fix="start `paribus serve` once, or name its --data"
            )

    def snapshot(self, version: int | None = None) -> Snapshot:
        """The events at a version, the newest by default."""
        watermark = self.watermark(version)  # first: what leaves the queue after this may only add
        handle = open_table(self.folder / EVENTS_TABLE, version)
        columns = _types(handle, EVENT_COLUMNS)
        return Snapshot(str(handle.metadata().id), int(handle.version()), watermark, tuple(_uris(handle)), columns)

    def files(self, version: int | None = None) -> tuple[int, list[str]]:
        """The version (the newest by default) and the absolute paths of its Parquet files."""
        handle = open_table(self.folder / EVENTS_TABLE, version)
        return int(handle.version()), _uris(handle)

    def events_sql(
        self, version: int | None = None, names: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> str:
        """A SELECT for DuckDB of each distinct event once, also of those sent or stored twice.

        Args:
            names: only events of these names; all by default. Name them: the search for copies then reads only those.
            columns: only these columns; all by default.
        """
        handle = open_table(self.folder / EVENTS_TABLE, version)
        types = _types(handle, EVENT_COLUMNS)
        return select_events(_uris(handle), types, names, columns)

    def quarantine_sql(self, version: int | None = None) -> str:
        """A SELECT for DuckDB of the events in quarantine, one row each, copies included."""
        handle = open_table(self.folder / QUARANTINE_TABLE, version)
        types = _types(handle, QUARANTINE_COLUMNS)
        return _select_files(_uris(handle), types, "received_date")

    def watermark(self, version: int | None = None) -> datetime:
        """Every event acknowledged before this time is in the version (by default, in the newest from now on).

        Raises:
            StorageError: the version is older than the notes of its flush.
        """
        now = microseconds(self._clock())
        with _reader(self.folder / QUEUE_FILE) as queue:
            oldest = queue.execute("SELECT min(received_time) FROM landing").fetchall()[0][0]
            reached = now if oldest is None else min(now, oldest)
            if version is None and not is_remote(queue):
                return _time(reached)
            noted = queue.execute(
                "SELECT watermark FROM flush WHERE version <= ? ORDER BY version DESC LIMIT 1",
                (1 << 62 if version is None else version,),
            ).fetchall()
        return _time(min(noted[0][0], reached) if noted else 0)  # less than noted after the clock was set back

    def lateness(self, quantile: float = 0.99, *, days: int = 7) -> timedelta | None:
        """How long events waited before they were received, at a quantile over the last received days; None without."""
        first_day = microseconds(self._clock()) // 86_400_000_000 - days + 1
        with _reader(self.folder / QUEUE_FILE) as queue:
            counts = queue.execute(
                "SELECT bucket, sum(events) FROM lateness WHERE received_day >= ? GROUP BY bucket ORDER BY bucket",
                (first_day,),
            ).fetchall()
        seconds = quantile_seconds(counts, quantile)
        return None if seconds is None else timedelta(seconds=seconds)

    def changes(self, since: int, until: int | None = None) -> Changes:
        """What happened after version `since`, up to `until` (the newest by default)."""
        root = self.folder / EVENTS_TABLE
        newest = int(open_table(root).version()) if until is None else until
        added: list[AddedFile] = []
        rewritten: set[date] = set()
        is_complete = True
        for version in range(since + 1, newest + 1):
            try:
                text = (root / LOG_FOLDER / f"{version:020d}.json").read_text()
            except FileNotFoundError:
                is_complete = False
                continue
            actions = [json.loads(line) for line in text.splitlines()]
            operation = next((a["commitInfo"].get(OPERATION) for a in actions if "commitInfo" in a), None)
            if operation == "flush":
                added += [_added(root, action["add"], version) for action in actions if "add" in action]
            elif operation != "compaction":
                rewritten.update(_day(action["remove"]) for action in actions if "remove" in action)
        is_complete = is_complete and all(Path(file.path).exists() for file in added)
        return Changes(since, newest, tuple(added), frozenset(rewritten), is_complete)

    def commit_mark(self, version: int) -> str:
        """SHA-256 of the version's log; empty when it is gone. A restored or repaired table may use a number again."""
        log = self.folder / EVENTS_TABLE / LOG_FOLDER / f"{version:020d}.json"
        try:
            return hashlib.sha256(log.read_bytes()).hexdigest()
        except FileNotFoundError:
            return ""

    def reconcile(self) -> list[Reconciliation]:
        """Whether the counts add up, by dialect; reads two columns of the whole table."""

        def counted() -> list[Reconciliation]:
            with _reader(self.folder / QUEUE_FILE) as queue:
                return reconcile(queue, self.folder / EVENTS_TABLE)

        return read_fresh(counted)

    def stale_since(self, version: int) -> frozenset[date]:
        """Event dates whose events changed after the version; results that used one of them are stale."""
        return self.changes(version).days


def select_events(
    files: Sequence[str],
    types: dict[str, str],
    names: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> str:
    """A SELECT for DuckDB of each distinct event of the files once; of copies, the first that landed.

    A first pass over hashes of the ids finds which events have copies, mostly none; only those are sorted, the others
    stream.
    """
    chosen = "*" if columns is None else ", ".join(map(_identifier, columns))
    where = "" if names is None else f" WHERE name IN ({', '.join(map(literal, names)) or 'NULL'})"
    key = "event_key" if "event_key" in types else "hash(source, event_id)"
    return (
        f"WITH stored AS NOT MATERIALIZED (SELECT * FROM ({_select_files(files, types, 'event_date')}){where}), "
        f"copied AS MATERIALIZED (SELECT key FROM (SELECT {key} AS key FROM stored) "
        "GROUP BY key HAVING count(*) > 1) "
        f"SELECT {chosen} FROM stored WHERE {key} NOT IN (SELECT key FROM copied) "
        f"UNION ALL SELECT {chosen} FROM (SELECT * FROM stored WHERE {key} IN (SELECT key FROM copied) "
        "QUALIFY row_number() OVER (PARTITION BY source, event_id ORDER BY landing_id, landing_index) = 1)"
    )


def _select_files(files: Sequence[str], types: dict[str, str], partition: str) -> str:
    nothing = ", ".join(f"NULL::{kind} AS {_identifier(name)}" for name, kind in types.items())
    empty = f"SELECT {nothing} WHERE false"
    if not files:
        return empty
    listed = ", ".join(map(literal, files))
    return (
        f"{empty} UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true, "
        f"hive_partitioning = true, hive_types = {{'{partition}': DATE}})"
    )


def _types(handle: Any, known: Mapping[str, str]) -> dict[str, str]:
    """The table's columns and those that a table of today has: an older one reads as if they were empty."""
    return {name: DUCKDB_TYPES[kind] for name, kind in {**known, **delta_columns(handle)}.items()}


def _uris(handle: Any) -> list[str]:
    return [unquote(uri.removeprefix("file://")) for uri in handle.file_uris()]


def _added(root: Path, action: dict[str, Any], version: int) -> AddedFile:
    rows = json.loads(action.get("stats") or "{}").get("numRecords", 0)
    return AddedFile(str(root / unquote(action["path"])), _day(action), rows, version)


def _day(action: dict[str, Any]) -> date:
    values = action.get("partitionValues") or {}
    text = next(iter(values.values()), None) or action["path"].split("/")[0].partition("=")[2]
    return date.fromisoformat(text)


def _time(value: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _reader(path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_reader(path)
    try:
        yield connection
    except sqlite3.Error as failure:
        raise storage_error(failure, path) from failure
    finally:
        connection.close()
