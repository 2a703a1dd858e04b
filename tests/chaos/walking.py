"""A run of a feature in a process of its own: `python -m tests.chaos.walking DATA FEATURE`.

Says `running STEP` and `made STEP` as it goes, at its end `stopped {…}`. Whoever started it may kill it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from paribus.app.feature import workshop
from paribus.app.live import running_server
from paribus.settings import from_environment
from paribus.workflow.context import Endpoint

AUTHOR = "ann"


def main(data: Path, key: str) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    found = running_server(data)
    assert found is not None, "no server runs"
    with workshop(from_environment(data=data), endpoint=Endpoint(*found), create=False) as shop:
        stop = shop.run(key, auto=True, told=lambda slug, what, _: print(what, slug, flush=True), author=AUTHOR)
    until = stop.until.isoformat() if stop.until else None
    print(
        "stopped", json.dumps({"kind": stop.kind, "step": stop.step, "why": stop.message, "until": until}), flush=True
    )


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
