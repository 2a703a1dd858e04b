"""The workflow as an agent skill: a folder with one file, which hosts of agents find and list."""

from __future__ import annotations

from pathlib import Path

from paribus.errors import InputError
from paribus.mcp.prompt import NAMES, TITLE, way

NAME = NAMES[1]
FILE = "SKILL.md"
DESCRIPTION = (
    "Develops a product feature guided by data, from a requirement in one sentence to a decision that its evidence "
    "carries, through exploration, hypotheses, a sealed experiment, architecture, instrumentation, code, validation, "
    "rollout, analysis and value. Use when somebody wants to build, test or judge a feature with data or an A/B test."
)


def text() -> str:
    """The skill's file: what it is for, what it needs, the whole way."""
    return f"""\
---
name: {NAME}
description: {DESCRIPTION}
license: Apache-2.0
compatibility: Needs the MCP server of Paribus (paribus mcp), or its command line.
---

# {TITLE}

The tools named here are those of the MCP server `paribus`. Without it, every step is a command:
`paribus feature new "…"`, `paribus feature run KEY --until STEP`, `paribus feature show KEY --step STEP`,
`paribus feature approve KEY STEP`, `paribus feature export KEY FOLDER`.

What you may do alone is the resource `paribus://policy`; on the command line a person approves.

{way("$ARGUMENTS")}
"""


def write(folder: Path) -> Path:
    """Writes the skill into a folder of skills; the path of its file. An older one is replaced.

    Raises:
        InputError: it cannot be written there.
    """
    path = folder / NAME / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"the skill cannot be written: {error.strerror}", where=str(path)) from error
    return path
