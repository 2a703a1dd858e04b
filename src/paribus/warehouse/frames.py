"""In-memory tables for DuckDB: pandas by its own registration, everything else by the Arrow PyCapsule interface.

None of the libraries is imported: a frame is told by its type's module and by the methods it has.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        return Registered(_with_index(frame))
    if library == "polars" and kind == "LazyFrame":
        return Stream(frame.collect())  # type: ignore[attr-defined]  # a LazyFrame, told by its name
    if hasattr(frame, "__arrow_c_stream__") and kind != "Series":
        # A table knows how many rows it has and can be exported again; a reader or a generator cannot.
        try:
            again = any(hasattr(frame, size) for size in ("num_rows", "height", "shape", "__len__"))
        except Exception as error:  # a relation asks its connection
            raise InputError(
                f"the frame cannot be read: {str(error).partition(chr(10))[0]}",
                where=name,
                fix="keep its connection open until it has been read",
            ) from error
        return Stream(frame) if again else SingleUse(frame)
    if hasattr(frame, "__arrow_c_array__") and hasattr(frame, "num_rows"):
        return Registered(frame)  # one record batch
    raise InputError(
        f"a {type(frame).__module__}.{kind} cannot be read as a table",
        where=name,
        rule="tables in memory: pandas, Polars, Arrow tables, DuckDB relations, objects with __arrow_c_stream__",
        fix="convert it, for instance with pandas.DataFrame(data)",
    )


def repeated_names(frame: object) -> list[str]:
    """Names that several columns of a pandas frame or an Arrow table have; only the first of each keeps its name."""
    columns = getattr(frame, "columns", None)
    schema = getattr(frame, "schema", None)
    names = getattr(schema, "names", None) if type(frame).__module__.startswith("pyarrow") else columns
    if not isinstance(names, Iterable):
        return []
    seen = [str(name).lower() for name in names]
    return sorted({str(name) for name in names if seen.count(str(name).lower()) > 1})


def _with_index(frame: Any) -> Any:
    """The pandas frame with its index as columns, where the index has names: it is data that somebody put there."""
    names = list(frame.index.names)
    if any(name is None for name in names) or set(names) & set(frame.columns):
        return frame
    return frame.reset_index()
