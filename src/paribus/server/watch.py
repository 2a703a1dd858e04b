"""Definitions as this process serves them: compiled once per change, announced to those who listen.

One thread per project waits at the store, so a request never asks the store for anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from paribus.server.live import Live

if TYPE_CHECKING:
    from paribus_sdk import Evaluator
    from paribus_sdk.decision import Outcome

    from paribus.events.compile import CompiledPlan

WAIT_SECONDS = 0.25
log = structlog.get_logger("paribus.server")


@dataclass(frozen=True, slots=True)
class Published:
    """One state of an environment's definitions."""

    snapshot: Mapping[str, Any]
    evaluator: Evaluator
    body: bytes
    """The snapshot as JSON."""
    etag: bytes
    """Strong, of the body, with its quotes."""
    revision: int
    time_ms: int
    """When this state was first served, epoch milliseconds."""
    for_clients: frozenset[str]
    """Flags that client keys may see."""
    floats: frozenset[str]
    """Flags whose values are written with a decimal point."""
    answers: dict[int, bytes] = field(default_factory=dict)
    """OFREP answers already written out, by identity of their outcome."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Those outcomes, held so that their identities stay theirs."""


class Listener:
    """Somebody who wants to know; keeps the newest state only, so that a slow one skips and never piles up."""

    __slots__ = ("_changed", "_state")

    def __init__(self, state: Published) -> None:
        self._state: Published | None = state
        self._changed = asyncio.Event()
        self._changed.set()

    def tell(self, state: Published | None) -> None:
        """A new state, or None: the end."""
        self._state = state
        self._changed.set()

    async def next(self) -> Published | None:
        """The newest state not yet seen; None when there will be no more."""
        await self._changed.wait()
        self._changed.clear()
        return self._state


class Watch:
    """One environment's current definitions and their listeners."""

    def __init__(self, current: Published, plan: CompiledPlan) -> None:
        self.current = current
        self.plan = plan
        """The tracking plan in force."""
        self._listeners: set[Listener] = set()

    def listen(self) -> Listener:
        """A listener that is told of the current state at once."""
        listener = Listener(self.current)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Ends a listener's interest."""
        self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(self, state: Published) -> None:
        """Serves a new state from now on; one that is older than the current is ignored."""
        before = self.current
        if state.revision < before.revision:
            return
        self.current = state
        if state.etag != before.etag:
            for listener in self._listeners:
                listener.tell(state)

    def end(self) -> None:
        """Tells every listener that the server stops."""
        for listener in self._listeners:
            listener.tell(None)


class Watches:
    """All environments in use; each project has one waiting thread."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._watches: dict[tuple[str, str], Watch] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = asyncio.Lock()
        self._stopping = threading.Event()

    def known(self, project: str, environment: str) -> Watch | None:
        """The watch, if this environment was asked for before."""
        return self._watches.get((project, environment))

    async def get(self, project: str, environment: str) -> Watch:
        """The watch, started when it is the first of its environment."""
        found = self._watches.get((project, environment))
        if found is not None:
            return found
        async with self._lock:
            found = self._watches.get((project, environment))
            if found is None:
                state = await asyncio.to_thread(self._published, project, environment)
                plan = await asyncio.to_thread(self._live.plans, project, environment)
                found = self._watches[project, environment] = Watch(state, plan)
                self._start(project, asyncio.get_running_loop())
            return found

    async def refresh(self, project: str) -> None:
        """Serves what the store holds now: whoever has just written reads the own write."""
        await asyncio.to_thread(self._renew, project, asyncio.get_running_loop())
        await asyncio.sleep(0)  # lets what the thread handed to the loop be published first

    def listeners(self) -> int:
        """Open streams of all environments."""
        return sum(watch.listeners for watch in self._watches.values())

    def end(self) -> None:
        """Ends all streams and waiting threads; nothing is lost, clients come back."""
        self._stopping.set()
        for watch in self._watches.values():
            watch.end()

    async def stopped(self) -> None:
        """Returns when no thread reads the store any more."""
        self.end()
        for thread in self._threads.values():
            await asyncio.to_thread(thread.join, 2 * WAIT_SECONDS)

    def _start(self, project: str, loop: asyncio.AbstractEventLoop) -> None:
        if project not in self._threads:
            thread = threading.Thread(
                target=self._wait, args=(project, loop), name=f"paribus-watch-{project}", daemon=True
            )
            self._threads[project] = thread
            thread.start()

    def _wait(self, project: str, loop: asyncio.AbstractEventLoop) -> None:
        seen = 0
        while not self._stopping.is_set():
            try:
                seen = self._live.store.wait(project, seen, WAIT_SECONDS)
                self._renew(project, loop)
            except Exception as error:  # noqa: BLE001  # the last good definitions stay in force
                log.error("definitions_not_read", project=project, error=str(error))
                self._stopping.wait(WAIT_SECONDS)

    def _renew(self, project: str, loop: asyncio.AbstractEventLoop) -> None:
        for (owner, environment), watch in list(self._watches.items()):
            if owner != project:
                continue
            watch.plan = self._live.plans(project, environment)
            if self._live.snapshot(project, environment) is watch.current.snapshot:
                continue
            state = self._published(project, environment)
            if not loop.is_closed():
                loop.call_soon_threadsafe(watch.publish, state)

    def _published(self, project: str, environment: str) -> Published:
        from paribus_sdk import Evaluator

        snapshot = self._live.snapshot(project, environment)
        body = msgspec.json.encode(snapshot)
        return Published(
            snapshot=snapshot,
            evaluator=Evaluator(snapshot),
            body=body,
            etag=b'"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode(),
            revision=int(snapshot["revision"]),
            time_ms=int(self._live.clock().timestamp() * 1000),
            for_clients=_keys(snapshot, "client", True),
            floats=_keys(snapshot, "type", "float"),
        )


def _keys(snapshot: Mapping[str, Any], field_name: str, value: object) -> frozenset[str]:
    flags = snapshot["flags"].items()
    return frozenset(key for key, flag in flags if isinstance(flag, Mapping) and flag.get(field_name) == value)
