"""The events that every client is given: hostile texts, nesting, numbers at their limits, and enough to count."""

from __future__ import annotations

import time
import uuid
from typing import Any

COUNT = 130
"""Events of a run: more than one batch of 100."""
TEXTS = {
    "note": 'naïve — 漢字 🎈 "quoted" \\ / \n\t<script>',
    "empty": "",
    "key with spaces & = %": "a+b=c&d%20",
}
NUMBERS = {"large": 9007199254740991, "small": 1e-9, "negative": -0.25, "zero": 0, "revenue": 31.5}
NESTED = {
    "items": [{"sku": "a-1", "count": 2, "gift": False}, {"sku": "ü", "count": 1, "gift": True}],
    "nothing": None,
    "deep": {"a": {"b": {"c": [1, [2, [3]]]}}},
}


def purchases(count: int = COUNT) -> list[dict[str, Any]]:
    """Events with id, name, user, anonymous id, time in milliseconds and properties; an hour old, a second apart."""
    start = int(time.time() * 1000) - 3_600_000
    return [
        {
            "id": str(uuid.uuid4()),
            "name": "Order Completed" if number % 3 else "order_begun",
            "user": f"user-{number % 7}",
            "anonymous": f"device-{number % 11}",
            "time": start + number * 1001,
            "properties": {"number": number} | (TEXTS, NUMBERS, NESTED)[number % 3],
        }
        for number in range(count)
    ]
