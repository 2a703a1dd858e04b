"""How a CSV file is written: encoding, delimiter, lines above the header, and the header itself.

Found from the first part of the file by rules that a person can repeat, and the same for the whole file: a later row
that breaks them is an error that names its line, never a dropped row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from paribus.errors import InputError
from paribus.warehouse.csv_types import MISSING

SAMPLE_BYTES = 262_144
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
LINES_ABOVE_HEADER = 10

_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*%?")
_DATE = re.compile(r"\s*(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})([ T].*)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read one CSV file. `sample` holds the first rows as text, without the header."""

    encoding: str
    delimiter: str
    skipped_lines: int
    has_header: bool
    names: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # a GzipFile reads like any binary stream
    return path.open("rb")


def read_layout(path: Path, *, encoding: str | None = None) -> Layout:
    """The layout of a CSV file.

    Args:
        path: the file, possibly compressed by gzip.
        encoding: its encoding when known already; otherwise UTF-8 is assumed where the first bytes allow it.

    Raises:
        InputError: the file is empty, not text, or its rows have different numbers of fields from the first on.
    """
    try:
        with open_bytes(path) as stream:
            head = stream.read(SAMPLE_BYTES)
    except (OSError, EOFError) as error:
        raise InputError(f"the file cannot be read: {error}", where=path.name) from error
    if not head.strip().removeprefix(codecs.BOM_UTF8).strip():
        raise InputError("the file is empty", where=path.name, fix="export it again: even its header is missing")
    encoding = encoding or detect_encoding(head, path)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    lines = text.splitlines(keepends=True)
    if not text.strip("\ufeff \t\r\n"):
        raise InputError("the file is empty", where=path.name, fix="export it again: even its header is missing")
    if len(head) == SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    skipped, declared = 0, None
    if match := re.fullmatch(r"\ufeff?sep=(.)\s*", lines[0], re.IGNORECASE):
        skipped, declared = 1, match[1]  # the first line that Excel writes and reads
    delimiter, title_lines = _detect_delimiter(lines[skipped:], [declared] if declared else list(DELIMITERS))
    skipped += title_lines
    rows = list(_rows(lines[skipped:], delimiter))
    rows = [row for row in rows if row]
    if not rows:
        raise InputError("the file has no row", where=path.name, fix="export it again: even its header is missing")
    has_header = _first_row_is_header(rows)
    first = rows[0]
    names, notes = _column_names(first) if has_header else (tuple(f"col{i}" for i in range(len(first))), [])
    notes += _layout_notes(encoding, delimiter, title_lines)
    if not has_header:
        shown = ", ".join(first[:4]) + (", …" if len(first) > 4 else "")
        notes.append(
            f"no header: the first row ({shown}) reads like data, so the columns are named "
            f"col0 to col{len(first) - 1} and that row is counted"
        )
    sample = tuple(tuple(row) for row in rows[1 if has_header else 0 :] if len(row) == len(first))
    return Layout(encoding, delimiter, skipped, has_header, names, sample, tuple(notes))


def detect_encoding(head: bytes, path: Path) -> str:
    """The encoding that the first bytes show: a byte order mark, UTF-16 by its zeros, UTF-8, else Windows-1252."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = head.count(0)
    if zeros:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if odd > 0.3 * len(head) / 2 and even == 0:
            return "utf-16-le"
        if even > 0.3 * len(head) / 2 and odd == 0:
            return "utf-16-be"
        raise InputError(
            f"the file holds {zeros} NUL bytes in its first {len(head):,}",
            where=path.name,
            rule="a CSV file is text",
            fix="export it as CSV in UTF-8",
        )
    return "utf-8" if _is_utf8(head) else legacy_encoding(head)


def legacy_encoding(data: bytes) -> str:
    """Windows-1252, or Latin-1 for the five bytes that Windows-1252 leaves undefined."""
    return "latin-1" if any(byte in data for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)) else "cp1252"


def rewrite_as_utf8(path: Path, copy: Path, encoding: str) -> None:
    """Writes the file again as UTF-8 with one kind of line end, which DuckDB needs.

    Raises:
        InputError: a byte is not of that encoding, named with its line.
    """
    line = 1
    try:
        with (
            open_bytes(path) as stream,
            io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline=None) as source,
            copy.open("w", encoding="utf-8", newline="\n") as target,
        ):
            for text in source:
                target.write(text)
                line += 1
    except UnicodeError as error:
        raise InputError(
            f"line {line} or one soon after it is not {encoding} text ({error.__class__.__name__})",
            where=path.name,
            rule="one file has one encoding",
            fix="export it as CSV in UTF-8",
        ) from error
    except (OSError, EOFError) as error:
        raise InputError(f"the file cannot be read: {error}", where=path.name) from error


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < SAMPLE_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=False))
    except csv.Error:  # a field larger than the reader's limit: its delimiter is not this one
        return []


def _detect_delimiter(lines: list[str], candidates: list[str]) -> tuple[str, int]:
    """The delimiter that cuts most rows into the same number of fields, and the lines above the header.

    A line above the header has one field where the table has several; a blank line there counts too. A delimiter that
    needs no such lines is preferred: the header of a semicolon file is no title over decimal commas.
    """
    best: tuple[bool, float, int] = (False, 0.0, 1)
    found = (candidates[0] if len(candidates) == 1 else ",", 0)
    for delimiter in candidates:
        counts = [len(row) for row in _rows(lines, delimiter)]
        filled = [count for count in counts if count]
        if not filled:
            continue
        fields, times = Counter(filled).most_common(1)[0]
        title = next((i for i, count in enumerate(counts) if count > 1), 0)
        if title > LINES_ABOVE_HEADER or counts[title] != fields:
            title = 0
        body = sum(1 for count in counts[title:] if count)
        share = times / body if body else 0.0
        if fields > 1 and (title == 0, share, fields) > best:
            best, found = (title == 0, share, fields), (delimiter, title)
    return found


def _first_row_is_header(rows: list[list[str]]) -> bool:
    """False when the first row holds values: numbers or dates over more of the same, or a value seen again below."""
    first, rest = rows[0], rows[1:]
    if not any(cell.strip() for cell in first):
        return False
    columns = [[row[i] for row in rest if i < len(row) and row[i].strip()] for i in range(len(first))]
    above = [(cell.strip(), below) for cell, below in zip(first, columns, strict=True) if cell.strip()]
    if not any(_reads_as_value(cell) for cell, _ in above) and any(
        sum(_reads_as_value(value) for value in below) > 0.9 * len(below) > 0 for _, below in above
    ):
        return True  # words over numbers, whatever else is repeated below
    for i, cell in enumerate(first):
        below = [row[i] for row in rest if i < len(row) and row[i].strip()]
        for pattern in (_NUMBER, _DATE):
            if pattern.fullmatch(cell) and (
                not below or sum(bool(pattern.fullmatch(v)) for v in below) > len(below) / 2
            ):
                return False
        if cell.strip() and below.count(cell) > 0 and len(set(below)) < len(below):
            return False
    return True


def _reads_as_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or cell.strip() in MISSING)


def _column_names(header: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The header's names, trimmed, made unique and never blank; a sentence for each change."""
    names: list[str] = []
    notes: list[str] = []
    taken = {cell.strip().lower() for cell in header}
    for i, cell in enumerate(header):
        name = cell.strip().lstrip("\ufeff")
        if not name:
            name = f"column{i}"
            notes.append(f"column {i + 1} has no name in the header: it is called {name!r}")
        elif name.lower() in {used.lower() for used in names}:
            number = 1
            while f"{name}_{number}".lower() in taken:
                number += 1
            renamed = f"{name}_{number}"
            notes.append(f"the header names {name!r} twice: the column at position {i + 1} is called {renamed!r}")
            name = renamed
            taken.add(renamed.lower())
        names.append(name)
    return tuple(names), notes


def _layout_notes(encoding: str, delimiter: str, title_lines: int) -> list[str]:
    notes = []
    if encoding not in {"utf-8", "utf-8-sig"}:
        label = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}.get(encoding, encoding.upper())
        notes.append(f"encoding: {label}, read through a temporary UTF-8 copy")
    elif encoding == "utf-8-sig":
        notes.append("encoding: UTF-8 with a byte order mark")
    if delimiter != ",":
        notes.append(f"delimiter: {DELIMITERS.get(delimiter, repr(delimiter))}")
    if title_lines:
        notes.append(f"{title_lines} line{'s' if title_lines > 1 else ''} above the header skipped")
    return notes
