"""A small shop's history as lines of a Segment export, and the exposures of a flag, with a fixed seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

END = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 28
FUNNEL = ("session_started", "product_viewed", "cart_item_added", "checkout_started", "payment_submitted")
FLAG = "one-click-checkout"


def history(users: int = 3000, seed: int = 11) -> Iterator[str]:
    """Lines of `users` who come on about four days each."""
    source = random.Random(seed)
    for i in range(users):
        context = {"device": source.choice(["mobile", "desktop"]), "returning": source.random() < 0.4}
        for _ in range(source.randrange(1, 8)):
            at = END - timedelta(days=DAYS) + timedelta(minutes=source.randrange(DAYS * 1440 - 60))
            yield from _visit(source, f"u{i}", at, context)


def exposures(users: int = 3000, seed: int = 12) -> Iterator[str]:
    """Exposures of half the users in the last week, split in two."""
    source = random.Random(seed)
    for i in range(0, users, 2):
        arm = source.choice(["control", "treatment"])
        at = END - timedelta(minutes=source.randrange(60, 7 * 1440))
        properties = {
            "flag": FLAG, "environment": "production", "assigned": arm, "served": arm, "reason": "SPLIT", "revision": 1,
            "epoch": 1, "traffic_bp": 10_000, "split_bp": 5_000, "probability": 0.5, "unit": f"u{i}",
            "unit_type": "user",
        }  # fmt: skip
        yield _line(f"u{i}", "$exposure", at, properties, {})


def _visit(source: random.Random, user: str, at: datetime, context: dict[str, Any]) -> Iterator[str]:
    price = round(source.uniform(5, 80), 2)
    properties: dict[str, dict[str, Any]] = {
        "session_started": {**context, "channel": source.choice(["organic", "ad", "email"])},
        "product_viewed": {"product": f"p{source.randrange(20)}", "price": price},
        "cart_item_added": {"product": f"p{source.randrange(20)}", "price": price, "quantity": 1},
        "checkout_started": {"items": 1, "value": price},
        "payment_submitted": {"method": source.choice(["card", "invoice"])},
    }
    for step, name in enumerate(FUNNEL):
        yield _line(user, name, at + timedelta(minutes=2 * step), properties[name], context)
        if source.random() > (0.8, 0.6, 0.6, 0.5, 0.9)[step]:
            return
    yield _line(user, "order_completed", at + timedelta(minutes=11), {"revenue": price, "items": 1}, context)
    if source.random() < 0.15:
        yield _line(user, "refund_requested", at + timedelta(hours=20), {"value": price}, context)


def _line(user: str, name: str, at: datetime, properties: dict[str, Any], context: dict[str, Any]) -> str:
    moment = at.isoformat().replace("+00:00", "Z")
    return json.dumps(
        {
            "type": "track", "event": name, "userId": user, "messageId": f"{user}-{name}-{moment}",
            "timestamp": moment, "originalTimestamp": moment, "sentAt": moment, "properties": properties,
            "context": context,
        }
    )  # fmt: skip
