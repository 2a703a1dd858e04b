"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "src", ROOT / "sdk" / "python" / "src")
MODULES = sorted(
    ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    for source in SOURCES
    for path in source.rglob("*.py")
    if ">>> " in path.read_text()
)
ROOMS = sorted({".".join(module.split(".")[:2]) for module in MODULES})


@pytest.mark.parametrize("room", ROOMS)
def test_examples_of_docstrings(room: str) -> None:
    tried = 0
    for name in MODULES:
        if name == room or name.startswith(f"{room}."):
            found = doctest.testmod(importlib.import_module(name), report=True)
            assert not found.failed, name
            tried += found.attempted
    assert tried
