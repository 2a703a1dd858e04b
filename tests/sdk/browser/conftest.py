"""The built SDK and a real Chromium."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.sdk.browser.loopback import Loopback, loopback

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[3]
SDK = ROOT / "sdk" / "browser"
CHROMIUM = "/usr/bin/chromium"


def missing(what: str) -> None:
    """Skips on a machine that lacks a tool; CI has them all."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI runs the browser SDK: {what} is missing")
    pytest.skip(f"{what} is missing")


def digest(*paths: Path) -> str:
    """A fingerprint of these files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.read_bytes())
    return total.hexdigest()


def run(*command: str, folder: Path = SDK) -> str:
    """What a command prints, run in the SDK's folder unless told otherwise; a failure shows it."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def built() -> Path:
    """`dist/`, built once from what is in the folder now; packages installed once per lock file."""
    if shutil.which("npm") is None:
        missing("npm")
    guard = ROOT / ".cache" / "browser-sdk.lock"
    guard.parent.mkdir(exist_ok=True)
    with guard.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        locked = digest(SDK / "package-lock.json")
        stamp = SDK / "node_modules" / ".installed"
        if not stamp.exists() or stamp.read_text() != locked:
            run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
            stamp.write_text(locked)
        sources = digest(*SDK.glob("src/*"), *SDK.glob("*.json"), SDK / "build.mjs")
        mark = SDK / "dist" / ".built"
        if not mark.exists() or mark.read_text() != sources:
            run("npm", "run", "build", "--silent")
            mark.write_text(sources)
    return SDK / "dist"


@pytest.fixture(scope="module")  # it runs an event loop, in which other modules' tests cannot run theirs
def browser(built: Path) -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM).exists():
        missing("Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor with an empty browser."""
    opened = browser.new_context()
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server of this test's own."""
    with loopback() as running:
        yield running


Visit = Callable[..., "Page"]


@pytest.fixture
def visit(context: BrowserContext, server: Loopback) -> Visit:
    """Opens a page of the server whose client has these options, in a new tab or the one given."""

    def go(page: Page | None = None, path: str = "/page", **options: Any) -> Page:
        tab = page or context.new_page()
        tab.goto(f"{server.url}{path}?options={quote(json.dumps(options))}")
        return tab

    return go
