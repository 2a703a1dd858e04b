"""Form bodies and base64, as browser libraries of analytics vendors send them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import parse_qsl

from paribus.events.hygiene import Unreadable

_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form body; the first value of a field that stands twice.

    Raises:
        Unreadable: no form, or more than 50 fields.
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise Unreadable("not a form", "application/x-www-form-urlencoded, at most 50 fields") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def decode_base64(text: str | bytes) -> bytes:
    """The bytes of standard or URL-safe base64, with or without padding.

    Raises:
        Unreadable: it is not base64.
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    raw = raw.strip().replace(b" ", b"+").translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("not base64", "base64 of JSON") from None


def json_or_base64(text: str) -> bytes:
    """JSON text as bytes; a text that starts as no JSON is taken for base64.

    Raises:
        Unreadable: it is neither.
    """
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        return stripped.encode("utf-8", "surrogatepass")
    return joined_surrogates(decode_base64(stripped))


def joined_surrogates(document: bytes) -> bytes:
    r"""The document in UTF-8, where a surrogate pair was written as two characters (CESU-8, by mixpanel-browser).

    >>> joined_surrogates(b"\xed\xa0\xbc\xed\xbe\x88").decode()
    '🎈'
    """
    if _SURROGATE.search(document) is None:
        return document
    try:
        units = document.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le").encode()
    except UnicodeError:  # half a pair, or no text at all: refused where the body is read
        return document


def as_list(document: bytes) -> bytes:
    """A JSON document as the text of a list: an object becomes a list of one."""
    stripped = document.removeprefix(b"\xef\xbb\xbf").strip()
    if stripped.startswith(b"{") and stripped.endswith(b"}"):
        return b"[" + stripped + b"]"
    if stripped.startswith(b"[") and stripped.endswith(b"]"):
        return stripped
    raise Unreadable("neither an object nor a list", "events are JSON objects")
