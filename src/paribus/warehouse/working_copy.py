"""A DuckDB database in a temporary folder that many statements read after one pass over files."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paribus.errors import EngineError
from paribus.warehouse.csv_types import quote
from paribus.warehouse.engine import ColumnKind, Table
from paribus.warehouse.file_views import engine_error, keep_types

MEMORY = "1GB"


class WorkingCopy:
    """Tables on disk, made by `keep` and read by `query`; what does not fit into memory spills to the same folder.

    Args:
        threads: DuckDB's; default all processors.
        memory_limit: the memory that it may use.
    """

    dialect = "duckdb"

    def __init__(self, *, threads: int | None = None, memory_limit: str = MEMORY) -> None:
        import duckdb

        self._folder = Path(tempfile.mkdtemp(prefix="paribus-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        config: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
            "temp_directory": str(self._folder / "spill"),
            "memory_limit": memory_limit,
        }
        if threads is not None:
            config["threads"] = threads
        self._connection = duckdb.connect(str(self._folder / "copy.db"), config=config)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET parquet_metadata_cache = true")
        keep_types(self._connection)

    def keep(self, name: str, select: str, *, as_view: bool = False) -> None:
        """The answer of a SELECT as a table of that name, replacing one that stood there.

        Raises:
            EngineError, InputError: the statement failed; a file cannot be read.
        """
        import duckdb

        try:
            self.drop(name)
            self._connection.execute(f"CREATE {'VIEW' if as_view else 'TABLE'} {name} AS {select}")
        except duckdb.Error as error:
            raise engine_error(error) from error

    def drop(self, name: str) -> None:
        """Removes a kept table or view, if it is there."""
        kinds = self._connection.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = ?", [name]
        ).fetchall()
        for (kind,) in kinds:
            self._connection.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {name}")

    def values_type(self, name: str, values: list[str]) -> None:
        """An ENUM type of these values: text that is stored and compared as numbers."""
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        self._connection.execute(f"CREATE TYPE {name} AS ENUM ({listed})")

    def query(self, sql: str) -> Table:
        """Runs one SELECT.

        Raises:
            EngineError: it is none, or it failed.
        """
        import duckdb

        try:
            statements = self._connection.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise EngineError("only one SELECT statement runs at a time", rule="a working copy is read by `query`")
            cursor = self._connection.execute(statements[0])
            names = tuple(column[0].lower() for column in cursor.description)
            return Table(names, cursor.fetchall())
        except duckdb.Error as error:
            raise engine_error(error) from error

    def add(self, name: str, rows: Mapping[str, object], types: Mapping[str, str]) -> None:
        """Adds rows to the table of that name, which the first ones make.

        Args:
            rows: a numpy array for each column.
            types: DuckDB's, by column.
        """
        made = ", ".join(f"{quote(column)} {kind}" for column, kind in types.items())
        cast = ", ".join(f"CAST({quote(column)} AS {kind})" for column, kind in types.items())
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({made})")
        self._connection.register("arriving", dict(rows))
        try:
            self._connection.execute(f"INSERT INTO {name} SELECT {cast} FROM arriving")
        finally:
            self._connection.unregister("arriving")

    def write(self, select: str, path: Path) -> None:
        """The answer of a SELECT as a Parquet file.

        Raises:
            EngineError, InputError: the statement failed; a file cannot be read.
        """
        import duckdb

        try:
            target = str(path).replace("'", "''")
            self._connection.execute(f"COPY ({select}) TO '{target}' (FORMAT parquet)")
        except duckdb.Error as error:
            raise engine_error(error) from error

    def columns(self, select: str) -> dict[str, ColumnKind]:
        """Column and kind of what a SELECT answers."""
        import duckdb

        from paribus.warehouse.duckdb_engine import kind_of

        try:
            rows = self._connection.execute(f"DESCRIBE {select}").fetchall()
        except duckdb.Error as error:
            raise engine_error(error) from error
        return {row[0]: "timestamp_tz" if row[1].startswith("TIMESTAMPTZ") else kind_of(row[1]) for row in rows}

    def close(self) -> None:
        """Ends the connection and removes the folder."""
        self._connection.close()
        self._remove()
