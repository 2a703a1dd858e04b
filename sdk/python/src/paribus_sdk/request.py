"""The request that the current task or thread serves: its unit, its context, the variants in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from paribus_sdk.decision import Decision


class Request:
    """What a decision made inside a request need not be told, and what the request's log then says.

    Attributes:
        unit: Used where a call names no unit.
        context: Attributes under those that a call gives.
        time: When it happened, in seconds since 1970, if not now: exposures inside it carry this time.
        decisions: The latest exposed decision for each flag, in order of first use.
    """

    __slots__ = ("context", "decisions", "time", "unit")

    def __init__(
        self, unit: str | int | None = None, context: Mapping[str, Any] | None = None, time: float | None = None
    ) -> None:
        self.unit = unit
        self.context = context
        self.time = time
        self.decisions: dict[str, Decision] = {}

    def under(self, context: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The attributes of a call over those of the request."""
        if not self.context or not isinstance(context, Mapping):
            return context or self.context
        return {**self.context, **context}

    @property
    def variants(self) -> dict[str, str]:
        """The variant served, by flag."""
        return {flag: decision.served for flag, decision in self.decisions.items() if decision.served is not None}


current_request: ContextVar[Request | None] = ContextVar("paribus_request", default=None)


@contextmanager
def in_request(
    unit: str | int | None = None, context: Mapping[str, Any] | None = None, time: float | None = None
) -> Iterator[Request]:
    """A request of its own around a block: a worker's task, a command, a test; `time` for one that happened earlier."""
    request = Request(unit, context, time)
    token = current_request.set(request)
    try:
        yield request
    finally:
        current_request.reset(token)
