"""DuckDB: files, folders, tables of a DuckDB database, and in-memory frames.

A relation becomes a view of the same name, so that statements read as a person would write them. Before the first
statement the connection is locked: it reads the files named so far and nothing else, loads no extension and reaches no
network. Statements are checked fragments already; this is the second fence.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.errors import EngineError, InputError, did_you_mean
from paribus.warehouse import frames as frame_registry
from paribus.warehouse.csv_types import quote
from paribus.warehouse.engine import ColumnKind, Table
from paribus.warehouse.event_files import EventFiles
from paribus.warehouse.file_views import FileView, describe_files, engine_error, keep_types
from paribus.warehouse.files import FileSet, names_of_files, resolve_files
from paribus.warehouse.held_rows import held_rows

if TYPE_CHECKING:
    import duckdb

    from paribus.warehouse.event_views import Relations

ATTACHED = "source"  # the name under which the database file is attached


class DuckDBEngine:
    """Answers SELECT statements over files, frames and the tables of one DuckDB database file.

    Args:
        database: a DuckDB file, attached read-only; None for none.
        base_dir: the folder that relative file names start from.
        frames: in-memory tables by name.
        threads, memory_limit: DuckDB's; None for its own choice.
        events: relations of an event table that statements may name.

    Raises:
        InputError: the database file does not exist, or a frame is of a type that cannot be read.
        EngineError: the database file is locked, or of another version or kind.
    """

    dialect = "duckdb"

    def __init__(
        self,
        database: Path | None = None,
        *,
        base_dir: str | Path = ".",
        frames: Mapping[str, object] | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
        events: Relations | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._base = Path(base_dir)
        self._database = database
        self._events = events
        self._frames = {name: frame_registry.readable(name, frame) for name, frame in (frames or {}).items()}
        for name, frame in (frames or {}).items():
            for twice in frame_registry.repeated_names(frame):
                self.notes.append(f"{name}: several columns are called {twice!r}: it is the first, others have numbers")
        self._views: dict[str, FileView] = {}
        self._kinds: dict[str, dict[str, ColumnKind]] = {}
        self._temporary = Path(tempfile.mkdtemp(prefix="paribus-"))
        # also when nobody calls close: at the latest when the process ends
        self._remove_temporary = weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)
        self._config: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": str(self._temporary / "spill"),
        }
        if threads is not None:
            self._config["threads"] = threads
        if memory_limit is not None:
            self._config["memory_limit"] = memory_limit
        self._connection = self._connect()
        self._is_locked = False

    def relation_sql(self, relation: str) -> str:
        """The relation's quoted name; a file's name is the view over it."""
        return ".".join(quote(part) for part in self._resolve(relation))

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The relation's columns in order with their kinds."""
        name = self.relation_sql(relation)
        if name not in self._kinds:
            rows = self._rows(f"DESCRIBE SELECT * FROM {name}")
            self._kinds[name] = {row[0]: kind_of(row[1]) for row in rows}
        return dict(self._kinds[name])

    def query(self, sql: str) -> Table:
        """Runs one SELECT on the locked connection.

        Raises:
            EngineError: the statement is not one SELECT, or DuckDB failed.
            InputError: a file changed or cannot be read as its first rows promised.
        """
        import duckdb

        self._lock()
        try:
            statements = self._connection.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise EngineError("only one SELECT statement runs at a time", rule="the warehouse is read, not written")
            cursor = self._connection.execute(statements[0])
            names = tuple(column[0].lower() for column in cursor.description)
            return Table(names, cursor.fetchall())
        except duckdb.Error as error:
            raise engine_error(error) from error

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """Files by size, time and SHA-256; frames and tables by name."""
        found: dict[str, Any] = {}
        for relation in relations:
            self._resolve(relation)
            if relation in self._views:
                files = self._views[relation].files
                if files.address not in found:
                    found[files.address] = files.fingerprint(self._base, full=full)
            elif relation in self._frames:
                found[relation] = {"kind": "frame"}
            else:
                found[relation] = {"kind": "table", "table": relation}
        return found

    def reader_sql(self, relation: str) -> str | None:
        """The SELECT that reads a relation's files, None for frames and tables: what stands behind the view."""
        self._resolve(relation)
        return self._views[relation].sql if relation in self._views else None

    def is_columnar(self, relation: str) -> bool:
        """Whether a statement reads only the columns that it names; CSV and JSON files are parsed whole each time."""
        self._resolve(relation)
        return relation not in self._views or self._views[relation].files.format == "parquet"

    @contextmanager
    def holding(self, columns: Mapping[str, Sequence[str]]) -> Iterator[None]:
        """Keeps rows of the event table in memory for the statements inside, which then decode its files once.

        Args:
            columns: by relation, the only columns that these statements name; no other relation may be new to them.
                Relations of other kinds are read as ever, and so are those that are too large.

        Raises:
            InputError, EngineError: a relation is unknown, or its files cannot be read.
        """
        import duckdb

        kept: dict[str, list[str]] = {}
        for relation, names in columns.items():  # all of them first: a new relation may need a new connection
            wanted = {name.lower() for name in names}
            known = [name for name in self.columns(relation) if name.lower() in wanted]
            view = self._views.get(relation)
            if view is not None and isinstance(view.files, EventFiles) and not view.before:
                kept[relation] = known
        try:
            with held_rows(self._connection, kept):
                yield
        except duckdb.Error as error:
            raise engine_error(error) from error

    def close(self) -> None:
        self._connection.close()
        self._remove_temporary()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        if self._database is not None and not self._database.is_file():
            names = [p.name for p in self._database.parent.glob("*") if p.is_file()]
            raise InputError(
                f"there is no DuckDB file {str(self._database)!r}",
                where="connection",
                fix=did_you_mean(self._database.name, names) if names else "check the folder's name",
            )
        try:
            connection = duckdb.connect(config=self._config)
            connection.execute("SET TimeZone = 'UTC'")
            # A statement names a file in several places; DuckDB looks again at one that changed.
            connection.execute("SET parquet_metadata_cache = true")
            keep_types(connection)
            if self._database is not None:
                path = str(self._database).replace("'", "''")
                connection.execute(f"ATTACH '{path}' AS {ATTACHED} (READ_ONLY)")
                connection.execute(f"USE {ATTACHED}")
        except duckdb.Error as error:
            raise engine_error(error) from error
        for name, frame in self._frames.items():
            try:
                frame.register(connection, name)
            except duckdb.Error as error:
                raise InputError(
                    f"the frame cannot be read: {engine_error(error).what}",
                    where=name,
                    fix="convert the column, for instance to float64, or leave it out",
                ) from error
        return connection

    def _lock(self) -> None:
        if self._is_locked:
            return
        paths = [str(path) for view in self._views.values() for path in view.read_paths]
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        self._connection.execute(f"SET allowed_paths = [{listed}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        self._is_locked = True

    def _unlock(self) -> None:
        """No lock opens again: a file named after the first statement needs a new connection, with the same views."""
        if not self._is_locked:
            return
        replaced, self._connection = self._connection, self._connect()
        replaced.close()
        self._is_locked = False
        for view in self._views.values():
            self._connection.execute(view.create())

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise engine_error(error) from error

    def _resolve(self, relation: str) -> tuple[str, ...]:
        """The parts of the relation's name in SQL. Frames come first, then tables, then files."""
        if relation in self._frames or relation in self._views:
            return (relation,)
        if self._database is not None and (table := self._find_table(relation)):
            return table
        if self._events is not None and self._events.offers(relation):
            self._unlock()
            self._add_view(self._event_view(self._events, relation))
            return (relation,)
        files = resolve_files(relation, self._base)
        if files is None:
            raise self._unknown(relation)
        self._add_files(files)
        return (relation,)

    def _event_view(self, events: Relations, relation: str) -> FileView:
        import duckdb

        try:
            return events.view(relation, self._connection)
        except duckdb.Error as error:
            raise engine_error(error) from error

    def _add_files(self, files: FileSet) -> None:
        self._unlock()
        self._add_view(describe_files(files, self._connection, self._temporary / f"copy{len(self._views)}"))

    def _add_view(self, view: FileView) -> None:
        self._rows(view.create())
        self._views[view.files.relation] = view
        self.notes += [f"{view.files.relation}: {note}" for note in view.notes]

    def _tables(self) -> list[tuple[str, str]]:
        return [
            (row[0], row[1])
            for row in self._rows(
                "SELECT table_schema, table_name FROM information_schema.tables "
                f"WHERE table_catalog = '{ATTACHED}' ORDER BY ALL"
            )
        ]

    def _find_table(self, relation: str) -> tuple[str, ...] | None:
        schema, _, name = relation.rpartition(".")
        for candidate_schema, candidate in self._tables():
            if candidate.lower() == relation.lower() and candidate_schema == "main":
                return (candidate,)
            if schema and (candidate_schema.lower(), candidate.lower()) == (schema.lower(), name.lower()):
                return (candidate_schema, candidate)
        return None

    def _unknown(self, relation: str) -> InputError:
        known = list(self._frames)
        if self._database is not None:
            known += [name if schema == "main" else f"{schema}.{name}" for schema, name in self._tables()]
        known += names_of_files(self._base)
        return InputError(
            f"there is no table, frame or file {relation!r}",
            where=relation,
            rule=f"a file's path starts from {self._base.resolve()}",
            fix=did_you_mean(relation, known) if known else "name a CSV, Parquet or JSON file",
        )


def kind_of(type_name: str) -> ColumnKind:
    """The kind of a DuckDB type by its name.

    >>> kind_of("DECIMAL(18,3)"), kind_of("TIMESTAMP WITH TIME ZONE"), kind_of("ENUM('a', 'b')")
    ('number', 'timestamp_tz', 'text')
    """
    if type_name.endswith("]"):
        return "other"
    base = type_name.partition("(")[0].strip().upper()
    return _KINDS.get(base, "other")


_KINDS: dict[str, ColumnKind] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "number"),
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID", "CHAR", "TEXT"), "text"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATETIME"), "timestamp"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "TIMESTAMP_NS WITH TIME ZONE"), "timestamp_tz"),
    "BOOLEAN": "boolean",
    "DATE": "date",
    "JSON": "json",
}
