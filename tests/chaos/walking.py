"""Runs of a feature in processes of their own: `python -m tests.chaos.walking DATA FEATURE`.

Everything is imported once; each line on standard input forks a process that runs the feature. It says `running STEP`
and `made STEP` as it goes, at its end `stopped {…}`; around that stand `began PID` and `ended STATUS`. Whoever asked
may kill it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from paribus.app.feature import workshop
from paribus.app.live import running_server
from paribus.settings import from_environment
from paribus.workflow.context import Endpoint
from paribus.workflow.step import STEPS

AUTHOR = "ann"
HEAVY = (
    *("deltalake", "duckdb", "jinja2", "msgspec", "numpy", "onnx", "onnxruntime", "polars", "pyarrow", "scipy.stats"),
    *("sqlalchemy", "sqlglot", "paribus.app.lake", "paribus.experiments.analysis", "paribus.exploration.opening"),
    *("paribus.lake", "paribus.store", "paribus.workflow.durable", "paribus_sdk", "httpx", "yaml"),
)
"""What a run imports sooner or later, besides the steps."""


def main(data: Path, key: str) -> None:
    """Runs the feature until it stops."""
    found = running_server(data)
    assert found is not None, "no server runs"
    with workshop(from_environment(data=data), endpoint=Endpoint(*found), create=False) as shop:
        stop = shop.run(key, auto=True, told=lambda slug, what, _: _say(what, slug), author=AUTHOR)
    until = stop.until.isoformat() if stop.until else None
    _say("stopped", json.dumps({"kind": stop.kind, "step": stop.step, "why": stop.message, "until": until}))


def serve(data: Path, key: str) -> None:
    """Forks for every line that is read, one process at a time."""
    for module in (*HEAVY, *(f"paribus.workflow.steps.{step.slug}" for step in STEPS)):
        importlib.import_module(module)
    asker, server = os.getppid(), os.getpid()
    gc.freeze()
    for _ in sys.stdin:
        child = os.fork()
        if child:
            _say("began", str(child))
            _say("ended", str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
            continue
        threading.Thread(target=_end_with, args=(server, asker), daemon=True).start()
        status = 1
        try:
            main(data, key)
            status = 0
        finally:
            if status:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(status)


def _say(word: str, rest: str) -> None:
    os.write(1, f"{word} {rest}\n".encode())


def _end_with(server: int, asker: int) -> None:
    """Ends this process when the one that forked it is gone, or the one that asked for it."""
    while os.getppid() == server and Path(f"/proc/{asker}").exists():
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
