"""Sorted compaction: a day's small files become one, ordered by name and time, without copies.

delta-rs's own compaction keeps the order of arrival and doubles the data when it runs twice at a time; this one orders
(an experiment's query then reads half) and commits through the table's one lock.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.errors import StorageError
from paribus.lake.columns import DUCKDB_TYPES
from paribus.lake.durability import sync_file, sync_folder
from paribus.lake.quoting import literal, quoted
from paribus.lake.table import DataFile, Table

if TYPE_CHECKING:
    import duckdb

ROW_GROUP = 122_880
_FIRST_OF_COPIES = "row_number() OVER (PARTITION BY source, event_id ORDER BY landing_id, landing_index) = 1"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: days, files before and after, copies removed, the version after it."""

    days: int
    files_before: int
    files_after: int
    duplicates: int
    version: int


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file written to stand for others: the file, its statistics for the log, rows by dialect that were left out."""

    file: DataFile | None
    statistics: str
    dropped: dict[str, int]


class Rewriter:
    """Copies files of a table into one, through a SELECT; one at a time.

    Args:
        spill: folder for what does not fit in memory; emptied after each copy.
    """

    def __init__(self, table: Table, *, spill: Path, memory_limit: str = "1GB", threads: int = 1) -> None:
        self.table = table
        is_events = "event_key" in table.columns
        self.order = "name, corrected_time, landing_id" if is_events else "received_time, landing_id, landing_index"
        self.without_copies = f"QUALIFY {_FIRST_OF_COPIES}" if is_events else ""
        self.exclusive = threading.Lock()
        self._spill = spill
        self._memory_limit = memory_limit
        self._threads = threads

    def rewrite(
        self,
        files: Sequence[DataFile],
        day: date,
        *,
        selection: str,
        replaced: dict[str, str] | None = None,
    ) -> Rewritten:
        """The synced file that holds the selected rows of `files` in an order; None when none is left.

        Args:
            selection: a WHERE or QUALIFY clause.
            replaced: column → expression that takes its place.
        """
        import duckdb

        folder = self.table.path / f"{self.table.partition}={day.isoformat()}"
        target = folder / f"part-{uuid.uuid4()}.zstd.parquet"
        columns = self._columns()
        chosen = ", ".join(
            f"{(replaced or {}).get(name, quoted(name))}::{DUCKDB_TYPES[kind]} AS {quoted(name)}"
            for name, kind in columns.items()
        )
        connection = self._connect()
        try:
            source = self._source(connection, files, columns)
            before = _rows_by_dialect(connection, source)
            connection.execute(
                f"COPY (SELECT {chosen} FROM (SELECT * FROM {source} {selection}) ORDER BY {self.order}) "
                f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            ).fetchall()
            after = _rows_by_dialect(connection, f"read_parquet({literal(str(target))}, hive_partitioning = false)")
            statistics = self._statistics(connection, target)
        except (duckdb.Error, OSError) as failure:
            target.unlink(missing_ok=True)
            raise StorageError(
                f"the files cannot be rewritten: {str(failure).splitlines()[0]}",
                where=str(self.table.path),
                rule="a rewrite happens as a whole or not at all; the table is as it was",
                fix="free disk space; it is tried again",
            ) from failure
        finally:
            connection.close()
        dropped = {dialect: rows - after.get(dialect, 0) for dialect, rows in before.items()}
        rows = sum(after.values())
        if not rows:
            target.unlink()
            return Rewritten(None, "", dropped)
        sync_file(target)
        sync_folder(folder)
        path = str(target.relative_to(self.table.path))
        return Rewritten(DataFile(path, day, target.stat().st_size, rows), statistics, dropped)

    def rows_by_dialect(self, files: Sequence[DataFile]) -> dict[str, int]:
        """How many rows of the files came through each dialect."""
        if not files:
            return {}
        connection = self._connect()
        try:
            return _rows_by_dialect(connection, self._source(connection, files, {"source": "string"}))
        finally:
            connection.close()

    def select(self, files: Sequence[DataFile], expressions: str, clause: str) -> list[tuple[Any, ...]]:
        """The rows that a SELECT over the files gives."""
        connection = self._connect()
        try:
            source = self._source(connection, files, self._columns())
            return connection.execute(f"SELECT {expressions} FROM {source} {clause}").fetchall()
        finally:
            connection.close()

    def matching(self, files: Sequence[DataFile], condition: str, counted: dict[str, str]) -> dict[str, dict[str, int]]:
        """The files with rows for which `condition` is true: path → how many rows meet each of `counted`."""
        sums = ", ".join(f"count(*) FILTER (WHERE {test})" for test in counted.values())
        connection = self._connect()
        try:
            source = self._source(connection, files, self._columns(), with_path=True)
            found = connection.execute(
                f"SELECT filename, {sums} FROM {source} WHERE {condition} GROUP BY filename"
            ).fetchall()
        finally:
            connection.close()
        return {
            str(Path(path).relative_to(self.table.path)): dict(zip(counted, numbers, strict=True))
            for path, *numbers in found
        }

    def _columns(self) -> dict[str, str]:
        return {name: kind for name, kind in self.table.columns.items() if name != self.table.partition}

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        self._spill.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(
            config={
                "threads": self._threads,
                "memory_limit": self._memory_limit,
                "temp_directory": str(self._spill),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )

    def _source(
        self, connection: Any, files: Sequence[DataFile], columns: dict[str, str], *, with_path: bool = False
    ) -> str:
        paths = ", ".join(literal(str(self.table.path / file.path)) for file in files)
        nothing = ", ".join(f"NULL::{DUCKDB_TYPES[kind]} AS {quoted(name)}" for name, kind in columns.items())
        connection.execute(
            f"CREATE VIEW source AS SELECT {nothing} WHERE false UNION ALL BY NAME "
            f"SELECT * FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false, "
            f"filename = {str(with_path).lower()})"
        ).fetchall()
        return "source"

    def _statistics(self, connection: Any, target: Path) -> str:
        names = [name for name in self.table.statistics if name != self.table.partition]
        kinds = self.table.columns
        bounds = ", ".join(
            expression
            for name in names
            for expression in (
                _bound("min", name, kinds[name]),
                _bound("max", name, kinds[name]),
                f"count(*) - count({quoted(name)})",
            )
        )
        found = connection.execute(
            f"SELECT count(*), {bounds} FROM read_parquet({literal(str(target))}, hive_partitioning = false)"
        ).fetchall()[0]
        least, most, nulls = found[1::3], found[2::3], found[3::3]
        return json.dumps(
            {
                "numRecords": found[0],
                "minValues": {n: v for n, v in zip(names, least, strict=True) if v is not None},
                "maxValues": {n: v for n, v in zip(names, most, strict=True) if v is not None},
                "nullCount": dict(zip(names, nulls, strict=True)),
            }
        )


def compact(
    rewriter: Rewriter, *, day: date | None = None, min_files: int = 2, max_bytes: int | None = 256 << 20
) -> Compacted:
    """Rewrites each day that has at least `min_files` files below `max_bytes` (None: all files of the day).

    Raises:
        StorageError: the disk refused; the table is as it was.
    """
    table = rewriter.table
    before = after = days = duplicates = 0
    with rewriter.exclusive:
        for each, files in _candidates(table, day, max_bytes).items():
            if len(files) < min_files:
                continue
            written = rewriter.rewrite(files, each, selection=rewriter.without_copies)
            dropped = {dialect: rows for dialect, rows in written.dropped.items() if rows}
            added = [written.file] if written.file else []
            table.replace(
                added,
                files,
                operation="compaction",
                statistics={file.path: written.statistics for file in added},
                details={"paribus.deduplicated": dropped},
                is_data_change=False,
            )
            days += 1
            before += len(files)
            after += len(added)
            duplicates += sum(dropped.values())
    return Compacted(days, before, after, duplicates, table.version)


def _candidates(table: Table, day: date | None, max_bytes: int | None) -> dict[date, list[DataFile]]:
    chosen: dict[date, list[DataFile]] = {}
    with table.commit_lock:
        files = table.files()
    for file in files:
        if (day is None or file.day == day) and (max_bytes is None or file.size < max_bytes):
            chosen.setdefault(file.day, []).append(file)
    return dict(sorted(chosen.items()))


def _rows_by_dialect(connection: Any, source: str) -> dict[str, int]:
    found = connection.execute(f"SELECT split_part(source, ':', 1), count(*) FROM {source} GROUP BY 1").fetchall()
    return dict(found)


def _bound(function: str, name: str, kind: str) -> str:
    if kind != "timestamp":
        return f"{function}({quoted(name)})"
    up = " + INTERVAL 1 MILLISECOND" if function == "max" else ""
    return f"strftime(({function}({quoted(name)}) AT TIME ZONE 'UTC'){up}, '%Y-%m-%dT%H:%M:%S.%gZ')"
