"""What is generated for callers type-checks; a variant or a value that the flag does not have does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.browser.conftest import SDK, built

from paribus.flags.client_types import python_types, typescript_types

__all__ = ["built"]
FLAGS: dict[str, dict[str, Any]] = {
    "boolean": {"control": False, "treatment": True},
    "string": {"control": "as before", "treatment": 'one "click"'},
    "integer": {"control": 0, "treatment": 7},
    "float": {"control": 0.5, "treatment": 1.5},
    "json": {"control": {"a": [1, None]}, "treatment": {}},
}
WRONG = {"boolean": '"yes"', "string": '"another"', "integer": "3", "float": '"1"', "json": "3"}


def body(kind: str) -> dict[str, Any]:
    return {"type": kind, "variants": FLAGS[kind], "default_variant": "control"}


@pytest.mark.parametrize("kind", FLAGS)
def test_the_python_module_holds_the_flags_values(kind: str) -> None:
    names: dict[str, Any] = {}
    exec(python_types("fast", body(kind)), names)
    assert names["VALUES"] == FLAGS[kind]
    assert (names["FLAG"], names["CONTROL"]) == ("fast", "control")


def test_what_the_flag_does_not_have_is_no_python(tmp_path: Path) -> None:
    for kind in FLAGS:
        (tmp_path / f"flag_{kind}.py").write_text(python_types("fast", body(kind)))
        good = f"from flag_{kind} import VALUES, Value, Variant\nok: Variant = 'treatment'\nvalue: Value = VALUES[ok]\n"
        (tmp_path / f"use_{kind}.py").write_text(f"{good}no: Variant = 'third'\nwrong: Value = {WRONG[kind]}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / ".cache"), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    wrong = sorted(line.split(": error")[0] for line in done.stdout.splitlines() if ": error" in line)
    assert wrong == sorted(f"use_{kind}.py:{line}" for kind in FLAGS for line in (4, 5)), done.stdout


@pytest.mark.slow
def test_what_the_flag_does_not_have_is_no_typescript(tmp_path: Path, built: Path) -> None:
    for kind in FLAGS:
        (tmp_path / f"flag_{kind}.ts").write_text(typescript_types("fast", body(kind)))
        lines = [
            f'import {{ VALUES, type Value, type Variant }} from "./flag_{kind}";',
            'export const ok: Variant = "treatment";',
            "export const value: Value = VALUES[ok];",
            'export const no: Variant = "third";',
            f"export const wrong: Value = {WRONG[kind]};",
        ]
        (tmp_path / f"use_{kind}.ts").write_text("\n".join(lines))
    files = [path.name for path in tmp_path.glob("*.ts")]
    command = [str(SDK / "node_modules" / ".bin" / "tsc"), "--noEmit", "--strict", "--target", "es2022", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    wrong = sorted(line.partition(",")[0].replace("(", ":") for line in done.stdout.splitlines() if "error" in line)
    assert wrong == sorted(f"use_{kind}.ts:{line}" for kind in FLAGS for line in (4, 5)), done.stdout
