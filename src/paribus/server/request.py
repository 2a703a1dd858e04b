"""A request of a hot route: headers by name, the key it carries, the body within its limits."""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from paribus.errors import LimitError
from paribus.server.problem import MalformedRequest, UnsupportedEncoding

BODY_SECONDS = 60
"""A body that comes in pieces must be complete after this."""
_decode = msgspec.json.Decoder().decode
_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}  # 47: zlib or gzip, whichever the bytes announce


class Disconnected(Exception):  # an event, caught by the application, never an answer
    """The client went away before its body had arrived."""


class Request:
    """One HTTP request, read lazily."""

    __slots__ = ("_query", "_receive", "headers", "method", "path", "scope")

    def __init__(self, scope: MutableMapping[str, Any], receive: Any) -> None:
        self.scope = scope
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._query: dict[str, str] | None = None

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the URL; of a repeated one the first."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            try:
                parsed = parse_qs(text, keep_blank_values=True, max_num_fields=100) if text else {}
            except ValueError as error:
                raise MalformedRequest("the URL has too many parameters", rule="at most 100") from error
            self._query = {name: values[0] for name, values in parsed.items()}
        return self._query

    def secret(self, *, in_query: bool = False) -> str | None:
        """The API key: Bearer, the user of Basic, X-API-Key, or `?key=` where a browser cannot set headers."""
        headers = self.headers
        given = headers.get(b"authorization")
        if given is not None:
            scheme, _, rest = given.partition(b" ")
            kind = scheme.lower()
            if kind == b"bearer":
                return rest.strip().decode("latin-1")
            if kind == b"basic":
                return _basic_user(rest)
        plain = headers.get(b"x-api-key")
        if plain is not None:
            return plain.decode("latin-1")
        return self.query.get("key") if in_query and self.scope["query_string"] else None

    async def receive(self) -> dict[str, Any]:
        """The next message of the connection."""
        message: dict[str, Any] = await self._receive()
        return message

    async def raw_body(self, limit: int) -> bytes:
        """The body as sent. Raises LimitError before reading when the announced length is over the limit."""
        announced = self.headers.get(b"content-length")
        if announced is not None and announced.isdigit() and int(announced) > limit:
            raise too_large(limit)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > limit:
                raise too_large(limit)
            return body
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._rest(body, limit)
        except TimeoutError as error:
            raise MalformedRequest("the body did not arrive", where="body", rule=f"{BODY_SECONDS} seconds") from error

    async def _rest(self, first: bytes, limit: int) -> bytes:
        parts = [first]
        size = len(first)
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise too_large(limit)
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def body(self, limit: int) -> bytes:
        """The body, unpacked; a bomb stops at the limit."""
        raw = await self.raw_body(limit)
        encoding = self.headers.get(b"content-encoding")
        return raw if encoding is None else inflated(raw, encoding, limit)

    async def json_object(self, limit: int) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object."""
        body = await self.body(limit)
        if not body:
            return {}
        try:
            value = _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise MalformedRequest(f"the body is not JSON: {error}", where="body") from error
        if not isinstance(value, dict):
            raise MalformedRequest("the body is not a JSON object", where="body")
        return value


def inflated(raw: bytes, encoding: bytes, limit: int) -> bytes:
    """The unpacked bytes, never more than the limit.

    Raises:
        LimitError: it unpacks to more.
        MalformedRequest: it is damaged or cut short.
        UnsupportedEncoding: neither gzip nor deflate.
    """
    name = encoding.strip().lower()
    if name in {b"", b"identity"}:
        return raw
    if name not in _WINDOW:
        raise UnsupportedEncoding(
            f"the encoding {encoding.decode('latin-1')!r} is not known here", rule="gzip, deflate or none"
        )
    unpacker = zlib.decompressobj(_WINDOW[name])
    try:
        body = unpacker.decompress(raw, limit + 1)
    except zlib.error as error:
        raise MalformedRequest(f"the body is not {name.decode()}: {error}", where="body") from error
    if len(body) > limit:
        raise too_large(limit)
    if not unpacker.eof:
        raise MalformedRequest(f"the {name.decode()} body is cut short", where="body")
    return body


def too_large(limit: int) -> LimitError:
    """The refusal of a body over the limit, in bytes."""
    return LimitError("the body is too large", where="body", rule=f"at most {limit:,} bytes, unpacked")


def _basic_user(encoded: bytes) -> str | None:
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return pair.partition(":")[0] or None
