"""Safety while nobody is awake: watches fed by each flush, and the one revision that a conviction writes.

A thread of its own takes what the flush has seen, so that intake only sorts events by name. State is rebuilt from the
lake when the server starts and when a watch is new; giving it an event twice changes nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.errors import ParibusError

if TYPE_CHECKING:
    from paribus.app.decoder import Decoder
    from paribus.clock import Clock
    from paribus.lake import LakeReader, LandingRow, Quarantined, Record
    from paribus.monitoring.alert import Alert, Outcome
    from paribus.monitoring.finding import Finding
    from paribus.monitoring.watch import Watch
    from paribus.monitoring.watched import Watched
    from paribus.store import Revision, Store

_log = logging.getLogger(__name__)
Json = dict[str, Any]
WAKE_SECONDS = 0.5
WEBHOOK_SECONDS = 5.0
QUEUED = 1_000_000
"""Events in the queue that a new watch reads."""


class Watcher:
    """Watches the experiments of a data folder that this process writes, until `stop`.

    Args:
        store: of watches, flags and alerts.
        decode: gives a key's project and environment.
        lake: read when state is built anew.
        waiting: the landing rows that are not in the lake yet.
        clock: what time it is.
    """

    def __init__(
        self,
        store: Store,
        decode: Decoder,
        *,
        lake: Callable[[], LakeReader | None],
        waiting: Callable[[], Sequence[LandingRow]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._decode = decode
        self._lake = lake
        self._waiting = waiting
        self._clock = clock
        self._names: frozenset[str] = frozenset()  # events that some watch reads; empty: intake does nothing here
        self._taken: deque[tuple[int, str, list[Record]]] = deque()
        self._last_row = 0
        self._watched: dict[tuple[str, str], Watched] = {}  # by project and experiment
        self._at: tuple[tuple[str, int], ...] | None = None
        self._fired: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()  # whoever holds it changes or reads the states
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.last_error = ""

    def take(self, row: LandingRow, decoded: Iterable[Record | Quarantined]) -> None:
        """Keeps the events of a row that some watch reads; called by the flush, so it only sorts."""
        if not self._names or row.id <= self._last_row:
            return
        self._last_row = row.id
        names = self._names
        found = [each for each in decoded if each.name in names]
        if found:
            self._taken.append((row.id, row.key_id, found))  # type: ignore[arg-type] # quarantined ones go below
            self._wake.set()

    def start(self) -> None:
        """Runs in the background; what the folder says is taken in first."""
        self.look()
        self._thread = threading.Thread(target=self._run, name="paribus-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, after a last look."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Takes in new watches and what was flushed, and acts on what the guards say."""
        with self._lock:
            try:
                self._refresh()
                touched = self._apply()
                for key in touched:
                    self._judge(key[0], self._watched[key])
                self.last_error = ""
            except ParibusError as error:
                self.last_error = error.what
                _log.warning("the watch failed, tried again: %s", error)
            except Exception as error:  # noqa: BLE001 - the watch outlives whatever it meets, and says so
                self.last_error = str(error) or type(error).__name__
                _log.exception("the watch failed, tried again")

    def findings(self, experiment: str, *, project: str = definition.PROJECT) -> list[Finding]:
        """What the watch over an experiment says now; none where nothing is watched."""
        with self._lock:
            self._refresh()
            self._apply()
            watched = self._watched.get((project, experiment))
            return [] if watched is None else watched.findings()

    def gauges(self) -> Mapping[str, float]:
        """Whether it is awake, how many experiments it watches, how many alerts it sent since it started."""
        thread = self._thread
        return {
            "watch_is_alive": float(thread is not None and thread.is_alive() and not self.last_error),
            "watched_experiments": len(self._watched),
            "watch_alerts": len(self._fired),
        }

    def forget(self, ids: Sequence[str]) -> None:
        """Removes units from the running state; the counts stay."""
        with self._lock:
            for watched in self._watched.values():
                watched.tally.forget(ids)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(WAKE_SECONDS)
            self._wake.clear()
            self.look()

    def _refresh(self) -> None:
        """The watches as the store has them; state of new ones is built from queue and lake."""
        from paribus.monitoring.watch import all_stored

        at = tuple((project, self._store.position(project)) for project in self._store.projects())
        if at == self._at:
            return
        wanted = {
            (project, watch.experiment): watch
            for project, _ in at
            for watch in all_stored(self._store, project=project)
        }
        fresh = {key: watch for key, watch in wanted.items() if not self._holds(key, watch)}
        self._watched = {key: each for key, each in self._watched.items() if key in wanted and key not in fresh}
        if fresh:
            self._build(fresh)
        self._at = at

    def _holds(self, key: tuple[str, str], watch: Watch) -> bool:
        """Whether the state at hand answers this watch; what is done on a conviction may differ."""
        found = self._watched.get(key)
        if found is None:
            return False
        acts = {"automatic_rollback": True, "webhook": ""}
        if found.watch.model_copy(update=acts) != watch.model_copy(update=acts):
            return False
        found.watch = watch
        return True

    def _build(self, fresh: Mapping[tuple[str, str], Watch]) -> None:
        """Listens first, then reads the queue, then the lake: an event is in one of the three at least."""
        from paribus.monitoring.rebuild import rebuild
        from paribus.monitoring.watched import Watched

        states = {key: Watched(watch) for key, watch in fresh.items()}
        self._names = frozenset().union(*(each.names for each in (*self._watched.values(), *states.values())))
        queued = list(self._waiting())
        reader = self._lake()
        for key, watch in fresh.items():
            self._watched[key] = states[key] if reader is None else rebuild(reader, watch)
        for row in queued:
            self._give(row.key_id, [each for each in self._decode(row) if each.name in self._names], only=fresh)  # type: ignore[misc]
        for key in fresh:
            self._judge(key[0], self._watched[key])

    def _apply(self) -> set[tuple[str, str]]:
        """Gives what was taken to the watches; those that got something."""
        touched: set[tuple[str, str]] = set()
        while self._taken:
            _, key_id, records = self._taken.popleft()
            touched |= self._give(key_id, records)
        return touched

    def _give(
        self, key_id: str, records: Sequence[Record], *, only: Iterable[tuple[str, str]] | None = None
    ) -> set[tuple[str, str]]:
        from paribus.lake import Record

        _, project, environment = self._decode.key(key_id)
        mine = {
            key: each
            for key, each in self._watched.items()
            if key[0] == project and each.watch.environment == environment and (only is None or key in only)
        }
        if mine:
            kept = [each for each in records if isinstance(each, Record)]
            for each in mine.values():
                each.take(kept)
        return set(mine)

    def _judge(self, project: str, watched: Watched) -> None:
        """Fires what is new: a conviction acts, anything else is told."""
        from paribus.monitoring.finding import Severity

        for finding in watched.findings():
            key = (project, watched.watch.experiment, finding.what, finding.arm, str(watched.watch.round))
            if finding.severity is Severity.WELL or key in self._fired:
                continue
            self._fire(project, watched.watch, finding)
            self._fired.add(key)

    def _fire(self, project: str, watch: Watch, finding: Finding) -> None:
        from paribus.monitoring.alert import ALERTS, Alert
        from paribus.monitoring.finding import Severity

        alerts = self._store.records(ALERTS)
        if alerts.find(project, watch.experiment, finding.what, finding.arm, watch.round) is not None:
            return  # acted before a restart; a person who revived the flag since then is obeyed
        outcome: Outcome = "told"
        time, number = self._clock(), 0
        if finding.severity is Severity.CONVICTS:
            revision = self._kill(project, watch, finding) if watch.automatic_rollback else None
            outcome = "asked" if revision is None else "killed"
            if revision is not None:
                time, number = revision.time, revision.number
        elif finding.severity is Severity.PAUSES:
            outcome = "paused"
        alert = Alert(
            project,
            watch.experiment,
            finding.what,
            finding.arm,
            watch.round,
            time.isoformat(),
            finding.message,
            outcome,
            watch.flag,
            watch.environment,
            number,
            dict(finding.numbers),
        )
        alerts.upsert(alert)
        _log.warning("%s: %s (%s)", watch.experiment, finding.message, outcome)
        if watch.webhook:
            threading.Thread(target=_post, args=(watch.webhook, alert), name="paribus-alert", daemon=True).start()

    def _kill(self, project: str, watch: Watch, finding: Finding) -> Revision:
        """The flag's revision that serves control to everyone; nothing is written when somebody killed it before."""
        from paribus.rollout.act import kill

        def write(kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision:
            return definition.change(self._store, kind, key, step, author=author, reason=reason, project=project)

        reason = (
            f"{finding.message} (experiment {watch.experiment}, false rollbacks at most {_budget(watch, finding):.2%})"
        )
        return kill(write, watch.flag, watch.environment, reason=reason)


def _budget(watch: Watch, finding: Finding) -> float:
    return next((guard.budget for guard in watch.guards if guard.name == finding.what), 0.0)


def _post(url: str, alert: Alert) -> None:
    """Tells a webhook; the alert is kept whether or not it answers."""
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 - the URL is the operator's own
        url, json.dumps(alert.to_dict()).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):  # noqa: S310
            pass
    except OSError as error:
        _log.warning("the webhook %s did not take the alert: %s", url, error)
