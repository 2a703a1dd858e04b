"""ClickHouse in this process (chdb): the tables of a chdb folder, read with ClickHouse's own SQL.

A process holds one chdb folder at a time; that is chdb's rule. ClickHouse servers are read through SQLAlchemy.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from paribus.errors import EngineError, InputError, MissingExtra, did_you_mean
from paribus.warehouse.engine import ColumnKind, Table

FORMAT = "JSONCompactEachRowWithNamesAndTypes"
# Numbers keep all digits as text: JSON alone has no infinity, and ClickHouse has integers beyond 2^53.
SETTINGS = (
    "output_format_json_quote_denormals = 1, output_format_json_quote_64bit_floats = 1, "
    "output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 1, session_timezone = 'UTC'"
)


class ClickHouseEngine:
    """Answers SELECT statements over the tables of a chdb folder, or of the process's chdb in memory.

    Raises:
        MissingExtra: chdb is not installed.
        InputError: the folder does not exist.
        EngineError: this process already uses another chdb folder.
    """

    dialect = "clickhouse"

    def __init__(self, path: Path | None = None) -> None:
        try:
            import chdb
        except ImportError:
            raise MissingExtra("chdb", "clickhouse", "a chdb connection") from None
        self.notes: list[str] = []
        self._kinds: dict[str, dict[str, ColumnKind]] = {}
        if path is not None and not path.is_dir():
            raise InputError(f"there is no chdb folder {str(path)!r}", where="connection", fix="check the path")
        try:
            self._connection = chdb.connect(str(path) if path is not None else ":memory:")
        except RuntimeError as error:
            if "already initialized" in str(error):
                raise EngineError(
                    "this process already reads another chdb folder",
                    rule="chdb opens one folder per process",
                    fix="analyze the two folders in separate runs",
                ) from error
            raise EngineError(f"chdb: {_first_line(error)}") from error
        self._connection.query(f"SET {SETTINGS}")
        self._connection.query("SET readonly = 1")  # of this connection; it cannot be taken back

    def relation_sql(self, relation: str) -> str:
        """The table's quoted name."""
        return ".".join(_quote(part) for part in self._find(relation))

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The table's columns in order with their kinds."""
        name = self.relation_sql(relation)
        if name not in self._kinds:
            described = self.query(f"DESCRIBE TABLE {name}")
            pairs = zip(described.column("name"), described.column("type"), strict=True)
            self._kinds[name] = {column: kind_of(type_name) for column, type_name in pairs}
        return dict(self._kinds[name])

    def query(self, sql: str) -> Table:
        """Runs one SELECT; times come back in UTC without a zone."""
        try:
            answer = self._connection.query(sql, FORMAT)
        except RuntimeError as error:
            with contextlib.suppress(RuntimeError):
                self._connection.query("SELECT 1", FORMAT)  # what came before the error would stand before this answer
            raise EngineError(f"ClickHouse: {_first_line(error)}") from error
        try:
            return _parse(answer.bytes().decode("utf-8"))
        except ValueError as error:  # the text of two answers, one behind the other
            raise EngineError(
                "only one SELECT statement runs at a time", rule="the warehouse is read, not written"
            ) from error

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """Tables by name: a database's rows have no address, their moments are hashed by the analysis."""
        del full
        return {relation: {"kind": "table", "table": relation} for relation in relations}

    def close(self) -> None:
        self._connection.close()

    def _find(self, relation: str) -> tuple[str, ...]:
        rows = self.query(
            "SELECT database, name, database = currentDatabase() FROM system.tables "
            "WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')"
        ).rows
        known = {
            (name if int(is_current) else f"{database}.{name}"): (database, name) for database, name, is_current in rows
        }
        if relation in known:
            database, name = known[relation]
            return (name,) if relation == name else (database, name)
        current = {f"{database}.{name}": (database, name) for database, name in known.values()}
        if relation in current:
            return current[relation]
        raise InputError(
            f"the database has no table {relation!r}",
            where=relation,
            rule="a relation is a table or a view, or database.table; ClickHouse tells upper from lower case",
            fix=did_you_mean(relation, known),
        )


def kind_of(type_name: str) -> ColumnKind:
    """The kind of a ClickHouse type by its name.

    >>> kind_of("LowCardinality(Nullable(String))"), kind_of("Decimal(18, 2)"), kind_of("DateTime64(6)")
    ('text', 'number', 'timestamp_tz')
    """
    name = _bare(type_name)
    for pattern, kind in _KINDS:
        if re.match(pattern, name):
            return kind
    return "other"


# A DateTime is an instant, whatever zone it is shown in.
_KINDS: tuple[tuple[str, ColumnKind], ...] = (
    ("Bool", "boolean"),
    (r"U?Int\d", "integer"),
    ("Float|Decimal", "number"),
    ("String|FixedString|Enum|UUID", "text"),
    ("DateTime", "timestamp_tz"),
    ("Date", "date"),
    ("JSON|Object", "json"),
)


def _bare(type_name: str) -> str:
    while match := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", type_name):
        type_name = match[1]
    return type_name


def _parse(text: str) -> Table:
    lines = [line for line in text.split("\n") if line]  # not splitlines: a value may hold other line separators
    if len(lines) < 2:
        return Table((), [])
    names = tuple(name.lower() for name in json.loads(lines[0]))
    readers = [_reader(type_name) for type_name in json.loads(lines[1])]
    rows = []
    for line in lines[2:]:
        values = json.loads(line)
        rows.append(tuple(None if v is None else read(v) for read, v in zip(readers, values, strict=True)))
    return Table(names, rows)


def _reader(type_name: str) -> Callable[[Any], Any]:
    """How a value of a type is read from its JSON text."""
    name = _bare(type_name)
    if name.startswith("DateTime"):
        zone = re.search(r"'([^']+)'", name)
        return lambda value: _utc(value, zone[1] if zone else "UTC")
    for prefix, read in _READERS:
        if name.startswith(prefix):
            return read
    return lambda value: value


_READERS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("Date", date.fromisoformat),
    ("Float", float),
    ("Decimal", Decimal),
    ("Int", int),
    ("UInt", int),
)


def _utc(value: str, zone: str) -> datetime:
    local = datetime.fromisoformat(value)
    return local if zone == "UTC" else local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def _quote(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _first_line(error: Exception) -> str:
    return re.sub(r"^Code: \d+\. DB::Exception: ", "", str(error).strip()).partition("\n")[0][:500]
