"""One answer of a hot route, and the few ways to make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

Headers = list[tuple[bytes, bytes]]
JSON = b"application/json"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers beyond the common ones, and the whole body."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(status: int, value: Any, *headers: tuple[bytes, bytes]) -> Answer:
    """A JSON answer."""
    return Answer(status, _encode(value), JSON, headers)
