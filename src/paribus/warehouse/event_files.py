"""The files of an event table at one version, and what identifies them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from paribus.warehouse.files import FileSet


@dataclass(frozen=True, slots=True)
class EventFiles(FileSet):
    """The files of a Delta table at one version, read as one relation."""

    table_id: str = ""
    version: int = 0

    @property
    def address(self) -> str:
        """All relations of the table have the same files."""
        return "lake"

    def fingerprint(self, base: Path, *, full: bool) -> dict[str, Any]:
        """Table id, version and the SHA-256 of every file: files of a Delta table are never rewritten in place."""
        shown = [
            {"path": (p.relative_to(base) if p.is_relative_to(base) else p).as_posix(), **_checksum(p)}
            for p in self.paths
        ]
        return {"kind": "delta", "table": self.table_id, "version": self.version, "files": shown}


def _checksum(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError:
        return {"size": None, "sha256": None}
    return {"size": status.st_size, "sha256": _digest(path, status.st_size, status.st_mtime_ns)}


@lru_cache(maxsize=65_536)  # size and time are what the memory goes by
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
