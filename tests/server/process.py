"""A whole installation in a process of its own: `python -m tests.server.process FOLDER` prints URL and two keys."""

from __future__ import annotations

import sys
from pathlib import Path

from paribus.app.live import Installation
from paribus.flags import change
from paribus.governance.access import create_key
from paribus.server import serve
from paribus.settings import Settings


def main(folder: Path) -> None:
    settings = Settings(data=folder, requests_per_second=1_000_000, log_level="error")
    with Installation(settings) as live:
        secrets = [create_key(live.store, scope, author="test")[1] for scope in ("intake", "server")]
        flag = change.create("f", environment="dev")
        live.write("default", "flag", "f", flag, author="test", reason="a test", expected=0)
        live.start(beside=True)
        serve(live, "127.0.0.1", 0, ready=lambda url: print(url, *secrets, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
