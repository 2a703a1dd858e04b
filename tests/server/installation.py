"""A running installation of real rooms in one folder: store, keys, landing queue and evaluator, without a lake."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from paribus.app import definition
from paribus.clock import Clock, system_clock
from paribus.errors import NotFound
from paribus.events.compile import CompiledPlan, PlanBook, compile_plan
from paribus.events.dialects import dialect_named
from paribus.flags import change
from paribus.governance import access
from paribus.lake.landing import Landing
from paribus.lake.record import Quarantined
from paribus.server import create_app
from paribus.server.application import Application
from paribus.server.serve import Server
from paribus.settings import Settings
from paribus.store import Address, Revision, Store, open_store

Json = dict[str, Any]
PROJECT, ENVIRONMENT = "default", "dev"
FLAG_KINDS = {"flag", "audience", "layer", "holdout"}


@dataclass
class Installation:
    """Satisfies `paribus.server.live.Live`."""

    store: Store
    landing: Landing
    settings: Settings = field(default_factory=Settings)
    clock: Clock = system_clock
    plan: Json | None = None
    _snapshots: dict[str, tuple[int, Json]] = field(default_factory=dict)
    _plan: CompiledPlan | None = None

    def authenticate(self, secret: str) -> access.Principal:
        return access.authenticate(self.store, secret)

    def snapshot(self, project: str, environment: str) -> Json:
        position = self.store.position(project)
        known = self._snapshots.get(environment)
        if known is None or known[0] != position:
            known = (position, definition.snapshot(self.store, project, environment))
            self._snapshots[environment] = known
        return known[1]

    def plans(self, project: str, environment: str) -> CompiledPlan:
        if self._plan is None:
            self._plan = compile_plan(self.plan, revision=1 if self.plan else 0, environment=environment)
        return self._plan

    def write(
        self, project: str, kind: str, key: str, body: Json | None, *, author: str, reason: str, expected: int
    ) -> Revision:
        if body is not None and kind in FLAG_KINDS:
            return definition.write(
                self.store, kind, key, body, expected=expected, author=author, reason=reason, project=project
            )
        return self.store.put(Address(project, kind, key), body, author=author, reason=reason, expected=expected)

    def change(
        self, project: str, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str
    ) -> Revision:
        return definition.change(self.store, kind, key, step, author=author, reason=reason, project=project)

    def tail(self, project: str, environment: str, limit: int) -> Sequence[Json]:
        return self.events()[-limit:][::-1]

    def quarantine(self, project: str, environment: str, *, reason: str | None, after: str, limit: int) -> Json:
        return {"items": [], "next": None, "reasons": {}}

    def replay(self, project: str, environment: str, *, reason: str | None) -> Json:
        return {"replayed": 0, "still_quarantined": 0}

    def reconcile(self, project: str, environment: str) -> Json:
        return {"landed": len(self.events())}

    def erase(self, ids: Sequence[str], *, request: str = "") -> Json:
        return {"events": 0}

    def analyze(self, project: str, experiment: str, request: Mapping[str, Any]) -> Json:
        raise NotFound(f"there is no experiment {experiment!r}")

    def checks(self) -> Mapping[str, str]:
        return {"queue": "" if self.landing.is_alive else "the committing thread has ended"}

    def gauges(self) -> Mapping[str, float]:
        return {"queue_events": self.landing.events_waiting}

    # What tests ask for beyond the protocol.

    def secret(self, scope: Any, environment: str = ENVIRONMENT) -> str:
        return access.create_key(self.store, scope, project=PROJECT, environment=environment, author="test")[1]

    def flag(self, key: str, **how: Any) -> Revision:
        body = change.create(key, environment=ENVIRONMENT, **how)
        return self.write(PROJECT, "flag", key, body, author="test", reason="a test", expected=0)

    def kill(self, key: str) -> Revision:
        return self.change(
            PROJECT, "flag", key, lambda body: change.killed(key, body, ENVIRONMENT), author="test", reason="a test"
        )

    def events(self) -> list[Json]:
        """What is durable, decoded as the lake's flusher would."""
        book = PlanBook(lambda key, revision: (self.plan if revision else None, ENVIRONMENT))
        found = []
        for row in self.landing.read(after=0, max_events=10**9):
            for record in dialect_named(row.dialect).decode(row, book, {}):
                shown = {name: getattr(record, name, None) for name in ("event_id", "name", "unit", "user_id")}
                held_back = isinstance(record, Quarantined)
                shown["properties"] = json.loads(record.body if held_back else record.properties)
                shown["dialect"], shown["quarantined"] = row.dialect, record.reason if held_back else None
                found.append(shown)
        return found


@contextmanager
def installed(folder: Path, settings: Settings | None = None, plan: Json | None = None) -> Iterator[Installation]:
    store = open_store(folder / "definitions.sqlite", clock=system_clock)
    landing = Landing.open(folder / "landing.sqlite", clock=system_clock)
    try:
        yield Installation(store, landing, settings or Settings(data=folder, log_level="error"), plan=plan)
    finally:
        landing.close()
        store.close()


@contextmanager
def serving(application: Application) -> Iterator[str]:
    """The URL of a real uvicorn on a free port."""
    urls: Queue[str] = Queue()
    server = Server(application, "127.0.0.1", 0, ready=urls.put)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield urls.get(timeout=20)
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def running(live: Installation) -> Iterator[str]:
    """The URL of a server on the installation."""
    with serving(create_app(live)) as url:
        yield url
