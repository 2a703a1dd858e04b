"""Runs a module as a guest: `python -m paribus.workflow.validation.guest HOST SECONDS MODULE`.

The guest lives in the time of its host (a process id) and no longer than it. A simulated installation has a simulated
clock; a service that is crawled in it must live in the same time, or its events would come from another year.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time

LOOK_SECONDS = 1.0


def main(host: int, offset: float, module: str) -> None:
    """The module, its `time.time()` moved by `offset` seconds; it ends with its parent, process `host`."""
    threading.Thread(target=_leave_with, args=(host,), name="host", daemon=True).start()
    real = time.time
    time.time = lambda: real() + offset
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _leave_with(host: int) -> None:
    while os.getppid() == host:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
