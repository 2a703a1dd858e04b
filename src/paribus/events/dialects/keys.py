"""Where a request brings its API key."""

from __future__ import annotations

import base64
import binascii

import msgspec

from paribus.events.request import IntakeRequest


def bearer_key(request: IntakeRequest) -> str | None:
    """The key in `Authorization: Bearer`, `X-API-Key`, or `?key=`."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("x-api-key") or request.query.get("key")


def basic_user(request: IntakeRequest) -> str | None:
    """The user name in `Authorization: Basic`."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text.partition(":")[0] or None


class _Keys(msgspec.Struct):
    writeKey: str | None = None  # noqa: N815  # the vendor's spelling
    api_key: str | None = None
    token: str | None = None


_read_keys = msgspec.json.Decoder(_Keys).decode


def body_key(document: bytes) -> str | None:
    """The key in the fields `writeKey`, `api_key` or `token` of a JSON object."""
    try:
        keys = _read_keys(document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return keys.writeKey or keys.api_key or keys.token
