"""A Delta table of the lake: commits that are on the disk when they return.

delta-rs writes, renames and links, and never syncs; what a commit added is synced here before it counts. All commits
of a table pass through one object under one lock: two rewrites at a time would double the data.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from paribus.errors import StorageError
from paribus.lake.durability import sync_file, sync_files, sync_folder

if TYPE_CHECKING:
    from arro3.core import Table as ArrowTable
    from deltalake import CommitProperties, DeltaTable

LOG_FOLDER = "_delta_log"
OPERATION = "paribus"
"""Key of a commit's metadata that says which part of the lake made it: flush, compaction, erasure, retention."""

_COMMITS_PER_HANDLE = 20
_COMMITS_PER_CHECKPOINT = 100
_LOG_RETENTION = "interval 3 days"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table: path relative to the table, day of its partition, bytes, rows (None: not known)."""

    path: str
    day: date
    size: int
    rows: int | None


class Table:
    """One Delta table on a local disk, opened for writing.

    Args:
        path: the table's folder; made when it does not exist.
        columns: name → Delta type of a new table.
        partition: the date column it is partitioned by.
        statistics: columns whose minimum and maximum may stand in the log.
        synced: the version up to which everything is known to be on the disk.

    Raises:
        StorageError: the log cannot be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        columns: Mapping[str, str],
        partition: str,
        statistics: Sequence[str],
        synced: int = -1,
    ) -> None:
        self.path = path
        self.partition = partition
        self.statistics = tuple(statistics)
        self.commit_lock = threading.RLock()
        self._columns = columns
        self._synced = synced
        self._commits = 0
        self._since_checkpoint = 0
        self._is_doubtful = False
        self._handle = self._create() if not (path / LOG_FOLDER).is_dir() else self._open()

    @property
    def handle(self) -> DeltaTable:
        """delta-rs's handle on the newest version that this process knows."""
        return self._handle

    @property
    def version(self) -> int:
        """The newest version."""
        with self.commit_lock:
            return int(self._handle.version())

    @property
    def columns(self) -> dict[str, str]:
        """Name → Delta type of the newest version."""
        with self.commit_lock:
            return delta_columns(self._handle)

    def transaction(self, app: str) -> int:
        """The last version that `app` committed with its data; 0 for none."""
        with self.commit_lock:
            self._freshen()
            return self._handle.transaction_version(app) or 0

    def append(self, rows: ArrowTable, *, app: str, app_version: int) -> int:
        """The new version, once the rows are on the disk; `app_version` rises with each append of `app`."""
        from deltalake import WriterProperties, write_deltalake

        with self._committing():
            write_deltalake(
                self._handle,
                rows,
                mode="append",
                schema_mode="merge",
                writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                commit_properties=self._properties("flush", app, app_version, {}),
                post_commithook_properties=_no_hooks(),
            )
            return self.settle()

    def replace(
        self,
        added: Sequence[DataFile],
        removed: Sequence[DataFile],
        *,
        operation: str,
        statistics: Mapping[str, str],
        details: Mapping[str, Any],
        is_data_change: bool,
    ) -> int:
        """The new version in which `added`, files written and synced by the caller, stand for `removed`.

        Args:
            statistics: the log's JSON statistics by path of an added file.
            details: counts to keep with the commit; no ids.

        Raises:
            StorageError: a file to be removed is no longer part of the table; nothing was committed.
        """
        from deltalake.transaction import AddAction, RemoveAction

        time_ms = time.time_ns() // 1_000_000  # the files' clock: vacuum compares it with theirs
        with self._committing():
            present = {file.path for file in self.files()}
            if gone := [file.path for file in removed if file.path not in present]:
                raise StorageError(f"{gone[0]} is no longer part of the table", where=str(self.path))
            actions: list[AddAction | RemoveAction] = [
                AddAction(
                    path=file.path,
                    size=file.size,
                    partition_values={self.partition: file.day.isoformat()},
                    modification_time=time_ms,
                    data_change=is_data_change,
                    stats=statistics[file.path],
                )
                for file in added
            ]
            actions += [
                RemoveAction(
                    path=file.path,
                    data_change=is_data_change,
                    deletion_timestamp=time_ms,
                    size=file.size,
                    partition_values={self.partition: file.day.isoformat()},
                )
                for file in removed
            ]
            self._handle.create_write_transaction(
                actions,
                mode="append",
                schema=self._handle.schema(),
                partition_by=[self.partition],
                commit_properties=self._properties(operation, "maintenance", self.version + 1, details),
                post_commithook_properties=_no_hooks(),
            )
            self._handle.update_incremental()
            return self.settle()

    def settle(self) -> int:
        """The newest version, once its log and files are on the disk; also what an earlier process left unsynced."""
        with self.commit_lock:
            version = self.version
            for each in range(self._synced + 1, version + 1):
                log = self.path / LOG_FOLDER / f"{each:020d}.json"
                if log.exists():
                    actions = map(json.loads, log.read_text().splitlines())
                    added = [self.path / unquote(action["add"]["path"]) for action in actions if "add" in action]
                    sync_files([*(file for file in added if file.exists()), log])
            self._synced = max(self._synced, version)
            return version

    def files(self) -> list[DataFile]:
        """The newest version's files."""
        with self.commit_lock:
            return data_files(self._handle, self.partition)

    def checkpoint(self, *, is_due_only: bool = True) -> bool:
        """Writes a checkpoint of the log and drops expired log files; whether it did."""
        if is_due_only and self._since_checkpoint < _COMMITS_PER_CHECKPOINT:
            return False
        with self._committing():
            self._handle = self._open()
            self._handle.create_checkpoint()
            folder = self.path / LOG_FOLDER
            version = self.version
            for file in folder.glob(f"{version:020d}.checkpoint*"):
                sync_file(file)
            sync_file(folder / "_last_checkpoint")
            sync_folder(folder)
            self._handle.cleanup_metadata()
            self._since_checkpoint = -1
            return True

    def vacuum(self, *, retention_hours: int) -> list[str]:
        """The paths of the files deleted: those that left the table, or never entered it, that long ago."""
        with self._committing():
            self._handle = self._open()
            deleted = self._handle.vacuum(
                retention_hours=retention_hours,
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
                post_commithook_properties=_no_hooks(),
            )
            self.settle()
            for folder in {(self.path / unquote(path)).parent for path in deleted}:
                if folder.is_dir():
                    sync_folder(folder)
            return deleted

    def _create(self) -> DeltaTable:
        from deltalake import DeltaTable, Field, Schema
        from deltalake.schema import PrimitiveType

        self.path.mkdir(parents=True, exist_ok=True)
        handle = DeltaTable.create(
            str(self.path),
            Schema([Field(name, PrimitiveType(kind), nullable=True) for name, kind in self._columns.items()]),
            partition_by=[self.partition],
            configuration={
                "delta.dataSkippingStatsColumns": ",".join(self.statistics),
                "delta.checkpointInterval": "1000000",  # made by `checkpoint`, so that it is synced
                "delta.logRetentionDuration": _LOG_RETENTION,
            },
        )
        sync_files(self.log_files())
        sync_folder(self.path.parent)
        return handle

    def log_files(self) -> list[Path]:
        """The log's JSON files, oldest first."""
        return sorted((self.path / LOG_FOLDER).glob("[0-9]" * 20 + ".json"))

    def _open(self) -> DeltaTable:
        self._commits = 0
        return open_table(self.path)

    def _freshen(self) -> None:
        if self._is_doubtful or self._commits >= _COMMITS_PER_HANDLE:
            self._handle = self._open()
            self._is_doubtful = False

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Holds the commit lock; after a failure the handle is opened anew, as the commit may have happened."""
        from deltalake.exceptions import DeltaError

        with self.commit_lock:
            self._freshen()
            try:
                yield
            except (DeltaError, OSError) as failure:
                self._is_doubtful = True
                raise StorageError(
                    f"the table cannot be written: {str(failure).splitlines()[0]}",
                    where=str(self.path),
                    rule="events stay in the landing queue until the table holds them on the disk",
                    fix="free disk space, check the disk",
                ) from failure
            except BaseException as failure:
                self._is_doubtful = True
                if type(failure).__name__ != "PanicException":  # how a fault inside delta-rs arrives
                    raise
                raise StorageError(f"delta-rs failed: {failure}", where=str(self.path)) from failure
            self._commits += 1
            self._since_checkpoint += 1

    @staticmethod
    def _properties(operation: str, app: str, app_version: int, details: Mapping[str, Any]) -> CommitProperties:
        from deltalake import CommitProperties, Transaction

        return CommitProperties(
            custom_metadata={OPERATION: operation, **details},
            app_transactions=[Transaction(app, app_version)],
            max_commit_retries=0,
        )


def open_table(path: Path, version: int | None = None) -> DeltaTable:
    """The table at a version, the newest by default.

    Raises:
        StorageError: no table, no such version, or a damaged log.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(str(path), version=version)
    except (DeltaError, OSError, ValueError) as failure:
        at = "" if version is None else f" at version {version}"
        raise StorageError(
            f"the table cannot be read{at}: {str(failure).splitlines()[0]}",
            where=str(path),
            fix="name a newer version; if the newest cannot be read, stop the server and run paribus doctor",
        ) from failure


def delta_columns(handle: DeltaTable) -> dict[str, str]:
    """Name → Delta type of a table's columns."""
    return {field.name: str(getattr(field.type, "type", field.type)) for field in handle.schema().fields}


def data_files(handle: DeltaTable, partition: str) -> list[DataFile]:
    """The files of a handle's version."""
    from arro3.core import Table as ArrowTable

    actions = ArrowTable(handle.get_add_actions(flatten=True))
    if not actions.num_rows:
        return []
    names = ("path", f"partition.{partition}", "size_bytes", "num_records")
    present = set(actions.schema.names)
    columns = [actions[name].to_pylist() if name in present else [None] * actions.num_rows for name in names]
    return [DataFile(unquote(path), day, size, rows) for path, day, size, rows in zip(*columns, strict=True)]


def _no_hooks() -> Any:
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
