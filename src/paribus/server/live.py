"""What the server needs from the running installation; `app` builds it, the server only speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from paribus.clock import Clock
from paribus.settings import Settings

if TYPE_CHECKING:
    from paribus.events.compile import CompiledPlan
    from paribus.governance.access import Principal
    from paribus.lake import Landing
    from paribus.store import Revision, Store

Json = dict[str, Any]


class Live(Protocol):
    """One running installation: its rooms, and the operations that need several of them.

    Methods answer with plain values that JSON can carry, and raise `ParibusError` subclasses only. Those that read
    the lake or write may block: the server calls them in a thread.
    """

    @property
    def store(self) -> Store: ...

    @property
    def landing(self) -> Landing: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def settings(self) -> Settings: ...

    def authenticate(self, secret: str) -> Principal:
        """Whose key this is. Raises AccessError with `authenticated` False."""

    def snapshot(self, project: str, environment: str) -> Json:
        """The definitions, format 1; the same object until something changed."""

    def plans(self, project: str, environment: str) -> CompiledPlan:
        """The tracking plan in force; the same object until something changed."""

    def write(
        self,
        project: str,
        kind: str,
        key: str,
        body: Json | None,
        *,
        author: str,
        reason: str,
        expected: int,
    ) -> Revision:
        """Checks a document and writes its next revision; body None deletes. Raises DefinitionError, Conflict."""

    def change(
        self,
        project: str,
        kind: str,
        key: str,
        step: Callable[[Json], Json],
        *,
        author: str,
        reason: str,
    ) -> Revision:
        """The document after one step, read and applied again when someone else wrote in between."""

    def tail(self, project: str, environment: str, limit: int) -> Sequence[Json]:
        """The events that arrived last, newest first, those still in the queue included."""

    def quarantine(self, project: str, environment: str, *, reason: str | None, after: str, limit: int) -> Json:
        """`{"items": […], "next": cursor or None, "reasons": {reason: count}}`."""

    def replay(self, project: str, environment: str, *, reason: str | None) -> Json:
        """Sends quarantined events through the plan in force again: `{"replayed": n, "still_quarantined": m}`."""

    def reconcile(self, project: str, environment: str) -> Json:
        """Received, accepted, quarantined, rejected, landed and distinct, and whether they add up."""

    def erase(self, ids: Sequence[str], *, request: str = "") -> Json:
        """Removes everything of these ids; the counts of what went."""

    def analyze(self, project: str, experiment: str, request: Mapping[str, Any]) -> Json:
        """The result document of an experiment, on what the lake holds now."""

    def checks(self) -> Mapping[str, str]:
        """Per part that must live (writer, queue, store): an empty text, or a sentence on what is wrong."""

    def gauges(self) -> Mapping[str, float]:
        """Numbers worth watching by name: queue depth and bytes, age of the oldest row, lag of the watermark."""
