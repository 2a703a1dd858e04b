"""The one spelling of a body, its hash, and the link from one revision to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from paribus.errors import InputError, LimitError

LARGEST_BODY = 4_000_000  # bytes of canonical text
DEEPEST_BODY = 40  # what marked YAML reads, too
FIRST_LINK = "0" * 64
_SAFE_INTEGER = 2**53 - 1


def canonical_text(value: Any, where: str) -> str:
    """The JSON text of RFC 8785: equal values have one spelling.

    Raises:
        InputError: a value is not JSON (NaN, an integer beyond 2^53, a date, a key that is not text, broken Unicode).
        LimitError: nested more than 40 deep or longer than 4 MB.
    """
    import rfc8785

    _bound_depth(value, where)
    try:
        text = rfc8785.dumps(value)
    except ValueError as error:
        raise InputError(
            f"the document holds a value that JSON cannot carry: {error}",
            where=where,
            rule="text, true, false, null, finite numbers, integers up to 2^53, lists, and mappings with text keys",
            fix="write dates and large integers as text",
        ) from error
    if len(text) > LARGEST_BODY:
        raise LimitError(
            f"the document has {len(text):,} bytes",
            where=where,
            rule=f"a document has at most {LARGEST_BODY:,} bytes",
            fix="split it, or keep bulk data in the lake",
        )
    return text.decode()


def body_of(text: str) -> dict[str, Any] | None:
    """The plain values of a canonical text; integers beyond 2^53 come back as the floats they were."""
    body: dict[str, Any] | None = json.loads(text, parse_int=_number)
    return body


def text_hash(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits.

    >>> text_hash("null")
    '74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def link(previous: str, fields: Mapping[str, Any]) -> str:
    """The chain value of a revision: SHA-256 of the RFC 8785 text of one list.

    The list is [previous chain, project, kind, key, revision number, body hash, author, time, reason]; a list, so that
    no two rows of fields read the same when put end to end. The first revision's previous chain is 64 zeros.
    """
    import rfc8785

    names = ("project", "kind", "key", "number", "body_hash", "author", "time", "reason")
    return hashlib.sha256(rfc8785.dumps([previous, *(fields[name] for name in names)])).hexdigest()


def instant_text(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the spelling that is hashed.

    >>> instant_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000000Z'
    """
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_of(text: str) -> datetime:
    """The time that `instant_text` wrote."""
    return datetime.fromisoformat(text)


def _number(digits: str) -> int | float:
    number = int(digits)
    return number if -_SAFE_INTEGER <= number <= _SAFE_INTEGER else float(digits)


def _bound_depth(value: Any, where: str) -> None:
    level = [value]
    for _ in range(DEEPEST_BODY):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(v for v in item.values() if isinstance(v, dict | list | tuple))
            elif isinstance(item, list | tuple):
                inner.extend(v for v in item if isinstance(v, dict | list | tuple))
        if not inner:
            return
        level = inner
    raise LimitError(
        f"the document is nested more than {DEEPEST_BODY} deep", where=where, fix="write the document flatter"
    )
