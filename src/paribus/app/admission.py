"""What a door lets in with a new feature: a key that names files, and data that the caller may have read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from paribus.errors import AccessError, InputError

KEY = r"^[a-z0-9][a-z0-9-]{0,62}$"
LAKE = "lake"
SOURCES = "sources"
"""Folder in the data folder whose files any caller may name as a feature's source."""
_DATABASE = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)


def check_key(key: str | None) -> str | None:
    """The key, or None where one is to be made.

    Raises:
        InputError: it cannot be a key.
    """
    if key is not None and not re.match(KEY, key):
        made = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:63]
        raise InputError(
            f"{key[:80]!r} cannot be a feature's key",
            where="key",
            rule="lower-case letters, digits and dashes, at most 63, beginning with a letter or digit",
            fix=made or "one-click-checkout",
        )
    return key


def is_database(source: str) -> bool:
    """Whether a source is a database's URL."""
    return _DATABASE.match(source) is not None


def refuse_far(source: str, data: Path, allowed: Iterable[str] = ()) -> None:
    """Makes sure that a caller from afar names the lake, an allowed source, or a file below an allowed folder.

    Args:
        source: what the caller named.
        data: the data folder; files in its `sources` are always allowed.
        allowed: further sources, each a URL or a folder.

    Raises:
        AccessError: it is another's file or database.
    """
    if source in {LAKE, *allowed}:
        return
    if not is_database(source):
        path = Path(source).resolve()
        folders = [data / SOURCES, *(Path(each) for each in allowed if each != LAKE and not is_database(each))]
        if any(path.is_relative_to(folder.resolve()) for folder in folders):
            return
    raise AccessError(
        f"the source {source[:80]!r} is not one that may be read from here",
        authenticated=True,
        where="source",
        rule=f"the lake, or files in {data / SOURCES}; others are named by a person on the machine",
        fix="paribus feature new … --source, on the machine; or import the events into the lake",
    )
