"""The README's blocks run, in order, against a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.sdk.client.paribus_server import KEY, ParibusServer
from tests.sdk.client.snapshots import flag, snapshot

README = Path(__file__).parents[3] / "sdk" / "python" / "README.md"


def test_blocks_run(server: ParibusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_URL", server.url)
    monkeypatch.setenv("PARIBUS_KEY", KEY)
    monkeypatch.setenv("PARIBUS_CACHE_DIR", str(tmp_path))
    server.publish(snapshot(18, **{"new-checkout": flag()}))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 6
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    namespace["api"].shutdown()  # type: ignore[attr-defined]
    namespace["api"].clear_providers()  # type: ignore[attr-defined]
    assert [event["name"] for event in server.events] == ["$exposure", "order_completed", "order_completed"]
