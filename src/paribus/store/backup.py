"""Everything in one file of JSON lines, the same for SQLite and PostgreSQL, and back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa

from paribus.errors import StorageError
from paribus.store.glance import SCHEMA
from paribus.store.tables import DOCUMENTS, HEADS, RECORDS, REVISIONS, UNITS

FORMAT = 1
_TABLES = {table.name: table for table in (HEADS, REVISIONS, DOCUMENTS, RECORDS, UNITS)}
_BATCH = 1000


def write_lines(connection: sa.Connection, path: Path, *, time: str) -> None:
    """Writes the backup; the file appears under its name only when it is whole and on disk."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            _write(connection, file, time)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StorageError(
            f"the backup cannot be written: {error.strerror}", where=str(path), fix="choose a place with space"
        ) from error


def read_lines(connection: sa.Connection, path: Path) -> None:
    """Puts a backup's rows into empty tables.

    Raises:
        StorageError: it is not a backup, a newer one, or its end or some of its lines are missing or changed.
    """
    for name, rows in groupby(_lines(path), key=lambda line: line[0]):
        batch: list[dict[str, Any]] = []
        for _, row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                connection.execute(sa.insert(_TABLES[name]), batch)
                batch = []
        if batch:
            connection.execute(sa.insert(_TABLES[name]), batch)


def _write(connection: sa.Connection, file: TextIO, time: str) -> None:
    digest, count = hashlib.sha256(), 0

    def line(value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False) + "\n"
        digest.update(text.encode())
        file.write(text)

    line({"paribus": "store", "format": FORMAT, "schema": SCHEMA, "time": time})
    for name, table in _TABLES.items():
        query = sa.select(table).order_by(*table.primary_key.columns)
        for row in connection.execution_options(yield_per=_BATCH).execute(query).mappings():
            line({"table": name, "row": dict(row)})
            count += 1
    file.write(json.dumps({"rows": count, "sha256": digest.hexdigest()}) + "\n")


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The (table, row) of each line, once head and tail of the file agree with what stands between them."""
    _check(path)
    with path.open(encoding="utf-8") as file:
        next(file)
        for text in file:
            line = json.loads(text)
            if "table" in line:
                yield line["table"], line["row"]


def _check(path: Path) -> None:
    digest, count, head, last = hashlib.sha256(), -1, None, b""
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file):
                if number == 0:
                    head = text
                if last:
                    digest.update(last)
                    count += 1
                last = text
    except OSError as error:
        raise StorageError(f"the backup cannot be read: {error.strerror}", where=str(path)) from error
    opened, closed = _parsed(head or b""), _parsed(last)
    if opened.get("paribus") != "store":
        raise StorageError("this is not a backup of definitions", where=str(path), fix="paribus backup writes one")
    if opened.get("format") != FORMAT or str(opened.get("schema")) > SCHEMA:
        raise StorageError(
            "this backup was written by a newer Paribus", where=str(path), fix="pip install --upgrade paribus"
        )
    if closed.get("rows") != count or closed.get("sha256") != digest.hexdigest():
        raise StorageError(
            "the backup is damaged: its last line does not agree with the others",
            where=str(path),
            rule="nothing was restored",
            fix="use another backup",
        )


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
