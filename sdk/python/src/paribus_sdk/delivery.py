"""From the spool to the server: batches, retries with back-off, and an account of what became of each event."""

from __future__ import annotations

import contextlib
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from paribus_sdk.counters import Stats
from paribus_sdk.disk_spool import DiskSpool
from paribus_sdk.event import SDK_VERSION, timestamp
from paribus_sdk.reply import Reply, jittered
from paribus_sdk.spool import Batch, Spool

BATCH_EVENTS = 100  # (as many are sent at once; of a backlog, more)
MOST_EVENTS = 500
BATCH_BYTES = 400_000
GZIP_BEYOND = 1_000
GZIP_FORMAT = 31
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
LONGEST_RETRY_AFTER = 3600.0
ORPHANS_SECONDS = 30.0


class Fate(Enum):
    """What became of a batch."""

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"


class Delivery:
    """Sends what is in a spool, and in spools left behind by others, until closed.

    Args:
        post: Sends bytes with headers, and gives the reply; never raises.
        spool: The spool of this process.
        adopt: Spools that others left behind, looked for now and then.
        waiting: Bytes in those spools; they count toward the limit from the first event on.
        on_delivered: Called after a batch was accepted, in the delivery thread.
        clock: What time it is, for the time of sending.
    """

    def __init__(
        self,
        post: Callable[[bytes, dict[str, str]], Reply],
        spool: Spool,
        stats: Stats,
        *,
        flush_seconds: float = 1.0,
        adopt: Callable[[], Iterator[DiskSpool]] | None = None,
        waiting: int = 0,
        on_delivered: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._post = post
        self._spool = spool
        self._stats = stats
        self._flush_seconds = flush_seconds
        self._adopt = adopt
        self._on_delivered = on_delivered
        self._clock = clock
        self._adopted: list[DiskSpool] = []
        self._next_adoption = 0.0
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._attempts = 0
        self._at_once = MOST_EVENTS
        self._not_before = 0.0
        self._asked_until = 0.0
        self._limit = spool.limit
        spool.limit = max(self._limit - waiting, 0)
        self._hurry = False
        self._stopping = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def depth(self) -> int:
        """Events that the server does not have yet."""
        return self._spool.depth + sum(spool.depth for spool in self._adopted)

    def start(self) -> None:
        """Starts the thread, once."""
        with self._changed:
            if self._thread is None and not self._stopping:
                thread = threading.Thread(target=self._run, name="paribus-delivery", daemon=True)
                with contextlib.suppress(RuntimeError):  # (the interpreter is ending: `flush` sends by itself)
                    thread.start()
                    self._thread = thread

    def notify(self) -> None:
        """Says that there is something to send."""
        if self._thread is None:
            self.start()
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Whether everything was delivered within `timeout` seconds; tries at once unless the server said when."""
        deadline = time.monotonic() + timeout
        self.start()
        while self._thread is None and self.depth and time.monotonic() < deadline:
            if self.send_once() in (None, Fate.LATER):
                break
        with self._changed:
            self._hurry, self._not_before = True, self._asked_until
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: not self.depth or not self._alive(), max(deadline - time.monotonic(), 0)
            )
            self._hurry = False
        return done and not self.depth

    def close(self, timeout: float) -> None:
        """Sends what is left for at most `timeout` seconds; what remains stays on disk for the next start."""
        if self.depth:
            self.flush(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(0.2)
        self._let_go(0.2)

    def _let_go(self, timeout: float) -> None:
        """Closes the spools, unless a batch is under way for longer; the thread does so again when it ends."""
        if self._sending.acquire(timeout=timeout):
            try:
                self._closed = True
                for spool in (self._spool, *self._adopted):
                    spool.close()
            finally:
                self._sending.release()

    def forked(self) -> None:
        """In a forked child: lets go of the parent's files."""
        for spool in (self._spool, *self._adopted):
            if isinstance(spool, DiskSpool):
                spool.release()

    def send_once(self) -> Fate | None:
        """Sends one batch in the calling thread; None when there was nothing to send."""
        with self._sending:
            if self._closed:
                return None
            spool = next((spool for spool in (*self._adopted, self._spool) if spool.depth), None)
            if spool is None:
                return None
            batch = spool.read(self._at_once, BATCH_BYTES)
            if not batch.lines:
                return None
            fate = self._deliver(batch.lines)
            if fate is not Fate.LATER:
                self._forget(spool, batch)
        if fate is Fate.DELIVERED:
            self._on_delivered()
        return fate

    def _forget(self, spool: Spool, batch: Batch) -> None:
        spool.forget(batch)
        if spool is not self._spool and not spool.depth and isinstance(spool, DiskSpool):
            self._adopted.remove(spool)
            spool.close()
            self._share_limit()

    def _deliver(self, lines: tuple[bytes, ...]) -> Fate:
        sent_at = timestamp(self._clock()).encode()
        body = b'{"sent_at":"' + sent_at + b'","batch":[' + b",".join(lines) + b"]}"
        headers = {"Content-Type": "application/json", "User-Agent": SDK_VERSION}
        if len(body) > GZIP_BEYOND:
            body = zlib.compress(body, 1, wbits=GZIP_FORMAT)
            headers["Content-Encoding"] = "gzip"
        reply = self._post(body, headers)
        if reply.status == 200 and isinstance(reply.body, dict) and "accepted" in reply.body:
            self._attempts = 0
            self._at_once = min(self._at_once * 2, MOST_EVENTS)
            self._account(reply.body, len(lines))
            return Fate.DELIVERED
        if 400 <= reply.status < 500 and reply.status not in (408, 429):
            return self._refused(lines, reply)
        self._wait_longer(reply)
        return Fate.LATER

    def _refused(self, lines: tuple[bytes, ...], reply: Reply) -> Fate:
        if reply.status in (400, 413, 422) and len(lines) > 1:
            self._at_once = len(lines) // 2
            return Fate.LATER
        self._stats.rejected += len(lines)
        self._stats.trouble("refused", f"the server refused {len(lines)} events with {reply.status}: {reply.trouble}")
        return Fate.REFUSED

    def _account(self, answer: dict[str, Any], count: int) -> None:
        rejected = answer.get("rejected") or []
        self._stats.sent += count - len(rejected)
        self._stats.quarantined += int(answer.get("quarantined") or 0)
        if rejected:
            self._stats.rejected += len(rejected)
            self._stats.trouble("rejected", f"the server rejected events: {rejected[0]}")

    def _wait_longer(self, reply: Reply) -> None:
        self._stats.retries += 1
        self._stats.trouble("delivery", f"events wait: {reply.trouble or f'the server answered {reply.status}'}")
        ceiling = min(FIRST_WAIT * 2**self._attempts, LONGEST_WAIT)
        self._attempts = min(self._attempts + 1, 16)
        wait = jittered(ceiling)
        if reply.retry_after is not None:
            wait = min(reply.retry_after, LONGEST_RETRY_AFTER) + jittered(0.1)
            self._asked_until = time.monotonic() + wait
        self._not_before = time.monotonic() + wait

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._adopt_orphans()
                self._wait_for_batch()
                if self._stopping:
                    break
                self.send_once()
                with self._changed:
                    self._changed.notify_all()
            except Exception as error:  # noqa: BLE001  (the thread must outlive whatever happens to one batch)
                self._stats.trouble("delivery", f"a batch failed: {error!r}")
                self._not_before = time.monotonic() + 1.0
        self._let_go(-1)

    def _wait_for_batch(self) -> None:
        with self._changed:
            first = None
            while not self._stopping:
                now, depth = time.monotonic(), self.depth
                first = (first or now) if depth else None
                full = depth >= BATCH_EVENTS or bool(self._adopted) or self._hurry
                due = max(self._not_before, 0.0 if full or first is None else first + self._flush_seconds)
                if depth and now >= due:
                    return
                if not depth and self._adopt is not None and now >= self._next_adoption:
                    return
                self._changed.wait(due - now if depth else ORPHANS_SECONDS)

    def _adopt_orphans(self) -> None:
        if self._adopt is None or time.monotonic() < self._next_adoption:
            return
        self._next_adoption = time.monotonic() + ORPHANS_SECONDS
        for spool in self._adopt():
            self._stats.adopted += spool.depth
            self._stats.damaged += spool.damaged
            if spool.depth:
                self._adopted.append(spool)
            else:
                spool.close()
        self._share_limit()

    def _share_limit(self) -> None:
        """What was adopted counts toward the limit: restarts without a server do not fill the disk."""
        self._spool.limit = max(self._limit - sum(spool.size for spool in self._adopted), 0)

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()
