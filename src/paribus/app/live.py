"""The running installation: one process that holds the data folder, with every room wired to the others."""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.app.decoder import Decoder, Observer, local_key
from paribus.app.folder import DEFINITIONS, SERVER, clock_of, open_folder
from paribus.app.keeping import Keeper
from paribus.app.watching import QUEUED, Watcher
from paribus.clock import Clock
from paribus.errors import ParibusError
from paribus.settings import Settings

if TYPE_CHECKING:
    from paribus.events.compile import CompiledPlan
    from paribus.governance.access import Principal
    from paribus.lake import Lake, Landing
    from paribus.store import Revision, Store

_log = logging.getLogger(__name__)

Json = dict[str, Any]
Step = Callable[[Json], Json]


class Installation:
    """The rooms of one data folder, opened for writing; `paribus.server` and the commands that write use it.

    Raises:
        LockedError: another process holds the folder.
        StorageError: the folder cannot be used.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        from paribus.lake import Lake, WriterLock
        from paribus.lake.star import StarModel
        from paribus.store import open_store

        self.settings = settings
        self.folder = open_folder(settings, create=True, clock=clock)
        self.clock = clock = clock or clock_of(self.folder)
        self._lock = WriterLock.acquire(self.folder, clock=clock)
        self._token: str | None = None
        self._stopping = threading.Event()
        self._expiry: threading.Thread | None = None
        self._cached = threading.Lock()
        self._snapshots: dict[tuple[str, str], tuple[int, Json]] = {}
        self._plans: dict[tuple[str, str], tuple[int, CompiledPlan]] = {}
        try:
            self.store: Store = open_store(settings.store_url or self.folder / DEFINITIONS, clock=clock)
            self.decode = Decoder(self.store)
            self.watcher = Watcher(
                self.store,
                self.decode,
                lake=lambda: self.lake,
                waiting=lambda: self.landing.read(after=0, max_events=QUEUED),
                clock=clock,
            )
            observe = Observer(self.store, self.decode, self.watcher.take)
            try:
                self.lake: Lake = Lake.open(
                    self.folder,
                    clock=clock,
                    decode=observe,
                    lock=self._lock,
                    max_events=settings.flush_events,
                    landing_url=settings.landing_url or None,
                    max_queue_bytes=settings.max_queue_megabytes << 20,
                )
                self.keeper = Keeper(self.store, self.lake, seconds=settings.keep_seconds)
                self.lake.erase_also += [self.watcher.forget, StarModel(self.folder).erase]
            except BaseException:
                self.store.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    @property
    def landing(self) -> Landing:
        """Where events become durable."""
        return self.lake.landing

    def start(self, *, beside: bool = False) -> None:
        """Runs watch, flush and upkeep in the background.

        Args:
            beside: watch and flush in a process of their own, so that intake does not wait for them; it goes by the
                folder's clock. A queue in Kafka is read by this process all the same.
        """
        if beside and not self.landing.is_remote:
            from paribus.app.lake_writer import COMMAND

            self.lake.start_beside(COMMAND, self.settings)
        else:
            self.watcher.start()
            self.lake.start(flush_seconds=self.settings.flush_seconds)
        self.keeper.start()
        if self.settings.retention_days:
            self._expiry = threading.Thread(target=self._expire, name="paribus-retention", daemon=True)
            self._expiry.start()

    def announce(self, url: str) -> str:
        """Writes where the server is, for commands beside it (mode 0600), and returns their token."""
        token = secrets.token_urlsafe(32)
        path = self.folder / SERVER
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"url": url, "token": token, "pid": os.getpid()}, file)
        draft.replace(path)
        self._token = token
        return token

    def close(self) -> None:
        """Moves what waits into the lake, and lets go of the folder."""
        with suppress(FileNotFoundError):
            (self.folder / SERVER).unlink()
        self._stopping.set()
        if self._expiry is not None:
            self._expiry.join()
        self.keeper.stop()
        try:
            self.lake.close()
            self.watcher.stop()
        finally:
            self.store.close()
            self._lock.release()

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _expire(self) -> None:
        """Drops the days beyond retention, now and every hour."""
        while True:
            before = (self.clock() - timedelta(days=self.settings.retention_days)).date()
            try:
                self.lake.expire(before)
            except ParibusError as error:
                _log.warning("retention failed, tried again in an hour: %s", error)
            if self._stopping.wait(3600):
                return

    def authenticate(self, secret: str) -> Principal:
        """Whose key this is; the token in the folder's server.json is the owner's."""
        from paribus.governance.access import Principal, authenticate

        if self._token is not None and hmac.compare_digest(secret, self._token):
            return Principal(local_key(definition.PROJECT, "dev"), "admin", definition.PROJECT, "dev", "local")
        return authenticate(self.store, secret)

    def snapshot(self, project: str, environment: str) -> Json:
        """The definitions of an environment; the same object until a document changes."""
        position = self.store.position(project)
        with self._cached:
            known = self._snapshots.get((project, environment))
        if known is not None and known[0] == position:
            return known[1]
        built = definition.snapshot(self.store, project, environment)
        if known is not None and _same(known[1], built):
            built = known[1]
        with self._cached:
            self._snapshots[project, environment] = (position, built)
        return built

    def plans(self, project: str, environment: str) -> CompiledPlan:
        """The tracking plan in force; the same object until it changes."""
        position = self.store.position(project)
        with self._cached:
            known = self._plans.get((project, environment))
        if known is not None and known[0] == position:
            return known[1]
        compiled = definition.tracking_plan(self.store, project, environment)
        if known is not None and known[1].revision == compiled.revision:
            compiled = known[1]
        with self._cached:
            self._plans[project, environment] = (position, compiled)
        return compiled

    def write(
        self, project: str, kind: str, key: str, body: Json | None, *, author: str, reason: str, expected: int
    ) -> Revision:
        """Checks a document and writes its next revision; body None removes it."""
        return definition.write(
            self.store, kind, key, body, expected=expected, author=author, reason=reason, project=project
        )

    def change(self, project: str, kind: str, key: str, step: Step, *, author: str, reason: str) -> Revision:
        """The document after one step."""
        return definition.change(self.store, kind, key, step, author=author, reason=reason, project=project)

    def tail(self, project: str, environment: str, limit: int) -> Sequence[Json]:
        """The events that arrived last, newest first, those still in the queue included."""
        from paribus.app.arrival import tail

        return tail(self.folder, self.decode, limit)

    def quarantine(
        self, project: str, environment: str, *, reason: str | None = None, after: str = "", limit: int = 100
    ) -> Json:
        """Events that were held back, a page of them, with the count of each reason."""
        from paribus.app.arrival import quarantine

        return quarantine(self.folder, reason=reason, after=after, limit=limit)

    def replay(self, project: str, environment: str, *, reason: str | None = None) -> Json:
        """Sends quarantined events through the plan in force again."""
        from paribus.app.arrival import replay

        return replay(self, project, environment, reason=reason)

    def reconcile(self, project: str, environment: str) -> Json:
        """Whether the counts from the door to the lake add up."""
        from paribus.app.arrival import reconcile

        return reconcile(self.lake)

    def erase(self, ids: Sequence[str], *, request: str = "") -> Json:
        """Removes everything of these ids from queue, lake and records; the proof names nobody."""
        records = self.store.erase(ids)
        done = self.lake.erase(list(ids), request=request)
        plain = {name: getattr(done, name) for name in done.__slots__}
        return plain | {"time": done.time.isoformat(), "records": sum(records.records.values())}

    def analyze(self, project: str, experiment: str, request: Mapping[str, Any]) -> Json:
        """The result of an experiment on what the lake holds now."""
        from paribus.app.lake import analyze_experiment

        return analyze_experiment(
            self.store, self.lake, experiment, project=project, as_of=request.get("as_of"), keeper=self.keeper
        ).to_dict()

    def checks(self) -> Mapping[str, str]:
        """Per part that must live: an empty text, or what is wrong."""
        health = self.lake.health
        found = {"writer": "" if health.is_alive else "the flush has stopped", "flush": health.last_error or ""}
        try:
            self.store.position(definition.PROJECT)
            found["store"] = ""
        except ParibusError as error:
            found["store"] = error.what
        return found

    def gauges(self) -> Mapping[str, float]:
        """Numbers worth watching."""
        depth, health = self.landing.depth(), self.lake.health
        return {
            "queue_rows": depth.rows,
            "queue_events": depth.events,
            "queue_bytes": depth.bytes,
            "queue_oldest_seconds": depth.oldest_seconds,
            "flushes": health.flushes,
            "flushed_events": health.events,
            "watermark_lag_seconds": (self.clock() - self.lake.watermark()).total_seconds(),
            **(self.watcher.gauges() if self.lake.beside is None else self.lake.beside.gauges()),
        }


def running_server(folder: Path) -> tuple[str, str] | None:
    """URL and token of the server that holds the folder; None when none does."""
    from paribus.lake import lock_holder

    if lock_holder(folder) is None:
        return None
    try:
        noted = json.loads((folder / SERVER).read_text())
        return str(noted["url"]), str(noted["token"])
    except (OSError, ValueError, KeyError):
        return None


def _same(one: Json, other: Json) -> bool:
    return {**one, "revision": 0} == {**other, "revision": 0}
