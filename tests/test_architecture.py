"""The map in docs/architecture.md is a claim about the tree; this test keeps it true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "paribus"


def rooms_on_disk() -> set[str]:
    folders = {p.name + "/" for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    files = {p.name for p in PACKAGE.glob("*.py") if p.name not in {"__init__.py", "__main__.py"}}
    return folders | files


def test_every_room_is_on_the_map_and_every_mapped_room_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+(?:/|\.py))` \| ([^|]+) \|", text, flags=re.MULTILINE)
    assert dict(rows), "the map of rooms is a table whose first column is the room"
    assert {room for room, _ in rows} == rooms_on_disk()


def test_paths_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in re.findall(r"`((?:src|tests|docs|spec|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_no_utils_helpers_common_core_or_manager() -> None:
    names = {p.stem for p in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "util", "helpers", "common", "core", "manager"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in printed.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"scipy", "duckdb", "sqlglot", "sqlalchemy", "pandas", "polars", "pyarrow", "pydantic", "rich", "jinja2"}
    assert not modules_after("import paribus") & (heavy | {"numpy"})
    assert not modules_after("import paribus.stats") & heavy


def test_help_loads_no_engine() -> None:
    loaded = modules_after("import paribus.cli")
    assert not loaded & {"numpy", "scipy", "duckdb", "sqlglot", "sqlalchemy", "pandas", "pyarrow", "pydantic"}
