"""Bodies unpacked within a limit, so that a small body cannot become a huge one."""

from __future__ import annotations

import zlib

from paribus.errors import LimitError
from paribus.events.hygiene import Unreadable

GZIP_MAGIC = b"\x1f\x8b"


def inflate(body: bytes, encoding: str | None, limit: int | None) -> bytes:
    """The body without its compression; gzip is recognized by its first bytes too.

    Args:
        body: as received.
        encoding: the request's Content-Encoding.
        limit: most bytes after decompression; None for bodies that were checked before.

    Raises:
        LimitError: longer than the limit.
        Unreadable: an unknown encoding, or damaged.
    """
    name = (encoding or "identity").strip().lower()
    if body[:2] == GZIP_MAGIC:
        return _inflate(body, 31, limit)
    if name == "deflate":
        return _inflate(body, 15 if body[:1] and body[0] & 0x0F == 8 else -15, limit)
    if name not in ("identity", "", "gzip", "x-gzip"):
        raise Unreadable(f"content encoding {name[:40]!r}", "gzip, deflate or none")
    if limit is not None and len(body) > limit:
        raise _too_large(limit)
    return body


def _inflate(body: bytes, window: int, limit: int | None) -> bytes:
    try:
        if limit is None:
            return zlib.decompress(body, window)
        machine = zlib.decompressobj(window)
        data = machine.decompress(body, limit + 1)
    except zlib.error:
        raise Unreadable("compressed body is damaged", "gzip or deflate, complete") from None
    if len(data) > limit or machine.unconsumed_tail:
        raise _too_large(limit)
    if not machine.eof:
        raise Unreadable("compressed body is cut off", "gzip or deflate, complete")
    if machine.unused_data:
        raise Unreadable("something follows the compressed body", "one gzip member")
    return data


def _too_large(limit: int) -> LimitError:
    return LimitError(
        "the body is too large", rule=f"at most {limit} bytes after decompression", fix="send smaller batches"
    )
