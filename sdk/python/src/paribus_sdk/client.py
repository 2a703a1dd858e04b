"""The client: decides flags, records exposures and events, and keeps both in touch with the server."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time as clock
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from paribus_sdk.breaker import Breaker, BreakerPolicy
from paribus_sdk.counters import Stats
from paribus_sdk.current import CurrentDefinitions
from paribus_sdk.decision import Decision, Outcome, Reason
from paribus_sdk.evaluator import Evaluator
from paribus_sdk.event import Event, moment
from paribus_sdk.exposure import EXPOSURE, ExposureLog, exposure_properties
from paribus_sdk.fork import watch
from paribus_sdk.request import current_request

if TYPE_CHECKING:
    from paribus_sdk.connection import Connection, Settings
    from paribus_sdk.explain import Explanation

BREAKER = "$breaker"
KINDS: dict[type, str] = {bool: "boolean", str: "string", int: "integer", float: "float", dict: "json", list: "json"}


class Client:
    """Decides flags from definitions held in memory; nothing it does on the caller's path waits for the network.

    Args:
        url: Address of the server; else the variable PARIBUS_URL.
        key: A key of scope *server*; else the variable PARIBUS_KEY.
        file: Definitions in a file: alone they are the only ones, beside a server they serve until it answers.
        cache_dir: Where the last good definitions and the spool live; else PARIBUS_CACHE_DIR, else the user's cache.
        poll_seconds: The longest time between two attempts to get definitions when the stream does not work.
        flush_seconds: How long an event waits for others before it is sent.
        spool_megabytes: The most that waits on disk for the server, in each process; 0 keeps events in memory only.
        queue_events: The most that waits in memory to be written to the spool.
        exposure_memory: How many exposures are remembered to be sent once only.
        timeout_seconds: The longest wait for an answer to one request.
        exit_seconds: The longest wait for the delivery of what is left when the process ends.
        breaker: When a failing variant is served as control.

    Raises:
        ValueError: Neither a server nor a file is named.
    """

    _settings: Settings
    _evaluate: Callable[..., Decision]
    _record: Callable[[Event], bool]
    _current: CurrentDefinitions
    _connection: Connection | None
    _forced: dict[tuple[str, str | int | None], str]
    _process: str
    _closed: bool

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        file: str | Path | None = None,
        cache_dir: str | Path | None = None,
        poll_seconds: float = 30.0,
        flush_seconds: float = 1.0,
        spool_megabytes: float = 64.0,
        queue_events: int = 100_000,
        exposure_memory: int = 50_000,
        timeout_seconds: float = 10.0,
        exit_seconds: float = 2.0,
        breaker: BreakerPolicy | None = None,
    ) -> None:
        from paribus_sdk.connection import Settings, default_cache

        url = url or os.environ.get("PARIBUS_URL")
        if not url and file is None:
            raise ValueError(
                "the client has neither a server nor a file of definitions; "
                "give url= (or PARIBUS_URL) and key= (or PARIBUS_KEY), or file="
            )
        self._settings = Settings(
            url=url or None,
            key=key or os.environ.get("PARIBUS_KEY"),
            file=Path(file) if file is not None else None,
            cache_dir=Path(cache_dir) if cache_dir is not None else default_cache(),
            poll_seconds=poll_seconds,
            flush_seconds=flush_seconds,
            spool_bytes=int(spool_megabytes * 1_000_000),
            queue_events=queue_events,
            timeout_seconds=timeout_seconds,
            exit_seconds=exit_seconds,
        )
        self._prepare(exposure_memory, breaker)
        self._connect()
        watch(self)
        atexit.register(self.close)

    def variant(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        default: str = "control",
    ) -> str:
        """The variant that the unit gets, and its exposure; `default` when there is no such flag."""
        variant = self.decide(flag, unit, context).variant
        return default if variant is None else variant

    def value(
        self, flag: str, default: Any, unit: str | int | None = None, context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value that the unit gets, and its exposure.

        The flag must be of the type of `default` (an integer flag may be read as a float); otherwise, and when there
        is no such flag, the answer is `default`. A `default` of None takes any type.
        """
        return self.decide(flag, unit, context, kind=KINDS.get(type(default)), default=default).value

    def decide(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        kind: str | None = None,
        default: Any = None,
    ) -> Decision:
        """The decision with its reason, and its exposure; never raises.

        Inside a request (see `paribus_sdk.middleware`) the unit and the context are the request's unless given.
        """
        request = current_request.get()
        if request is not None:
            if unit is None:
                unit = request.unit
            context = request.under(context)
        decision: Decision = self._evaluate(flag, unit, context, kind=kind, default=default)
        if self._forced or self._held:
            decision = self._adjusted(decision, unit, retry=True)
        outcome = decision.outcome
        exposure = (outcome.flag, decision.unit, outcome.assigned, outcome.served, outcome.revision)
        try:
            self._refresh(exposure)
            self._stats.exposures_deduplicated += 1
        except KeyError:
            self._expose(decision, exposure)
        except TypeError:
            self._stats.trouble("flag", f"the key of a flag is text, not {flag!r}")
        if request is not None and outcome.error_code is None:
            request.decisions[outcome.flag] = decision
        return decision

    def peek(
        self,
        flag: str,
        unit: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        kind: str | None = None,
        default: Any = None,
    ) -> Decision:
        """The decision that `decide` would make now, without an exposure."""
        request = current_request.get()
        if request is not None:
            unit = request.unit if unit is None else unit
            context = request.under(context)
        decision: Decision = self._evaluate(flag, unit, context, kind=kind, default=default)
        return self._adjusted(decision, unit, retry=False) if self._forced or self._held else decision

    def peek_all(
        self, unit: str | int | None = None, context: Mapping[str, Any] | None = None, client_only: bool = False
    ) -> list[Decision]:
        """Decisions of all flags, without exposures: for a page that renders with them and reports by itself."""
        evaluator = self._current.evaluator
        if evaluator is None:
            return []
        decisions = evaluator.evaluate_all(unit, context, client_only)
        if not (self._forced or self._held):
            return decisions
        return [self._adjusted(decision, unit, retry=False) for decision in decisions]

    def explain(
        self, flag: str, unit: str | int | None = None, context: Mapping[str, Any] | None = None
    ) -> Explanation | None:
        """Each step of the decision in sentences; None before definitions are there."""
        evaluator = self._current.evaluator
        return None if evaluator is None else evaluator.explain(flag, unit, context)

    def track(
        self,
        name: str,
        /,
        unit: str | int | None = None,
        time: datetime | float | str | None = None,
        *,
        unit_type: str = "user",
        user_id: str | None = None,
        anonymous_id: str | None = None,
        session_id: str | None = None,
        properties: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Records that something happened; returns at once.

        Args:
            name: Name of the event.
            unit: Whom it happened to; inside a request its unit, unless given.
            time: When, if not now: a datetime, milliseconds since 1970, or RFC 3339 text.
            unit_type: Kind of the unit.
            user_id: The known person.
            anonymous_id: The device or browser.
            session_id: The session.
            properties: Properties, for names that are no Python names or are taken by the arguments above.
            more: Properties.
        """
        if unit is None and (request := current_request.get()) is not None:
            unit = request.unit
        known = {"user_id": user_id, "anonymous_id": anonymous_id, "session_id": session_id}
        identity = {key: value for key, value in known.items() if value is not None}
        at = clock.time() if time is None else moment(time)
        body = {**properties, **more} if properties else more
        self._record(Event(name, at, next(self._sequence), unit_type, unit, body, identity or None))

    def identify(self, unit: str | int, anonymous_id: str | None = None, **traits: Any) -> None:
        """Records that an anonymous visitor is this person, and what is known of them (event `$identify`)."""
        self.track("$identify", unit, user_id=str(unit), anonymous_id=anonymous_id, properties=traits)

    def override(self, flag: str, unit: str | int | None, variant: str | None) -> None:
        """Gives `variant` to a unit (None: to everyone) in this process, reason OVERRIDE; a variant of None ends it."""
        if variant is None:
            self._forced.pop((flag, unit), None)
        else:
            self._forced[flag, unit] = variant

    def report(self, flag: str, variant: str, error: bool = False, seconds: float | None = None) -> None:
        """Tells the circuit breaker how a call with `variant` in force went. The middleware does this by itself."""
        control = self._current.controls.get(flag)
        if control is not None:
            self._breaker.report(flag, variant, control, error, seconds)

    def reset_breaker(self, flag: str, variant: str | None = None) -> None:
        """Serves a tripped variant (or all of the flag's) again, and forgets its trips."""
        self._breaker.reset(flag, variant)

    def on_change(self, callback: Callable[[frozenset[str]], None]) -> None:
        """Calls `callback` with the keys of the flags that changed, after each change, in the client's own thread."""
        self._current.callbacks.append(callback)

    def ready(self, timeout: float = 0.0) -> bool:
        """Whether there are definitions, waiting for them at most `timeout` seconds. Stale ones count."""
        return self._current.ready.wait(timeout)

    def flush(self, timeout: float = 5.0) -> bool:
        """Whether the server has everything recorded so far, trying for at most `timeout` seconds. Blocks."""
        return self._connection is None or self._connection.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Delivers what is left, for at most `timeout` seconds, and stops; what remains is sent by the next start."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self._connection is not None:
            self._record = self._connection.unsent
            self._connection.close(timeout)

    @property
    def stats(self) -> Stats:
        """What the client did, counted."""
        return self._stats

    @property
    def pending(self) -> int:
        """Events in the spool that the server does not have yet."""
        return 0 if self._connection is None else self._connection.pending

    @property
    def environment(self) -> str | None:
        """The environment of the definitions in use."""
        return self._current.snapshot.get("environment")

    @property
    def revision(self) -> int | None:
        """The revision of the definitions in use."""
        return self._current.snapshot.get("revision")

    @property
    def evaluator(self) -> Evaluator | None:
        """The evaluator in use; None before definitions are there."""
        return self._current.evaluator

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a forked child: starts anew, at the first use, with nothing of the parent's but the definitions."""
        if self._closed:
            return
        if self._connection is not None:
            self._connection.forked()
            self._connection = None
        self._stats.reset()
        self._process = os.urandom(8).hex()
        self._sequence = itertools.count(1)
        self._current.after_fork()
        self._exposures.after_fork()
        self._breaker.after_fork()
        waking = threading.Lock()

        def wake() -> None:
            with waking:
                if self._record is not record:
                    return
                self._evaluate = self._unready
                if self._current.evaluator is not None:
                    self._use(self._current.evaluator)
                if self._closed:
                    self._record = self._refuse
                else:
                    self._connect()

        def evaluate(*arguments: Any, **named: Any) -> Decision:
            wake()
            return self._evaluate(*arguments, **named)

        def record(event: Event) -> bool:
            wake()
            return self._record(event)

        self._evaluate, self._record = evaluate, record

    def _prepare(self, exposure_memory: int, breaker: BreakerPolicy | None) -> None:
        self._stats = Stats()
        self._process = os.urandom(8).hex()
        self._sequence = itertools.count(1)
        self._evaluate = self._unready
        self._current = CurrentDefinitions(self._stats, self._use)
        self._exposures = ExposureLog(exposure_memory)
        self._refresh = self._exposures.refresh
        self._breaker = Breaker(self._broke, breaker)
        self._held = self._breaker.held
        self._forced = {}
        self._connection = None
        self._closed = False

    def _connect(self) -> None:
        from paribus_sdk.connection import Connection

        self._connection = Connection(self._settings, self._current, self._stats, self._process, self._emit)
        self._record = self._connection.record

    def _use(self, evaluator: Evaluator) -> None:
        self._evaluate = evaluator.evaluate

    def _adjusted(self, decision: Decision, unit: str | int | None, retry: bool) -> Decision:
        flag, evaluator = decision.flag, self._current.evaluator
        if self._forced and evaluator is not None and decision.error_code is None:
            own = self._forced.get((flag, unit)) if isinstance(unit, (str, int)) else None
            variant = own or self._forced.get((flag, None))
            forced = evaluator.force(flag, unit, variant) if variant else None
            if forced is not None:
                return forced
        if self._held and decision.reason == Reason.SPLIT and self._breaker.refuses(flag, decision.assigned, retry):
            return decision.tripped()
        return decision

    def _expose(self, decision: Decision, exposure: tuple[Any, ...]) -> None:
        if decision.unit is None:
            self._stats.exposures_without_unit += 1
        elif self._exposures.add(exposure):
            self._stats.exposures += 1
            sequence = next(self._sequence)
            try:
                properties = exposure_properties(decision, self.environment, sequence)
                self._record(Event(EXPOSURE, clock.time(), sequence, decision.unit_type, decision.unit, properties))
            except Exception as error:  # noqa: BLE001  (a strange context must not stop a service)
                self._stats.trouble("exposure", f"the exposure of {decision.flag!r} cannot be recorded: {error!r}")
        else:
            self._stats.exposures_deduplicated += 1

    def _emit(self, name: str, properties: dict[str, Any]) -> bool:
        body = {**properties, "environment": self.environment}
        return self._record(Event(name, clock.time(), next(self._sequence), None, None, body))

    def _refuse(self, event: Event) -> bool:
        self._stats.unsent += 1
        return True

    def _broke(self, flag: str, variant: str, news: dict[str, Any]) -> None:
        revision = self._current.snapshot.get("flags", {}).get(flag, {}).get("revision")
        self._emit(BREAKER, {"flag": flag, "variant": variant, "revision": revision, **news})
        self._stats.trouble("breaker", f"{flag!r} variant {variant!r} is {news['state']}: {news['cause'] or 'retry'}")

    def _unready(
        self, flag: str, unit: object, context: object = None, *, kind: str | None = None, default: Any = None
    ) -> Decision:
        self._stats.decisions_unready += 1
        message = "there are no definitions yet"
        outcome = Outcome(flag, default, None, Reason.ERROR, error_code="PROVIDER_NOT_READY", error_message=message)
        usable = isinstance(unit, (str, int)) and not isinstance(unit, bool) and unit != ""
        return Decision(outcome, str(unit) if usable else None, {})
