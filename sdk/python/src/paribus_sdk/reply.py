"""What the server answered, and how long to wait before the next try."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from paribus_sdk.fork import whole


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer; status 0 when there was none."""

    status: int
    body: Any = None
    retry_after: float | None = None
    trouble: str = ""


def jittered(seconds: float) -> float:
    """A random time between the half of `seconds` and all of it, so that many clients do not come back together."""
    return seconds * (0.5 + int.from_bytes(os.urandom(2), "big") / 131072)


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds to wait, from a Retry-After header in either of its forms; None when there is none that makes sense."""
    if not header:
        return None
    with contextlib.suppress(ValueError):
        return max(float(header), 0.0)
    with whole:
        from email.utils import parsedate_to_datetime
    with contextlib.suppress(ValueError, TypeError):
        at = parsedate_to_datetime(header)
        return max((at - datetime.now(UTC if at.tzinfo else None)).total_seconds(), 0.0)
    return None
