"""Runs of features in a process of their own, for doors that must answer meanwhile: the server, and agents."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.admission import check_key
from paribus.errors import LockedError, ParibusError

if TYPE_CHECKING:
    from paribus.settings import Settings

Json = dict[str, Any]
FOLDER = "runs"
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RunState:
    """The last run of a feature that a door started.

    is_running   whether its process is alive
    pid          its process
    answer       what it said at its end: kind, step, message, made, next, or error; {} while it runs
    """

    is_running: bool
    pid: int
    answer: Json

    def plain(self) -> Json:
        """As JSON."""
        return {"running": self.is_running, "pid": self.pid, **({"answer": self.answer} if self.answer else {})}


class Runs:
    """Starts runs of one data folder, one at a time, and knows how the last one of each feature ended."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data / FOLDER
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, key: str, *, until: str | None = None, author: str) -> RunState:
        """Starts `paribus feature run`; it goes on when this process ends.

        Raises:
            LockedError: a run is under way in this folder.
        """
        check_key(key)  # it names files
        with self._lock:
            if self._is_busy():
                raise LockedError(
                    "a run is under way in this data folder",
                    where=str(self._settings.data),
                    rule="one worker runs the features of a data folder",
                    fix="ask again when it has stopped; the feature's steps tell how far it is",
                )
            self._folder.mkdir(exist_ok=True, mode=0o700)
            command = [sys.executable, "-m", "paribus.cli", "feature", "run", key, "--json", "--author", author]
            command += ["--data", str(self._settings.data)]
            command += ["--until", until] if until else []
            answer = self._answer(key)
            answer.unlink(missing_ok=True)
            with answer.open("wb") as out, answer.with_suffix(".log").open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
                )
            self._processes[key] = process
            threading.Thread(target=process.wait, daemon=True).start()
        return RunState(True, process.pid, {})

    def state(self, key: str) -> RunState | None:
        """How the feature's last run stands; None when no door started one."""
        process, answer = self._processes.get(key), self._answer(key)
        is_running = process is not None and process.poll() is None
        if not answer.exists():
            return None
        said = _read(answer)
        if not said and not is_running:
            log = answer.with_suffix(".log")
            last = (log.read_text(errors="replace").strip().splitlines() or ["it ended without a word"])[-1]
            said = {"error": ParibusError(last, where=str(log)).to_dict()}
        return RunState(is_running, process.pid if process else 0, said)

    def wait(self, key: str, seconds: float, tick: Callable[[], None] = lambda: None) -> RunState | None:
        """The state when the run has ended, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            state = self.state(key)
            if state is None or not state.is_running or time.monotonic() >= deadline:
                return state
            tick()
            time.sleep(POLL_SECONDS)

    def _is_busy(self) -> bool:
        if any(process.poll() is None for process in self._processes.values()):
            return True
        from paribus.lake import WORKER_FILE, lock_holder

        return lock_holder(self._settings.data, WORKER_FILE) is not None

    def _answer(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _read(path: Path) -> Json:
    try:
        found = json.loads(path.read_text())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
