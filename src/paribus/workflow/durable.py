"""The durable run: DBOS remembers which steps of a walk are over, so that a killed process goes on where it was.

Steps run at least once, and write only what is not there yet: artifacts at their address, effects through `Effects`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from paribus.errors import ParibusError, StorageError
from paribus.workflow.dossier import Dossier
from paribus.workflow.step import BY_SLUG
from paribus.workflow.waiting import Waiting
from paribus.workflow.walk import Ask, MakeContext, Stop, decide, make, next_stop, waiting

Json = dict[str, Any]
EXECUTOR = "worker-0"
Made = Callable[[str, str, float], None]
"""Called before a step (slug, "running", 0), and after it (slug, "made", seconds)."""


class Worker:
    """The one durable worker of a data folder, alive between `__enter__` and `__exit__`.

    Args:
        url: where DBOS keeps its own state: sqlite:///file or a PostgreSQL URL.
        dossier, context: what steps read and write.
        told: hears of every step.
    """

    def __init__(self, url: str, dossier: Dossier, context: MakeContext, *, told: Made | None = None) -> None:
        self.dossier = dossier
        self.context = context
        self.told: Made = told or (lambda slug, what, seconds: None)
        self.failure: ParibusError | None = None
        self.making = threading.Lock()  # walks of several features go on after a crash; one step is made at a time
        self._config: DBOSConfig = {
            "name": "paribus",
            "system_database_url": url,
            "executor_id": EXECUTOR,
            "application_version": "1",  # an upgrade of Paribus goes on with the runs of the one before
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.1,
        }

    def __enter__(self) -> Worker:
        if not _busy.acquire(blocking=False):
            raise RuntimeError("one worker runs in a process at a time")
        global _worker  # noqa: PLW0603 - DBOS calls functions that it knows by name, after a crash too
        _worker = self
        try:
            DBOS(config=self._config)
            DBOS.launch()
        except Exception as error:
            self.__exit__()
            raise StorageError(
                f"the database of runs cannot be opened: {str(error).splitlines()[0]}",
                where="feature run",
                rule="it tells which run was killed; artifacts and effects stand in the store of definitions",
                fix="see that it is reachable and the disk not full; a damaged workflow.sqlite may be moved away",
            ) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        global _worker  # noqa: PLW0603
        try:
            DBOS.destroy(workflow_completion_timeout_sec=0)
        finally:
            _worker = None
            _busy.release()

    def run(
        self, key: str, *, until: str | None = None, auto: bool = False, ask: Ask | None = None, author: str
    ) -> Stop:
        """Walks the feature until it stops; first what an earlier process left unfinished.

        Raises:
            ParibusError: a step could not be made; what was made before it is kept.
        """
        for left in DBOS.list_workflows(workflow_id_prefix=f"{key}:", status=["PENDING", "ENQUEUED"]):
            with suppress(Exception):  # what it met is met again below
                DBOS.retrieve_workflow(left.workflow_id).get_result()
        while True:
            self.failure = None
            with SetWorkflowID(f"{key}:{uuid4()}"):
                handle = DBOS.start_workflow(_walk, key, until, author)
            try:
                found = handle.get_result()
            except Exception:
                if self.failure is not None:
                    raise self.failure from None
                raise
            stop = _stop(found)
            if not decide(self.dossier, key, stop, auto=auto, ask=ask, author=author):
                return stop


_busy = threading.Lock()
_worker: Worker | None = None


@DBOS.workflow(name="walk")
def _walk(key: str, until: str | None, author: str) -> Json:
    while True:
        at = DBOS.run_step({"name": "look"}, _look, key, until)
        if "stop" in at:
            return at
        made = DBOS.run_step({"name": at["make"]}, _make, key, at["make"], author)
        if "stop" in made:
            return made


def _here() -> Worker:
    if _worker is None:
        raise RuntimeError("no worker is running in this process")
    return _worker


def _look(key: str, until: str | None) -> Json:
    found = next_stop(_here().dossier, key, until)
    return _plain(found) if isinstance(found, Stop) else {"make": found.step.slug}


def _make(key: str, slug: str, author: str) -> Json:
    worker = _here()
    with worker.making:
        return _made(worker, key, slug, author)


def _made(worker: Worker, key: str, slug: str, author: str) -> Json:
    started = time.monotonic()
    worker.told(slug, "running", 0.0)
    try:
        made = make(worker.dossier, key, slug, worker.context, author=f"{BY_SLUG[slug].role} for {author}")
    except Waiting as error:
        return _plain(waiting(slug, error))
    except ParibusError as error:
        worker.failure = error
        raise
    worker.told(slug, "made", time.monotonic() - started)
    return {"made": made}


def _plain(stop: Stop) -> Json:
    return {
        "stop": stop.kind,
        "step": stop.step,
        "message": stop.message,
        "until": stop.until.isoformat() if stop.until else None,
    }


def _stop(found: Json) -> Stop:
    until = found.get("until")
    return Stop(found["stop"], found["step"], found["message"], datetime.fromisoformat(until) if until else None)
