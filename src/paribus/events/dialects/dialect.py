"""A dialect: one protocol of one vendor, from the request to the events and the answer its clients expect."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from paribus.errors import LimitError
from paribus.events.check import Tally, tally
from paribus.events.compile import CompiledPlan, PlanBook
from paribus.events.compression import inflate
from paribus.events.decode import decode_batch
from paribus.events.hygiene import Clean, Flaw, Unreadable, clean
from paribus.events.incoming import Batch, Incoming
from paribus.events.request import Answer, Checked, IntakeRequest, Rejection, Verdict
from paribus.lake.record import LandingRow, Quarantined, Record, microseconds

Routes = Mapping[str, frozenset[str]]
NO_EVENT = Flaw("null is no event", "each event is an object")
POST = frozenset({"POST"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What the vendor allows, in bytes after decompression, and events."""

    body_bytes: int = 5 * 1024 * 1024
    event_bytes: int = 1024 * 1024
    events: int = 10_000


@dataclass(frozen=True, slots=True)
class Opened:
    """A request's body as one JSON document that needs no request to be understood.

    `is_as_received` says that the received bytes, compressed or not, hold exactly this document.
    """

    document: bytes
    is_as_received: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer may tell: the request, the batch's fate, and its size after decompression."""

    request: IntakeRequest
    received: int
    taken: int
    rejected: tuple[Rejection, ...]
    size: int
    received_time: int
    problem: Unreadable | None = None
    quarantined: int = 0
    document: bytes = field(default=b"", repr=False)


class Dialect(ABC):
    """One intake protocol; without state, so that one instance serves all threads."""

    name: ClassVar[str]
    source_name: ClassVar[str | None] = None
    """First part of a record's source, where it is not the name."""
    routes: ClassVar[Routes] = {}
    """Methods by path, as at the vendor's root: without a trailing slash."""
    limits: ClassVar[Limits] = Limits()
    list_key: ClassVar[str | None] = None
    """Where the events stand in a top-level object."""
    is_trusted: ClassVar[bool] = False
    """Imports: any original time is allowed."""

    def accepts(self, request: IntakeRequest, route: str) -> bool:
        """Whether a request on one of its routes is of this dialect; asked where two dialects share a route."""
        return True

    @abstractmethod
    def key(self, request: IntakeRequest) -> str | None:
        """The API key the request brings, wherever the protocol puts it; None when it has none."""

    @abstractmethod
    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of a clean document; the same document always gives the same events.

        Raises:
            Unreadable: the document is not of this dialect.
        """

    def open(self, request: IntakeRequest) -> Opened:
        """The request's body as one JSON document.

        Raises:
            Unreadable: it cannot be unpacked.
            LimitError: it is too large.
        """
        return Opened(inflate(request.body, request.headers.get("content-encoding"), self.limits.body_bytes))

    def answer(self, outcome: Outcome) -> Answer:
        """The answer that satisfies the genuine clients."""
        status = 200 if outcome.problem is None else 400
        return Answer(status, msgspec.json.encode(summary(outcome)))

    def quiet(self, request: IntakeRequest) -> Answer | None:
        """The answer to a request that carries no events (flags, configuration); None when it carries some."""
        return None

    def check(self, request: IntakeRequest, plan: CompiledPlan) -> Checked:
        """Count, judge and answer a request; never raises, whatever the body.

        The answer may be sent once the row is durable.
        """
        received_time = microseconds(request.received_time)
        quiet = self.quiet(request)
        if quiet is not None:
            return Checked(self.name, 0, 0, 0, 0, (), b"", b"", plan.revision, received_time, quiet)
        try:
            opened = self.open(request)
            checked = clean(opened.document, self.list_key)
            batch = self.read(checked.document, checked.flaws)
            if len(batch.events) > self.limits.events:
                raise LimitError(f"{len(batch.events)} events", rule=f"at most {self.limits.events} events per request")
        except Unreadable as problem:
            return self._refused(request, plan, received_time, problem)
        except LimitError as error:
            return self._too_large(plan, received_time, error)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            unclear = Unreadable(f"not understood: {type(error).__name__}", "the body follows the protocol")
            return self._refused(request, plan, received_time, unclear)
        counted = tally(batch, plan, received_time, self.limits.event_bytes, is_trusted=self.is_trusted)
        return self._taken(request, plan, received_time, opened, checked, counted)

    def decode(self, row: LandingRow, plans: PlanBook, sources: Mapping[str, str]) -> Iterator[Record | Quarantined]:
        """The records of a landing row, the same at every call; rejected events give none."""
        document = inflate(row.body, None, None)
        batch = self.read(document, {})
        source = f"{self.source_name or self.name}:{sources.get(row.key_id, row.key_id)}"
        return decode_batch(batch, row, plans.at(row.key_id, row.plan_revision), source, is_trusted=self.is_trusted)

    def _taken(
        self,
        request: IntakeRequest,
        plan: CompiledPlan,
        received_time: int,
        opened: Opened,
        checked: Clean,
        counted: Tally,
    ) -> Checked:
        as_received = opened.is_as_received and checked.document is opened.document
        keeps_encoding = request.headers.get("content-encoding", "identity").strip().lower() in ("", "identity", "gzip")
        received = len(counted.verdicts)
        quarantined = counted.verdicts.count(Verdict.QUARANTINED)
        taken = received - len(counted.rejected)
        outcome = Outcome(
            request,
            received,
            taken,
            counted.rejected,
            len(opened.document),
            received_time,
            quarantined=quarantined,
            document=opened.document,
        )
        return Checked(
            dialect=self.name,
            received=received,
            accepted=taken - quarantined,
            unplanned=counted.verdicts.count(Verdict.UNPLANNED),
            quarantined=quarantined,
            rejected=counted.rejected,
            verdicts=counted.verdicts,
            body=request.body if as_received and keeps_encoding else checked.document,
            plan_revision=plan.revision,
            received_time=received_time,
            answer=self.answer(outcome),
        )

    def _refused(self, request: IntakeRequest, plan: CompiledPlan, received_time: int, problem: Unreadable) -> Checked:
        rejected = (Rejection(None, problem.what, problem.rule),)
        outcome = Outcome(request, 1, 0, rejected, len(request.body), received_time, problem)
        answer = self.answer(outcome)
        return Checked(self.name, 1, 0, 0, 0, rejected, b"", b"", plan.revision, received_time, answer)

    def _too_large(self, plan: CompiledPlan, received_time: int, error: LimitError) -> Checked:
        rejected = (Rejection(None, error.what, error.rule or ""),)
        answer = refusal(413, error.what)
        return Checked(self.name, 1, 0, 0, 0, rejected, b"", b"", plan.revision, received_time, answer)


def refusal(status: int, what: str, *, retry_after: float | None = None) -> Answer:
    """A refusal that clients of every dialect can read: no key, too often, too large, not durable now.

    Amplitude's read `code` and `error`, Segment's `code` and `message`, Mixpanel's `status` and `error`.
    """
    body = {"success": False, "status": 0, "code": status, "error": what, "message": what}
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    return Answer(status, msgspec.json.encode(body), headers=headers)


def route_of(request: IntakeRequest) -> str:
    """The path as at the vendor's root: without /intake/<dialect> and without a trailing slash."""
    path = request.path
    if path.startswith("/intake/"):
        path = "/" + path[len("/intake/") :].partition("/")[2]
    return path.rstrip("/") or "/"


def each_event(
    events: Sequence[Any], flaws: Mapping[int, Flaw], read: Callable[[Any, int], Incoming]
) -> list[Incoming | Flaw]:
    """The events read one by one; what cannot be read is a flaw of its own."""
    found: list[Incoming | Flaw] = []
    for index, event in enumerate(events):
        if event is None:
            found.append(flaws.get(index, NO_EVENT))
            continue
        try:
            found.append(read(event, index))
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            found.append(Flaw(shown(error), "each event follows the protocol"))
    return found


def shown(error: Exception) -> str:
    """The error in words that hold no value of the event."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if type(error) is ValueError:
        return str(error)
    return "not an event of the protocol"


def summary(outcome: Outcome) -> dict[str, object]:
    """The counts, as our own API answers them."""
    return {
        "accepted": outcome.taken - outcome.quarantined,
        "quarantined": outcome.quarantined,
        "rejected": [rejection.to_dict() for rejection in outcome.rejected],
    }
