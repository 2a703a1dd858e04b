"""Which files a relation names: one file, a glob, or a folder (partitioned as key=value or not)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob, has_magic
from pathlib import Path
from typing import Any, Literal

from paribus.errors import InputError, did_you_mean

FileFormat = Literal["csv", "parquet", "json"]

SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
HASHED_ALWAYS = 100_000_000  # bytes: beyond this a SHA-256 is computed only when asked (contracts.md, fingerprints)


@dataclass(frozen=True, slots=True)
class FileSet:
    """The files that one relation reads, all of one format. `is_partitioned`: folders named key=value are columns."""

    relation: str
    format: FileFormat
    paths: tuple[Path, ...]
    is_partitioned: bool = False

    @property
    def address(self) -> str:
        """Under which name the files stand in a fingerprint."""
        return self.relation

    def fingerprint(self, base: Path, *, full: bool) -> dict[str, Any]:
        return {"kind": "files", "files": [_file_fingerprint(path, base, full) for path in self.paths]}


def looks_like_file(relation: str) -> bool:
    """True for a relation that is written as a path, a glob or a file name rather than a table's name."""
    return has_magic(relation) or "/" in relation or "\\" in relation or _format_of(Path(relation)) is not None


def is_text_file(relation: str) -> bool:
    """True for the name of CSV or JSON files, which every statement parses anew, all columns of them."""
    return _format_of(Path(relation)) in {"csv", "json"}


def resolve_files(relation: str, base: Path) -> FileSet | None:
    """The files behind a relation, None when nothing on disk has that name and it is not written like a file.

    Raises:
        InputError: the file is missing, the folder or glob is empty, formats are mixed, or the format is not readable.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", relation, re.IGNORECASE):
        raise InputError(
            f"{relation!r} is an address on a network",
            where=relation,
            rule="files are read from this machine only",
            fix="download it first, or name a database with `connection`",
        )
    path = base / Path(relation).expanduser()
    if path.is_file():
        return FileSet(relation, _readable_format(path, relation), (path,))
    if path.is_dir():
        found = sorted(_files_below(path))
        return _one_format(relation, found, path)
    if has_magic(relation):
        matches = (Path(name) for name in glob(str(path), recursive=True))
        files = sorted(f for f in matches if f.is_file() and not f.name.startswith((".", "_")))
        if not files:
            raise InputError(
                f"no file matches {relation!r}",
                where=relation,
                rule=f"a glob starts from {base.resolve()}",
                fix=_nearest(path, relation),
            )
        return _one_format(relation, files, path)
    if not looks_like_file(relation):
        return None
    raise InputError(
        f"there is no file {relation!r}",
        where=relation,
        rule=f"a path starts from {base.resolve()}",
        fix=_nearest(path, relation),
    )


def names_of_files(base: Path) -> list[str]:
    """Readable files directly in a folder, for suggestions."""
    if not base.is_dir():
        return []
    return sorted(entry.name for entry in base.iterdir() if entry.is_file() and _format_of(entry) is not None)


def _nearest(path: Path, relation: str) -> str:
    folder = path.parent
    while has_magic(str(folder)) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"the folder {str(Path(relation).parent)!r} does not exist"
    names = names_of_files(folder)
    return did_you_mean(path.name, names) if names else "the folder holds no CSV, Parquet or JSON file"


def _files_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and _format_of(path) is not None:
            yield path


def _one_format(relation: str, files: list[Path], root: Path) -> FileSet:
    if not files:
        raise InputError(
            f"the folder {relation!r} holds no data file",
            where=relation,
            rule=f"data files end in {', '.join(sorted(SUFFIXES))}, also with .gz",
            fix="name the folder that holds the files",
        )
    formats = {_readable_format(file, relation) for file in files}
    if len(formats) > 1:
        raise InputError(
            f"{relation!r} mixes files of several formats: {', '.join(sorted(formats))}",
            where=relation,
            rule="one relation is read by one reader",
            fix=f"use a glob such as {str(Path(relation) / '**' / '*.parquet')!r}",
        )
    anchor = root
    while has_magic(str(anchor)):
        anchor = anchor.parent
    partitioned = all(any("=" in part for part in file.relative_to(anchor).parts[:-1]) for file in files)
    return FileSet(relation, formats.pop(), tuple(files), partitioned)


def _format_of(path: Path) -> FileFormat | None:
    name = path.name.lower().removesuffix(".gz")
    return SUFFIXES.get(Path(name).suffix)


def _readable_format(path: Path, relation: str) -> FileFormat:
    """By suffix, then by the first bytes; formats that a person may try get a sentence of their own."""
    with path.open("rb") as stream:
        head = stream.read(16)
    instead = None
    if head.startswith(b"SQLite format 3"):
        instead = f"an SQLite database: use the connection sqlite:///{relation} and name its table"
    elif head[8:12] == b"DUCK":
        instead = f"a DuckDB database: use the connection duckdb:///{relation} and name its table"
    elif head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        instead = "a zip archive or a spreadsheet: unpack it, or save it as CSV"
    elif head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
        instead = "a document or a picture: save its table as CSV"
    elif head.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        instead = "a web page or XML (often what a server answers to who is not signed in): export the table as CSV"
    elif _format_of(path) == "parquet" and head and not head.startswith(b"PAR1"):
        instead = "named like Parquet and holds something else: rename it after what it is, such as .csv"
    elif head.startswith((b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")):
        instead = "compressed in a way that is not read: decompress it, or use gzip"
    elif path.name.lower().endswith(".gz") != head.startswith(b"\x1f\x8b") and head:
        instead = "named .gz and not compressed by gzip, or the reverse: rename it"
    if instead is not None:
        raise InputError(
            f"{path.name} cannot be read as a table",
            where=relation,
            rule="readable: CSV, TSV, Parquet, JSON lines, each also with .gz",
            fix=f"it is {instead}",
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    return _format_of(path) or ("json" if head.lstrip().startswith((b"{", b"[")) else "csv")


def _file_fingerprint(path: Path, base: Path, full: bool) -> dict[str, Any]:
    status = path.stat()
    digest = None
    if full or status.st_size < HASHED_ALWAYS:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    shown = path.relative_to(base) if path.is_relative_to(base) else path
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    return {"path": shown.as_posix(), "size": status.st_size, "modified": modified, "sha256": digest}
