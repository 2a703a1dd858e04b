"""Reading once more with a fresh list of files, when a file of the old one is gone: compaction and cleaning go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def read_fresh(read: Callable[[], T]) -> T:
    """What `read` gives; asked once more when a file was gone. It takes its list of files itself.

    Cleaning keeps replaced files for an hour, erasure for no time at all. Whoever listed files before it may find one
    missing, and never twice in a row unless erasures follow each other.
    """
    try:
        return read()
    except Exception as error:
        if not _is_of_a_file_gone(error):
            raise
    return read()


def _is_of_a_file_gone(error: BaseException | None) -> bool:
    import duckdb

    while error is not None:
        if isinstance(error, FileNotFoundError | duckdb.IOException):
            return True
        error = error.__cause__
    return False
