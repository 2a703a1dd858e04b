"""The sample shop as a process, and what a visitor's browser says that it sent."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.clients.arrival import Json
from tests.clients.genuine import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Request

SHOP = ROOT / "examples" / "shop"


@dataclass
class Shop:
    """A running shop; `sent` is what its service says at its end."""

    url: str
    sent: int = -1
    dropped: int = -1


@contextmanager
def running(url: str, server_key: str, page_key: str, sdk: Path, cache: Path) -> Iterator[Shop]:
    """A shop of these keys on a free port, stopped at the end."""
    environment = {
        **os.environ,
        "PARIBUS_URL": url,
        "PARIBUS_KEY": server_key,
        "SHOP_PAGE_KEY": page_key,
        "SHOP_SDK": str(sdk),
        "XDG_CACHE_HOME": str(cache),
        "PORT": "0",
    }
    command = [sys.executable, str(SHOP / "service.py")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    seen = []
    try:
        for line in process.stdout:
            seen.append(line)
            if found := re.search(r"running on (http://\S+)", line):
                break
        else:
            raise AssertionError("".join(seen))
        shop = Shop(found[1])
        yield shop
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
    said = re.search(r"sent (\d+) events, dropped (\d+)", output)
    assert said is not None, output
    shop.sent, shop.dropped = int(said[1]), int(said[2])


@dataclass
class Watched:
    """The events that a browser posted, by their id, however often."""

    events: dict[str, Json] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def of(self, name: str) -> list[Json]:
        return [event for event in self.events.values() if event["name"] == name]


def watch(context: BrowserContext) -> Watched:
    """Listens to the requests of every page of the context."""
    watched = Watched()

    def note(request: Request) -> None:
        if "/api/v1/events" not in request.url or request.method != "POST":
            return
        body: Any = request.post_data_buffer
        if body is None:
            watched.unread.append(request.url)
            return
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for event in json.loads(body)["batch"]:
            watched.events[event["event_id"]] = event

    context.on("request", note)
    return watched
