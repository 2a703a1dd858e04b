"""A holder of a lake that is made to be killed: `python -m tests.lake.holding FOLDER` prints its writer's process."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.lake.sending import HandClock, decode, event, request
from tests.lake.test_beside import COMMAND

from paribus.lake import Lake


def main(folder: Path) -> None:
    lake = Lake.open(folder, clock=HandClock(), decode=decode)
    lake.start_beside(COMMAND, (str(folder), 0.05))
    lake.landing.append([request([event("first")])])
    lake.drain()
    lake.landing.append([request([event("last")])])
    assert lake.beside is not None
    print(lake.beside.pid, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
