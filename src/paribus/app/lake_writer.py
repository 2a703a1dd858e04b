"""The process beside the server that moves events into the lake: `python -m paribus.app.lake_writer`.

It decodes, so it has what listens to the decoding: identity links and the watches over running experiments.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from paribus.app.decoder import Decoder, Observer
from paribus.app.folder import DEFINITIONS, clock_of
from paribus.app.watching import QUEUED, Watcher
from paribus.errors import ParibusError, StorageError
from paribus.lake import LakeReader
from paribus.lake.beside import Rooms, WriterBeside
from paribus.settings import Settings
from paribus.store import open_store

COMMAND = (sys.executable, "-P", "-m", "paribus.app.lake_writer")
_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Runs until the server stops or dies; the exit status.

    Args:
        arguments: as `WriterProcess` passes them; the first message of the server are its settings.
    """
    beside = WriterBeside(arguments)
    settings: Settings = beside.setup
    folder = settings.data
    clock = clock_of(folder)
    store = open_store(settings.store_url or folder / DEFINITIONS, clock=clock)

    def lake() -> LakeReader | None:
        with suppress(StorageError):
            return LakeReader(folder, clock=clock)
        return None

    try:
        decode = Decoder(store)
        watcher = Watcher(
            store, decode, lake=lake, waiting=lambda: beside.landing.read(after=0, max_events=QUEUED), clock=clock
        )
        rooms = Rooms(
            Observer(store, decode, watcher.take),
            erase_also=[watcher.forget],
            start=watcher.start,
            stop=watcher.stop,
            gauges=watcher.gauges,
        )
        beside.run(folder, rooms, clock=clock, flush_seconds=settings.flush_seconds, max_events=settings.flush_events)
    except ParibusError as error:
        _log.error("%s", error)
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
