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

from paribus_sdk.breaker import BreakerPolicy
from paribus_sdk.decider import Decider
from paribus_sdk.decision import Decision
from paribus_sdk.event import Event, moment
from paribus_sdk.fork import watch
from paribus_sdk.request import current_request

if TYPE_CHECKING:
    from paribus_sdk.connection import Connection


class Client(Decider):
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
        clock: What time it is, in seconds since 1970; the system's time unless given.

    Raises:
        ValueError: Neither a server nor a file is named.
    """

    _connection: Connection | None
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
        clock: Callable[[], float] = clock.time,
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
            clock=clock,
        )
        super().__init__(exposure_memory, breaker, clock)
        self._connection = None
        self._closed = False
        self._connect()
        watch(self)
        atexit.register(self.close)

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
        context: Mapping[str, Any] | None = None,
        event_id: str | None = None,
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
            context: What was known around the event, such as the device; it goes into the event's context.
            event_id: Its id, if the caller has one: whatever is sent again under an id is one event. A new one without.
            more: Properties.
        """
        if unit is None and (request := current_request.get()) is not None:
            unit = request.unit
        known = {"user_id": user_id, "anonymous_id": anonymous_id, "session_id": session_id}
        identity = {key: value for key, value in known.items() if value is not None}
        at = self._clock() if time is None else moment(time)
        body = {**properties, **more} if properties else more
        sequence = next(self._sequence)
        self._record(Event(name, at, sequence, unit_type, unit, body, identity or None, context, event_id))

    def identify(self, unit: str | int, anonymous_id: str | None = None, **traits: Any) -> None:
        """Records that an anonymous visitor is this person, and what is known of them (event `$identify`)."""
        self.track("$identify", unit, user_id=str(unit), anonymous_id=anonymous_id, properties=traits)

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
    def pending(self) -> int:
        """Events in the spool that the server does not have yet."""
        return 0 if self._connection is None else self._connection.pending

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

    def _connect(self) -> None:
        from paribus_sdk.connection import Connection

        self._connection = Connection(self._settings, self._current, self._stats, self._process, self._emit)
        self._record = self._connection.record

    def _refuse(self, event: Event) -> bool:
        self._stats.unsent += 1
        return True
