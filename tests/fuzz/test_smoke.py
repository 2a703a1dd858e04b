"""Each fuzz target runs for a moment in every test run, so that it never rots; long runs are a target of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = sorted(Path(__file__).parent.glob("fuzz_*.py"))
ROOT = Path(__file__).parents[2]


def _run(target: Path, options: list[str], seconds: int, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(target), *options, f"-artifact_prefix={folder}/"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{target.name} found a crash:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.stem)
def test_the_target_runs(target: Path, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="fuzzing needs atheris (Linux): uv sync --group test")
    _run(target, ["-max_total_time=3", "-seed=1"], 60, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.stem)
def test_nothing_is_found_in_many_runs(target: Path, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="fuzzing needs atheris (Linux): uv sync --group test")
    _run(target, ["-runs=200000"], 900, tmp_path)
