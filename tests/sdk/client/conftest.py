from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paribus_sdk import Client
from tests.sdk.client.paribus_server import KEY, ParibusServer
from tests.sdk.client.snapshots import snapshot


@pytest.fixture
def server() -> Iterator[ParibusServer]:
    running = ParibusServer(snapshot())
    yield running
    running.close()


@pytest.fixture
def make_client(server: ParibusServer, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(**settings: Any) -> Client:
        defaults: dict[str, Any] = {"url": server.url, "key": KEY, "cache_dir": tmp_path, "flush_seconds": 0.05}
        client = Client(**(defaults | settings))
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0.2)
