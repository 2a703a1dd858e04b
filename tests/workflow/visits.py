"""A month of a small shop as a file of events: enough for the first step, in a second."""

from __future__ import annotations

import csv
import random
from pathlib import Path

STAGES = (
    ("session_started", 1.0),
    ("product_viewed", 0.8),
    ("cart_item_added", 0.6),
    ("checkout_started", 0.7),
    ("order_completed", 0.6),
)


def visits(path: Path, users: int = 300) -> Path:
    """Writes the events of so many users over 28 days; the file's path."""
    chance = random.Random(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event", "user_id", "time", "device", "price"])
        for user in range(users):
            device = chance.choice(["mobile", "desktop"])
            day = chance.randrange(28) + 1
            for minute, (event, share) in enumerate(STAGES):
                if chance.random() > share:
                    break
                price = 20 + chance.randrange(30) if event == "order_completed" else ""
                writer.writerow([event, f"u{user}", f"2026-10-{day:02d}T10:{minute:02d}:00Z", device, price])
    return path
