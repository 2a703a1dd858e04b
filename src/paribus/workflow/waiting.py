"""A step that has to let time pass, or that waits for something outside."""

from __future__ import annotations

from datetime import datetime


class Waiting(Exception):
    """Raised by a step that cannot go on now; the run is resumed at `until`, or when somebody runs it again."""

    def __init__(self, why: str, *, until: datetime | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.until = until
