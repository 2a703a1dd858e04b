"""The SELECT that reads a relation's files, with every choice spelled out: no reader guesses again at run time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.errors import EngineError, InputError, ParibusError
from paribus.warehouse import csv_layout, csv_types
from paribus.warehouse.csv_types import quote
from paribus.warehouse.files import FileSet

if TYPE_CHECKING:
    import duckdb


_BROKEN_PARQUET = re.compile(
    r"No magic bytes|to be a Parquet file|reading.*Parquet|decompression fail|TProtocolException|don't know what type|"
    r"Out of buffer|read enough bytes|Parquet file|\.parquet|invalid TType|TTransport|Corrupted file"
)
# A file that went away is not broken, and neither is one that a statement only names.
_OTHER_FAULT = re.compile(
    r"No files found|^(Permission|Binder|Catalog|Parser|Conversion|Out of Range|Out of Memory) Error"
)


@dataclass(frozen=True, slots=True)
class FileView:
    """One relation's reader. `read_paths` are the files actually opened: the user's, or UTF-8 copies of them.

    `before` is what has to be there first: the rows that several relations read, once for all of them.
    """

    files: FileSet
    sql: str
    read_paths: tuple[Path, ...]
    notes: tuple[str, ...] = field(default=())
    before: str = ""

    def create(self) -> str:
        return f"{self.before}CREATE OR REPLACE TEMP VIEW {quote(self.files.relation)} AS {self.sql}"


def describe_files(files: FileSet, connection: duckdb.DuckDBPyConnection, copies: Path) -> FileView:
    """Decides how to read the files, on a connection that may still open files.

    Raises:
        InputError: a file is empty, its rows are ragged, or files of one relation differ in their columns.
    """
    describe = {"csv": _describe_csv, "parquet": _describe_parquet, "json": _describe_json}[files.format]
    return describe(files, connection, copies)


def keep_types(connection: duckdb.DuckDBPyConnection) -> None:
    """Has a cast mean the value and not the characters in the file.

    DuckDB 2 reads a column of a CSV file as text where the statement casts it to text: True is then "True" in one
    statement, and "true" in another that compares it before.
    """
    known = {name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    if "type_pushdown" in known:
        connection.execute("SET disabled_optimizers = 'type_pushdown'")


def engine_error(error: Exception) -> ParibusError:
    """DuckDB's error in our words: a bad row of a CSV file by its line, all others by their first line."""
    message = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    if line:
        file = re.search(r"file = (.+)", message)
        name = Path(file[1].strip()).name if file else "CSV file"
        return _bad_line(message, f"{name}:{line[1]}")
    if _BROKEN_PARQUET.search(message) and not _OTHER_FAULT.search(message):
        file = re.search(r"file '?\"?([^'\"]+)['\"]", message, re.IGNORECASE)
        said = re.sub(r"^(Invalid Input|IO|Invalid) Error: ", "", _first_line(message))
        return InputError(
            f"the Parquet file cannot be read: {said}",
            where=Path(file[1]).name if file else None,
            rule="a Parquet file is complete",
            fix="export the file again",
        )
    if re.search(r"Conversion Error.*([Tt]imestamp|TimeZone|invalid date)", message):
        value = re.search(r"\"(.{1,60}?)( is not ISO 8601)?\"|TimeZone '(.{1,40}?)'", message)
        return InputError(
            f"the text {(value[1] or value[3])!r} is no time" if value else "a text is no time",
            rule="a time is a date, a timestamp, or ISO 8601 text such as 2026-03-01 12:00:00+00:00",
            fix="write all times of the column so",
        )
    value = re.search(r"Conversion Error: Could not convert string '(.{0,60}?)' to (\w+)", message)
    if value:
        column = re.search(r"source column (\w+)", message)
        return InputError(
            f"the text {value[1]!r}{f' of {column[1]}' if column else ''} cannot be cast to {value[2]}",
            rule="CAST takes what every row holds; TRY_CAST makes the others missing, and they are counted",
            fix="write TRY_CAST, or REPLACE what stands in the way",
        )
    if "Malformed JSON" in message:
        return InputError(_first_line(message), rule="JSON lines: one object per line")
    fix = None
    if "Out of Memory" in message:
        fix = "give more memory (memory_limit), or fewer threads"
    elif "Conflicting lock" in message or "Could not set lock" in message:
        fix = "close the program that has the database open, or copy the file"
    return EngineError(f"DuckDB: {_first_line(message)}", fix=fix)


def _bad_line(message: str, where: str) -> InputError:
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if fields:
        return InputError(
            f"this row has {fields[2]} fields, the header has {fields[1]}",
            where=where,
            rule="every row of a CSV file has the same number of fields",
            fix="correct the row (a delimiter inside a value needs quotes around the value)",
        )
    if "unterminated quote" in message:
        return InputError("a quoted value does not end", where=where, fix='double a quote inside a value: ""')
    if "Invalid unicode" in message:
        return InputError("this row is not UTF-8 text", where=where, fix="export the file in UTF-8")
    detail = next((text for text in message.splitlines()[1:] if text.startswith(("Error when", "Maximum"))), "")
    return InputError(f"this row cannot be read. {detail}".strip(), where=where)


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0][:500]


def _list(paths: tuple[Path, ...]) -> str:
    return "[" + ", ".join(_literal(str(path)) for path in paths) + "]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _partitions(files: FileSet) -> str:
    return f"hive_partitioning = {str(files.is_partitioned).lower()}"


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _describe_csv(files: FileSet, connection: duckdb.DuckDBPyConnection, copies: Path) -> FileView:
    import duckdb

    paths = list(files.paths)
    layouts = [csv_layout.read_layout(path) for path in paths]
    for i, (path, layout) in enumerate(zip(files.paths, layouts, strict=True)):
        if layout.encoding not in {"utf-8", "utf-8-sig"}:
            paths[i] = _copy(path, copies, i, layout.encoding)
    first = layouts[0]
    for path, layout in zip(files.paths, layouts, strict=True):
        _check_same(files.relation, files.paths[0].name, first, path.name, layout)
    # Windows-1252 bytes and mixed line ends may first appear beyond the sample: then read a clean copy, once.
    for attempt in range(2):
        try:
            types, partitions = _csv_types(files, tuple(paths), first, connection)
            break
        except duckdb.Error as error:
            if attempt or not re.search("Invalid unicode|invalid state", str(error)):
                raise engine_error(error) from error
            for i, path in enumerate(files.paths):
                if layouts[i].encoding in {"utf-8", "utf-8-sig"}:
                    encoding = _whole_encoding(path, layouts[i].encoding)
                    paths[i] = _copy(path, copies, i, encoding)
                    layouts[i] = csv_layout.read_layout(path, encoding=encoding)
    columns = ", ".join(f"{_literal(c.name)}: '{c.stored_type}'" for c in types.columns)
    selected = ", ".join([c.expression(quote(c.name)) for c in types.columns] + [quote(name) for name in partitions])
    sql = f"SELECT {selected} FROM {_read_csv(files, tuple(paths), first, '{' + columns + '}')}"
    notes = list(dict.fromkeys(note for layout in layouts for note in layout.notes)) + types.notes
    return FileView(files, sql, tuple(paths), tuple(notes))


def _read_csv(files: FileSet, paths: tuple[Path, ...], layout: csv_layout.Layout, columns: str) -> str:
    options = {
        "auto_detect": "false",
        "delim": _literal(layout.delimiter),
        "quote": "'\"'",
        "escape": "'\"'",
        "header": str(layout.has_header).lower(),
        "skip": str(layout.skipped_lines),
        "columns": columns,
    }
    listed = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"read_csv({_list(paths)}, {listed}, {_partitions(files)})"


def _csv_types(
    files: FileSet, paths: tuple[Path, ...], layout: csv_layout.Layout, connection: duckdb.DuckDBPyConnection
) -> tuple[csv_types.Types, list[str]]:
    columns = "{" + ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in layout.names) + "}"
    reader = _read_csv(files, paths, layout, columns)

    def rows(sql: str) -> list[tuple[object, ...]]:
        return connection.execute(sql.replace("FROM file", f"FROM {reader} AS file")).fetchall()

    described = connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()
    partitions = [row[0] for row in described[len(layout.names) :]]
    return csv_types.decide_types(layout.names, layout.sample, layout.delimiter, rows), partitions


def _copy(path: Path, copies: Path, i: int, encoding: str) -> Path:
    """A UTF-8 copy under the same name, in a folder of its own, below folders that keep key=value parts."""
    partitions = [part for part in path.parent.parts if "=" in part]
    folder = copies.joinpath(str(i), *partitions)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name.removesuffix(".gz")
    csv_layout.rewrite_as_utf8(path, copy, encoding)
    return copy


def _whole_encoding(path: Path, assumed: str) -> str:
    """The encoding that the whole file allows, when its first part did not show it."""
    with csv_layout.open_bytes(path) as stream:
        data = stream.read()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return csv_layout.legacy_encoding(data)
    return assumed


def _check_same(relation: str, first: str, layout: csv_layout.Layout, name: str, other: csv_layout.Layout) -> None:
    if (layout.delimiter, layout.skipped_lines, layout.has_header, layout.names) == (
        other.delimiter,
        other.skipped_lines,
        other.has_header,
        other.names,
    ):
        return
    detail = (
        f"{first} has the columns {', '.join(layout.names)}; {name} has {', '.join(other.names)}"
        if layout.names != other.names
        else f"{first} and {name} differ in delimiter or header"
    )
    raise InputError(
        f"the files of {relation!r} are not alike: {detail}",
        where=relation,
        rule="CSV files read together have the same header and delimiter",
        fix="read them apart, or export them the same way",
    )


# ── Parquet and JSON ─────────────────────────────────────────────────────────────────────────────────────────────────


def _describe_parquet(files: FileSet, connection: duckdb.DuckDBPyConnection, copies: Path) -> FileView:
    del copies  # Parquet says itself how it is written
    listed = _list(files.paths)
    notes = []
    union = "false"
    if len(files.paths) > 1:
        # num_children is NULL for leaves and set for the root and for groups
        counts = _fetch(
            connection,
            "SELECT name, count(DISTINCT file_name) AS files FROM parquet_schema("
            f"{listed}) WHERE num_children IS NULL GROUP BY name HAVING files < {len(files.paths)} ORDER BY name",
        )
        for name, count in counts:
            union = "true"
            absent = len(files.paths) - count
            notes.append(f"column {name!r} is absent from {absent} of {len(files.paths)} files and missing there")
    reader = f"read_parquet({listed}, union_by_name = {union}, {_partitions(files)})"
    try:
        _fetch(connection, f"DESCRIBE SELECT * FROM {reader}")
    except InputError as error:
        raise InputError(error.what, where=error.where or files.relation, rule=error.rule, fix=error.fix) from error
    return FileView(files, f"SELECT * FROM {reader}", files.paths, tuple(notes))


def _describe_json(files: FileSet, connection: duckdb.DuckDBPyConnection, copies: Path) -> FileView:
    del copies
    for path in files.paths:
        if path.stat().st_size == 0:
            raise InputError("the file is empty", where=path.name, fix="export it again")
    listed = _list(files.paths)
    guess = f"read_json({listed}, sample_size = -1, union_by_name = true, {_partitions(files)})"
    described = _fetch(connection, f"DESCRIBE SELECT * FROM {guess}")
    partitions = {part.partition("=")[0] for path in files.paths for part in path.parent.parts if "=" in part}
    own = [row for row in described if not (files.is_partitioned and row[0] in partitions)]
    if [row[0] for row in own] == ["json"] and _holds_other_than_objects(connection, listed):
        raise InputError(
            "the lines are not objects",
            where=files.relation,
            rule='JSON lines: one object per line, for instance {"user": 1, "variant": "a"}',
        )
    columns = "{" + ", ".join(f"{_literal(row[0])}: {_literal(row[1])}" for row in own) + "}"
    reader = f"read_json({listed}, columns = {columns}, {_partitions(files)})"
    mixed = [row[0] for row in own if row[1] == "JSON"]
    notes = [f"column {name!r} holds values of several types and is read as JSON" for name in mixed]
    return FileView(files, f"SELECT * FROM {reader}", files.paths, tuple(notes))


def _holds_other_than_objects(connection: duckdb.DuckDBPyConnection, listed: str) -> bool:
    """True for lines such as 1 or [1, 2], which DuckDB reads as a column of its own making named json."""
    types = f"SELECT json_type(json) <> 'OBJECT' AS is_other FROM read_json_objects({listed})"
    return bool(_fetch(connection, f"SELECT bool_or(is_other) FROM ({types})")[0][0])


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise engine_error(error) from error
