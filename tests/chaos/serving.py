"""A server whose upkeep never rests: `python -m tests.chaos.serving FOLDER`, with the settings of `PARIBUS_…`.

As `paribus serve`, with a thread that compacts and vacuums until it stops. While a compaction runs, the first byte of
FOLDER.compacting is 1, so that whoever kills this process can tell what it was doing. SIGUSR1 makes the disk full
(files of its processes cannot grow past a size), SIGUSR2 gives it space again.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from pathlib import Path

from paribus.app.live import Installation
from paribus.errors import ParibusError
from paribus.server import serve
from paribus.settings import from_environment

FULL_BYTES = 300_000


def compact_until(stopping: threading.Event, live: Installation, mark: Path) -> None:
    descriptor = os.open(mark, os.O_RDWR | os.O_CREAT)
    while not stopping.wait(0.02):
        os.pwrite(descriptor, b"1", 0)
        try:
            live.lake.compact(min_files=3)
            live.lake.vacuum()
        except ParibusError:
            pass  # the disk is full; the lake is asked again
        os.pwrite(descriptor, b"0", 0)


def limit(live: Installation, size: int) -> None:
    """Of the files of this process and of the one that writes the lake."""
    beside = live.lake.beside
    for pid in (0, None if beside is None else beside.pid):
        if pid is not None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def main(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Installation(from_environment(data=folder)) as live:
        signal.signal(signal.SIGUSR1, lambda *_: limit(live, FULL_BYTES))
        signal.signal(signal.SIGUSR2, lambda *_: limit(live, resource.RLIM_INFINITY))
        live.start(beside=True)
        live.lake.drain()  # so that the process beside is there when the first kill comes
        stopping = threading.Event()
        upkeep = threading.Thread(target=compact_until, args=(stopping, live, Path(f"{folder}.compacting")))
        upkeep.start()
        try:
            serve(live, "127.0.0.1", 0)
        finally:
            stopping.set()
            upkeep.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
