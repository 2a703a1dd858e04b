"""The dossier as one self-contained HTML page: the scorecard first, then sixteen steps in six phases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from paribus.charts.theme import STYLE, scheme_rules
from paribus.workflow.artifact import Artifact, Outcome
from paribus.workflow.block import Block, Code, Diagram, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.context import Feature
from paribus.workflow.dossier import StepState
from paribus.workflow.scorecard import Scorecard
from paribus.workflow.standing import standing
from paribus.workflow.step import BY_SLUG, PHASES

if TYPE_CHECKING:
    from jinja2 import Environment

LONG = 60
"""Characters from which a cell is a sentence, and needs room on a narrow screen."""
_MARKS = {
    "done": "✓",
    "open": "·",
    "stale": "↻",
    "blocked": "✗",
    "waits for approval": "?",
    "rejected": "✗",
}


def render(
    feature: Feature,
    states: Sequence[StepState],
    artifacts: Mapping[str, Artifact],
    blocks: Mapping[str, Sequence[Block]],
    scorecard: Scorecard,
) -> str:
    """The page; it loads nothing, so it can be sent by mail and opened years later."""
    phases = [
        {
            "number": number,
            "name": name,
            "steps": [_step(state, artifacts, blocks) for state in states if state.step.phase == number],
        }
        for number, name in enumerate(PHASES, start=1)
    ]
    return (
        _environment()
        .get_template("dossier.html.j2")
        .render(
            feature=feature,
            phases=phases,
            scorecard=scorecard,
            standing=standing(states, artifacts),
            marks=_MARKS,
            style=Markup(scheme_rules(".pb-dossier") + STYLE + _sheet()),  # noqa: S704 - our own text
        )
    )


def _step(state: StepState, artifacts: Mapping[str, Artifact], blocks: Mapping[str, Sequence[Block]]) -> dict[str, Any]:
    slug = state.step.slug
    artifact = artifacts.get(slug)
    checks = artifact.checks if artifact else ()
    quiet = [check for check in checks if check.status in {"passed", "not_applicable"}]
    return {
        "state": state,
        "step": BY_SLUG[slug],
        "artifact": artifact,
        "alarming": [check for check in checks if check.status in {"failed", "warned"}],
        "quiet": quiet,
        "quiet_words": _quiet_words(quiet),
        "body": Markup("".join(drawn(block) for block in blocks.get(slug, ()))),  # noqa: S704 - escaped below
    }


def _quiet_words(checks: Sequence[Outcome]) -> str:
    """How many checks passed, and how many do not apply."""
    passed = sum(check.status == "passed" for check in checks)
    idle = len(checks) - passed
    said = f"{passed} check{'s' if passed != 1 else ''} passed" if passed else ""
    if idle:
        said += f"{', ' if said else ''}{idle} {'do' if idle != 1 else 'does'} not apply"
    return said


def drawn(block: Block) -> str:
    """A block as HTML; user text is escaped."""
    if isinstance(block, Heading):
        return f"<h4>{escape(block.text)}</h4>"
    if isinstance(block, Paragraph):
        return f"<p>{marked(block.text)}</p>"
    if isinstance(block, Listing):
        return f"<ul>{''.join(f'<li>{marked(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Code):
        caption = f"<summary>{escape(block.caption or block.language)}</summary>"
        return f"<details class='code'>{caption}<pre><code>{escape(block.text)}</code></pre></details>"
    source = ""
    if isinstance(block, Diagram):
        text = escape(block.mermaid)
        source = f"<details class='code'><summary>as Mermaid</summary><pre><code>{text}</code></pre></details>"
    caption = f"<figcaption>{escape(block.caption)}</figcaption>" if block.caption else ""
    wide = " class='wide'" if isinstance(block, Picture | Diagram) and block.figure.width > 900 else ""
    return f"<figure{wide}>{caption}{block.figure.inline()}</figure>{source}"


def _table(table: Table) -> str:
    sides = ["right" if column in set(table.right) else "left" for column in table.columns]
    head = "".join(
        f"<th class='{side}'>{marked(column)}</th>" for column, side in zip(table.columns, sides, strict=True)
    )
    rows = "".join(f"<tr>{_row(row, sides)}</tr>" for row in table.rows)
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return f"<div class='scroll'><table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _row(row: Sequence[str], sides: Sequence[str]) -> str:
    return "".join(
        f"<td class='{side}{' long' if len(value) > LONG else ''}'>{marked(value)}</td>"
        for value, side in zip(row, sides, strict=True)
    )


def marked(text: str) -> str:
    """Plain text with `code` and **strong** as HTML; everything else is escaped."""
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)


@cache
def _sheet() -> str:
    return _environment().get_template("dossier.css").render()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("paribus.workflow"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = lambda text: Markup(marked(text))  # noqa: S704 - escaped inside
    return environment
