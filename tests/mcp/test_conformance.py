"""The protocol's own conformance tool against the real server, scenario by scenario where it applies.

On demand: `npm install @modelcontextprotocol/conformance` in a folder (Node 22), then MCP_CONFORMANCE=FOLDER. Scenarios
that ask for tools, resources or capabilities of the tool's own example server do not apply.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.installation import installed, serving

from paribus.server import create_app

FOLDER = os.environ.get("MCP_CONFORMANCE", "")
APPLIES = ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FOLDER, reason="MCP_CONFORMANCE names no folder")]


class Keyed:
    """The server with a key in every request: the tool brings none."""

    def __init__(self, application: Any, secret: str) -> None:
        self._application = application
        self._header = (b"authorization", b"Bearer " + secret.encode())

    def stop_streams(self) -> None:
        self._application.stop_streams()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._application(scope, receive, send)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with installed(tmp_path_factory.mktemp("data")) as live:
        keyed: Any = Keyed(create_app(live), live.secret("agent"))
        with serving(keyed) as address:
            yield address + "/mcp"


@pytest.mark.parametrize("scenario", APPLIES)
def test_scenario(url: str, scenario: str) -> None:
    own = Path(FOLDER) / "node_modules" / "node" / "bin" / "node"
    node = str(own) if own.exists() else shutil.which("node")
    tool = Path(FOLDER) / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    done = subprocess.run(
        [str(node), str(tool), "server", "--url", url, "--scenario", scenario],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=FOLDER,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 0 warnings" in done.stdout
