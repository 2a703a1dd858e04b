"""Requests to a server on this machine."""

from __future__ import annotations

import ssl
from typing import TypedDict
from urllib.parse import urlsplit

HERE = {"127.0.0.1", "::1", "localhost"}


class Options(TypedDict, total=False):
    """Arguments of httpx's requests."""

    verify: ssl.SSLContext
    trust_env: bool


def options(url: str) -> Options:
    """How httpx reaches a URL: over plain HTTP on this machine by no proxy, and without loading certificates (.1 s)."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in HERE:
        return {}
    return {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "trust_env": False}
