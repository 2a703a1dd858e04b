"""Clients that send without rest and keep what was acknowledged to them."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EVENTS = 20
OFFERED = "offered"
OLD = "old"


@dataclass
class Ledger:
    """What the clients know: ids sent, ids acknowledged, and of the requests acknowledged what the answers said."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    requests: int = 0
    refusals: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    """Connections that ended before an answer."""


class Senders:
    """Threads that post batches of their own; the port may change when the server comes back.

    Half of them repeat a batch that was not acknowledged, with the same ids, until it is; the other half go on with
    the next, as a client does whose process ended. In some batches one event is too old and one has no name.
    """

    def __init__(self, secret: str, run: str, threads: int = 4, pause: float = 0.005) -> None:
        self.ledger = Ledger()
        self.port: int | None = None
        self._secret = secret
        self._pause = pause
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(f"{run}{number}", number % 2 == 0), daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Ledger:
        """Ends the clients; what they know."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        return self.ledger

    def _send(self, name: str, repeats: bool) -> None:
        generator = random.Random(name)
        number = 0
        connection: http.client.HTTPConnection | None = None
        while not self._stopping.is_set():
            number += 1
            ids, body = _batch(name, number, generator)
            with self._lock:
                self.ledger.sent |= ids
            while not self._stopping.is_set():
                if self.port is None:
                    time.sleep(0.01)
                    continue
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                    connection.request("POST", "/api/v1/events", body, {"X-API-Key": self._secret})
                    answer = connection.getresponse()
                    said = answer.read()
                except (OSError, http.client.HTTPException):
                    connection = None
                    with self._lock:
                        self.ledger.broken += 1
                    self._stopping.wait(0.02)
                    if repeats:
                        continue
                    break
                if answer.status == 200:
                    self._acknowledge(ids, json.loads(said))
                    break
                with self._lock:
                    refusals = self.ledger.refusals
                    refusals[answer.status] = refusals.get(answer.status, 0) + 1
                if not (answer.status == 503 and answer.headers["Retry-After"]):
                    raise AssertionError(f"{answer.status}: {said[:500]!r}")
                self._stopping.wait(0.05)
            self._stopping.wait(self._pause)

    def _acknowledge(self, ids: set[str], said: dict[str, object]) -> None:
        with self._lock:
            ledger = self.ledger
            ledger.requests += 1
            ledger.acknowledged |= ids
            ledger.accepted += int(str(said["accepted"]))
            ledger.quarantined += int(str(said["quarantined"]))
            ledger.rejected += len(said["rejected"])  # type: ignore[arg-type]


def _batch(name: str, number: int, generator: random.Random) -> tuple[set[str], bytes]:
    """The ids that the server should keep, and the body; events of a batch fall on today and the two days before."""
    now = datetime.now(UTC)
    events: list[dict[str, object]] = []
    for index in range(EVENTS):
        events.append(
            {
                "event_id": f"{name}-{number}-{index}",
                "name": OFFERED,
                "time": (now - timedelta(days=generator.randrange(3))).isoformat(),
                "unit": f"u{index}",
                "properties": {"number": number, "index": index, "text": "å" * generator.randrange(40)},
            }
        )
    ids = {str(each["event_id"]) for each in events}
    if generator.random() < 0.2:
        events[3] |= {"name": OLD, "time": (now - timedelta(days=45)).isoformat()}
        events.append({"event_id": f"{name}-{number}-nameless", "time": now.isoformat()})
    return ids, json.dumps({"sent_at": now.isoformat(), "batch": events}).encode()
