"""Generated tests, run where they were generated: in a folder of their own, in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

COMMAND = "python -m unittest"
NEEDED = {"fastapi": ("fastapi",), "flask": ("flask",), "django": ("django",)}


@dataclass(frozen=True, slots=True)
class Trial:
    """How a run of generated tests ended; `note` says why it did not run, or shows the first failures."""

    passed: int
    failed: int
    note: str = ""

    @property
    def ran(self) -> bool:
        """Whether tests ran at all."""
        return self.passed + self.failed > 0


def missing(framework: str, provider: str) -> str:
    """The first module that the tests need and this interpreter lacks; empty when it has all."""
    needed = [*NEEDED[framework], "prometheus_client"] + (["openfeature"] if provider != "paribus" else [])
    return next((module for module in needed if find_spec(module) is None), "")


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Writes each file under the folder."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def try_tests(files: Mapping[str, str], *, seconds: float = 30.0) -> Trial:
    """Runs the tests of these files with this interpreter; one that takes longer counts as failed."""
    with tempfile.TemporaryDirectory(prefix="generated-") as name:
        write_files(files, Path(name))
        hidden = ("PARIBUS_", "PAGE_", "FLAG_PROVIDER", "PYTEST_", "COVERAGE")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "unittest", "-q"],
                cwd=name,
                env=environment,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Trial(0, 1, f"no end within {seconds:g} s")
    return read_outcome(done.stderr, done.returncode)


def read_outcome(text: str, code: int) -> Trial:
    """The counts that unittest printed; what differs from run to run (times, folders) is left out."""
    ran = re.search(r"^Ran (\d+) tests?", text, flags=re.MULTILINE)
    total = int(ran[1]) if ran else 0
    bad = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", text))
    if code != 0 and not bad:
        bad = max(total, 1)
    names = re.findall(r"^(?:FAIL|ERROR): (\S+)", text, flags=re.MULTILINE)
    return Trial(max(total - bad, 0), bad, ", ".join(sorted(set(names))[:5]))
