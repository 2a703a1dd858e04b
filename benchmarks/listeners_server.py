"""An installation in a process of its own: `python -m benchmarks.listeners_server FOLDER` prints URL and two keys."""

from __future__ import annotations

import sys
from pathlib import Path

from paribus.app.live import Installation
from paribus.flags import change
from paribus.governance.access import create_key
from paribus.server import serve
from paribus.settings import Settings


def main(folder: Path) -> None:
    """Serves until it is stopped."""
    with Installation(Settings(data=folder, log_level="error")) as live:
        secrets = [create_key(live.store, scope, environment="dev", author="b")[1] for scope in ("admin", "server")]
        flag = change.create("f", environment="dev")
        live.write("default", "flag", "f", flag, author="b", reason="measured", expected=0)
        live.start()
        serve(live, "127.0.0.1", 0, ready=lambda url: print(url, *secrets, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "data")
