"""The npm packages of the genuine clients, installed once for each lock file, and programs that use them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "node"


def missing(what: str) -> None:
    """Skips on a machine that lacks a tool; CI has them all."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI runs the genuine clients: {what} is missing")
    pytest.skip(f"{what} is missing")


def install(folder: Path = PROGRAMS) -> Path:
    """The folder, with the packages of its lock file in place."""
    if shutil.which("npm") is None:
        missing("npm")
    guard = ROOT / ".cache" / "genuine-clients.lock"
    guard.parent.mkdir(exist_ok=True)
    with guard.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        locked = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
        stamp = folder / "node_modules" / ".installed"
        if not stamp.exists() or stamp.read_text() != locked:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(locked)
    return folder


def run(program: str, *arguments: str, **given: Any) -> Any:
    """What a program prints as JSON, given JSON on its standard input."""
    command = ["node", program, *arguments]
    done = subprocess.run(
        command, cwd=PROGRAMS, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout.startswith(("[", "{")) else None
