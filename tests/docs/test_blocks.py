"""Every code block of the documentation runs, page by page, in a copy of the examples.

`python` blocks share one namespace per page; `console` blocks run their `$ ` lines, in a shell what is more than
a command of Paribus, and must exit with 0 or
with the number in a trailing `# exit N`; `yaml title="NAME"`, `csv title="NAME"` and `sql title="NAME"` blocks are
written to a file of that name before what follows. Blocks marked `text` or `mermaid` show output or pictures.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paribus.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^([ \t]*)```(\w+)([^\n]*)\n(.*?)^\1```", flags=re.MULTILINE | re.DOTALL)
SHOWN_ONLY = {"text", "mermaid", "make"}
PLAIN = re.compile(r"paribus [^|&;<>$`*~]+")
"""A line that needs no shell."""


def blocks(page: Path) -> list[tuple[int, str, str, str]]:
    text = page.read_text()
    found = []
    for match in BLOCK.finditer(text):
        indent, language, info, body = match.groups()
        body = "\n".join(line.removeprefix(indent) for line in body.splitlines()) + "\n"
        found.append((text[: match.start()].count("\n") + 1, language, info.strip(), body))
    return found


def run_console(body: str, folder: Path) -> None:
    environment = dict(
        os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", COLUMNS="80", NO_COLOR="1"
    )
    for line in body.splitlines():
        if not line.startswith("$ "):
            continue
        command, _, comment = line[2:].partition("  # exit ")
        wanted = int(comment) if comment else 0
        if PLAIN.fullmatch(command):
            run_here(command, wanted)
            continue
        done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == wanted, f"$ {command}\n{done.stdout}\n{done.stderr}"


def run_here(command: str, wanted: int) -> None:
    """A command of Paribus alone, without a process of its own: most of its time would be imports."""
    done = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == wanted, f"$ {command}\n{done.output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = ROOT / "src" / "paribus" / "examples"
    shutil.copytree(examples, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, language, info, body in blocks(page):
        where = f"{page.name}:{line}"
        title = re.match(r'title="([^"]+)"', info)
        if language in SHOWN_ONLY:
            continue
        if title:
            (tmp_path / title[1]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title[1]).write_text(body)
        elif language == "python":
            exec(compile(body, where, "exec"), namespace)
        elif language == "console":
            run_console(body, tmp_path)
        else:
            pytest.fail(f"{where}: a {language} block that no test runs; give it a title or call it text")
