"""Making files survive a loss of power."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def sync_file(path: Path) -> None:
    """The file's bytes are on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file
"""The names in the folder are on the disk when this returns."""


def sync_files(paths: Iterable[Path]) -> None:
    """The files, and their names in their folders up to two levels, are on the disk when this returns."""
    folders: set[Path] = set()
    for path in paths:
        sync_file(path)
        folders.update((path.parent, path.parent.parent))
    for folder in folders:
        sync_folder(folder)
