"""The star model of a lake, kept in one DuckDB file from new files alone, and equal to a full rebuild.

Facts are merged by their key: a copy that arrives later changes nothing. What a late event may change about a user
(history of attributes, first exposure, sums) is worked out anew for that user, and for nobody else. After an erasure
or retention the model is built again into a new file that replaces the old one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from paribus.errors import InputError, StorageError
from paribus.lake import star_sql as sql
from paribus.lake.quoting import literal
from paribus.lake.reading import LakeReader, Snapshot, select_events
from paribus.lake.star_sql import Measure, StarDefinition

if TYPE_CHECKING:
    import duckdb

FOLDER, FILE = "lake/star", "model.duckdb"
TABLES = ("fct_event", "fct_exposure", "dim_user", "obt_experiment")

__all__ = ["TABLES", "Measure", "StarDefinition", "StarModel", "StarState"]


@dataclass(frozen=True, slots=True)
class StarState:
    """What the model holds: the lake's table and version that it read, its definition, and rows by table."""

    table: str
    version: int
    definition: str
    rows: dict[str, int]


class StarModel:
    """The model in a data folder. One process writes at a time.

    Args:
        folder: the data folder.
        threads, memory_limit: DuckDB's; None for its own choice.
    """

    def __init__(self, folder: str | Path, *, threads: int | None = None, memory_limit: str | None = None) -> None:
        self.path = Path(folder) / FOLDER / FILE
        self._options: dict[str, Any] = {"threads": threads, "memory_limit": memory_limit}

    def state(self) -> StarState | None:
        """What it holds; None when it was never built."""
        if not self.path.exists():
            return None
        with self._connection(self.path, read_only=True) as connection:
            return _state(connection)

    def refresh(self, reader: LakeReader, definition: StarDefinition) -> StarState:
        """The model up to the newest version of the lake: from new files where that is enough, else built again.

        Raises:
            StorageError: the lake or the model cannot be read or written.
        """
        snapshot = reader.snapshot()
        held = self.state()
        if held is None or held.table != snapshot.table_id or held.definition != definition.digest():
            return self.build(snapshot, definition)
        if held.version == snapshot.version:
            return held
        changes = reader.changes(held.version, snapshot.version)
        if changes.rewritten_days or not changes.is_complete or held.version > snapshot.version:
            return self.build(snapshot, definition)
        return self.update(snapshot, [file.path for file in changes.added], definition)

    def build(self, snapshot: Snapshot, definition: StarDefinition) -> StarState:
        """The model from every file of a version; what stood before is replaced at the end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{uuid4().hex}.draft")
        try:
            with self._connection(draft) as connection:
                connection.execute("BEGIN")
                staged = sql.stg_event(f"({_files(snapshot.files, snapshot)})", definition)
                connection.execute(f"CREATE TEMP TABLE staged AS {staged}")
                for name, select in _selects("staged", definition).items():
                    connection.execute(f"CREATE TABLE {name} AS {select}")
                _note(connection, snapshot, definition)
                connection.execute("COMMIT")
                state = _state(connection)
            draft.replace(self.path)
        finally:
            for rest in (draft, draft.with_name(f"{draft.name}.wal")):
                rest.unlink(missing_ok=True)
        if state is None:
            raise StorageError("the star model was not written", where=str(self.path))
        return state

    def update(self, snapshot: Snapshot, files: Sequence[str], definition: StarDefinition) -> StarState:
        """The model with the rows of new files.

        Args:
            snapshot: the version that the files complete.
            files: added since `state().version`.
            definition: the one it was built for.

        Raises:
            InputError: it was never built, or for another definition.
        """
        held = self.state()
        if held is None or held.definition != definition.digest():
            raise InputError("the star model does not exist for this definition", fix="build it first")
        with self._connection(self.path) as connection:
            connection.execute("BEGIN")
            if files:
                self._merge(connection, snapshot, files, definition)
            _note(connection, snapshot, definition)
            connection.execute("COMMIT")
            state = _state(connection)
        if state is None:
            raise StorageError("the star model was not written", where=str(self.path))
        return state

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT over its tables.

        Raises:
            InputError: it was never built.
            StorageError: the statement failed.
        """
        if not self.path.exists():
            raise InputError("there is no star model yet", where=str(self.path), fix="paribus pipeline refresh")
        with self._connection(self.path, read_only=True) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
            return rows

    def differences(self, snapshot: Snapshot, definition: StarDefinition) -> dict[str, int]:
        """Rows by table that a full rebuild of the same version has and the kept model lacks, or the other way round.

        Args:
            snapshot: the version that the model holds.
            definition: the one it was built for.

        Raises:
            InputError: the model holds another version or definition.
        """
        held = self.state()
        wanted = (snapshot.table_id, snapshot.version, definition.digest())
        if held is None or (held.table, held.version, held.definition) != wanted:
            raise InputError("the star model does not hold this version", fix="refresh it first")
        with tempfile.TemporaryDirectory(prefix="paribus-") as folder:
            anew = StarModel(folder, **self._options)
            anew.build(snapshot, definition)
            with self._connection(self.path, read_only=True) as connection:
                connection.execute(f"ATTACH {literal(str(anew.path))} AS anew (READ_ONLY)")
                found = {}
                for name in TABLES:
                    ways = ((f"anew.{name}", name), (name, f"anew.{name}"))
                    apart = " UNION ALL ".join(f"(SELECT * FROM {a} EXCEPT ALL SELECT * FROM {b})" for a, b in ways)
                    found[name] = int(connection.execute(f"SELECT count(*) FROM ({apart})").fetchall()[0][0])
                return found

    def export(self, folder: str | Path, tables: Sequence[str] = TABLES) -> list[Path]:
        """The tables as Parquet files in a folder."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = []
        with self._connection(self.path, read_only=True) as connection:
            for name in tables:
                path = target / f"{name}.parquet"
                connection.execute(f"COPY (SELECT * FROM {name}) TO {literal(str(path))} (FORMAT parquet)")
                paths.append(path)
        return paths

    def erase(self, units: Iterable[str]) -> int:
        """Deletes the model when it knows one of the units; returns how many rows named them."""
        if not self.path.exists():
            return 0
        with self._connection(self.path, read_only=True) as connection:
            wanted = list(dict.fromkeys(units))
            found = sum(
                int(connection.execute(f"SELECT count(*) FROM {name} WHERE user_key IN $1", [wanted]).fetchall()[0][0])
                for name in TABLES
            )
        if found:
            self.clear()
        return found

    def clear(self) -> None:
        """Deletes the model; the next refresh builds it again."""
        for path in self.path.parent.glob("*"):
            path.unlink(missing_ok=True)

    def _merge(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        files: Sequence[str],
        definition: StarDefinition,
    ) -> None:
        staged = sql.stg_event(f"({_files(files, snapshot)})", definition)
        connection.execute(
            f"CREATE TEMP TABLE staged AS SELECT * FROM ({staged}) ANTI JOIN fct_event USING (event_sk) "
            "ANTI JOIN fct_exposure USING (event_sk)"
        )
        fresh = _selects("staged", definition)
        for name in ("fct_event", "fct_exposure", "stg_observation"):
            connection.execute(
                f"MERGE INTO {name} USING ({fresh[name]}) AS fresh ON {name}.event_sk = fresh.event_sk "
                "WHEN NOT MATCHED THEN INSERT"
            )
        connection.execute("CREATE TEMP TABLE moved AS SELECT DISTINCT user_key FROM staged WHERE user_key IS NOT NULL")
        for name in ("dim_user", "obt_experiment"):
            connection.execute(f"DELETE FROM {name} WHERE user_key IN (SELECT user_key FROM moved)")
        observed = "(SELECT * FROM stg_observation SEMI JOIN moved USING (user_key))"
        connection.execute(f"INSERT INTO dim_user {sql.dim_user(observed, definition)}")
        exposures = "(SELECT * FROM fct_exposure SEMI JOIN moved USING (user_key))"
        events = "(SELECT * FROM fct_event SEMI JOIN moved USING (user_key))"
        connection.execute(
            f"INSERT INTO obt_experiment {sql.obt_experiment(exposures, events, 'dim_user', definition)}"
        )
        connection.execute("DROP TABLE staged")
        connection.execute("DROP TABLE moved")

    @contextmanager
    def _connection(self, path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        config: dict[str, Any] = {name: value for name, value in self._options.items() if value is not None}
        try:
            connection = duckdb.connect(str(path), read_only=read_only, config=config)
        except duckdb.Error as error:
            raise _failed(error, path) from error
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        except duckdb.Error as error:
            raise _failed(error, path) from error
        finally:
            connection.close()


def _selects(staged: str, definition: StarDefinition) -> dict[str, str]:
    return {
        "fct_event": sql.fct_event(staged, definition),
        "fct_exposure": sql.fct_exposure(staged),
        "stg_observation": sql.stg_observation(staged, definition),
        "dim_user": sql.dim_user("stg_observation", definition),
        "obt_experiment": sql.obt_experiment("fct_exposure", "fct_event", "dim_user", definition),
    }


def _files(files: Sequence[str], snapshot: Snapshot) -> str:
    return select_events(files, snapshot.columns)


def _note(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, definition: StarDefinition) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS model_state (lake VARCHAR, version BIGINT, definition VARCHAR)")
    connection.execute("DELETE FROM model_state")
    connection.execute(
        "INSERT INTO model_state VALUES (?, ?, ?)", [snapshot.table_id, snapshot.version, definition.digest()]
    )


def _state(connection: duckdb.DuckDBPyConnection) -> StarState | None:
    found = connection.execute("SELECT lake, version, definition FROM model_state").fetchall()
    if not found:
        return None
    rows = {}
    for name in TABLES:
        rows[name] = int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])
    lake, version, digest = found[0]
    return StarState(str(lake), int(version), str(digest), rows)


def _failed(error: Exception, path: Path) -> StorageError:
    return StorageError(
        f"the star model cannot be read or written: {str(error).partition(chr(10))[0][:300]}",
        where=str(path),
        fix="delete the file: the model is built again from the lake",
    )
