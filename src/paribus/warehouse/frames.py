"""In-memory tables for DuckDB: pandas by its own registration, everything else by the Arrow PyCapsule interface.

None of the libraries is imported: a frame is told by its type's module and by the methods it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from paribus.errors import InputError

if TYPE_CHECKING:
    import duckdb


class Frame(Protocol):
    """A table in memory that can be put under a name on a connection, as often as asked."""

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Registered:
    """An object that DuckDB reads itself."""

    frame: Any

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.register(name, self.frame)


@dataclass(frozen=True, slots=True)
class Stream:
    """Only the Arrow stream of an object: DuckDB asks for pyarrow when it knows the library behind it."""

    frame: Any

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.register(name, self)


@dataclass(slots=True)
class SingleUse:
    """A stream that can be read once, such as a record batch reader: kept in memory as DuckDB's own copy."""

    frame: Any
    kept: duckdb.DuckDBPyRelation | None = None

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        import duckdb

        if self.kept is None:
            keeper = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
            try:
                keeper.from_arrow(self.frame).create("kept")
            except duckdb.Error as error:
                raise InputError(
                    f"the stream cannot be read: {str(error).partition(chr(10))[0]}",
                    where=name,
                    rule="a stream that is read once tells its schema by __arrow_c_schema__",
                    fix="pass a table instead, which can be read again",
                ) from error
            self.kept = keeper.table("kept")
        connection.register(name, Stream(self.kept))


def readable(name: str, frame: object) -> Frame:
    """The frame in a form that any DuckDB connection can read, without pyarrow.

    Raises:
        InputError: the object is not a table.
    """
    library = type(frame).__module__.partition(".")[0]
    kind = type(frame).__name__
    if library == "pandas" and kind == "DataFrame":
        return Registered(frame)
    if library == "polars" and kind == "LazyFrame":
        return Stream(frame.collect())  # type: ignore[attr-defined]  # a LazyFrame, told by its name
    if hasattr(frame, "__arrow_c_stream__") and kind != "Series":
        # A table knows how many rows it has and can be exported again; a reader or a generator cannot.
        again = any(hasattr(frame, size) for size in ("num_rows", "height", "shape", "__len__"))
        return Stream(frame) if again else SingleUse(frame)
    if hasattr(frame, "__arrow_c_array__") and hasattr(frame, "num_rows"):
        return Registered(frame)  # one record batch
    raise InputError(
        f"a {type(frame).__module__}.{kind} cannot be read as a table",
        where=name,
        rule="tables in memory: pandas, Polars, Arrow tables, DuckDB relations, objects with __arrow_c_stream__",
        fix="convert it, for instance with pandas.DataFrame(data)",
    )
