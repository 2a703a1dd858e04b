"""A whole installation in one folder, its lake at rest so that what landed can be looked at."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from paribus.app import live
from paribus.flags import change
from paribus.governance import access
from paribus.lake.record import Quarantined
from paribus.server import create_app
from paribus.server.application import Application
from paribus.server.serve import Server
from paribus.settings import Settings
from paribus.store import Revision

Json = dict[str, Any]
PROJECT, ENVIRONMENT = "default", "dev"


class Installation(live.Installation):
    """With what tests ask for beyond the protocol."""

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
        found = []
        for row in self.landing.read(after=0, max_events=10**9):
            for record in self.decode(row):
                shown = {name: getattr(record, name, None) for name in ("event_id", "name", "unit", "user_id")}
                held_back = isinstance(record, Quarantined)
                shown["properties"] = json.loads(record.body if held_back else record.properties)
                shown["dialect"], shown["quarantined"] = row.dialect, record.reason if held_back else None
                found.append(shown)
        return found


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    with Installation(Settings(data=folder / "data", log_level="error")) as opened:
        yield opened


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
