"""The sample shop as a process, and what a visitor's pages say that they sent."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.arrival import Json
from tests.clients.genuine import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

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


NOTEBOOK = """
{
  const keep = (url, body) => {
    if (String(url).includes("/api/v1/events")) {
      localStorage.setItem("posted", (localStorage.getItem("posted") ?? "") + body + "\\n");
    }
  };
  const { fetch } = window, { sendBeacon } = navigator;
  window.fetch = (url, options) => (keep(url, options?.body), fetch(url, options));
  navigator.sendBeacon = (url, body) => (keep(url, body), sendBeacon.call(navigator, url, body));
}
"""
"""Notes what a page posts, also as it goes away, which nobody outside of the page is told."""


def posted(page: Page, url: str) -> dict[str, Json]:
    """The events that the pages of a visitor posted, by their id, however often."""
    page.goto(f"{url}/assets/shop.js")  # of the shop, and without its script
    lines = str(page.evaluate("localStorage.getItem('posted') ?? ''")).splitlines()
    return {event["event_id"]: event for line in lines for event in json.loads(line)["batch"]}
