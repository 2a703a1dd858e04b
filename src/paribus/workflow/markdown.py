"""Blocks as Markdown, for git and for readers without a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence

from paribus.workflow.block import Block, Code, Diagram, Heading, Listing, Paragraph, Table


def markdown(blocks: Sequence[Block], *, prefix: str) -> tuple[str, dict[str, str]]:
    """The text, and the SVG files it refers to, by name; their names begin with `prefix`."""
    parts: list[str] = []
    drawings: dict[str, str] = {}
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"### {block.text}")
        elif isinstance(block, Paragraph):
            parts.append(block.text)
        elif isinstance(block, Listing):
            parts.append("\n".join(f"- {item}" for item in block.items))
        elif isinstance(block, Table):
            parts.append(_table(block))
        elif isinstance(block, Code):
            parts.append((f"{block.caption}\n\n" if block.caption else "") + _fenced(block.text, block.language))
        else:
            name = f"{prefix}-{len(drawings) + 1}.svg"
            drawings[name] = block.figure.svg
            parts.append(f"![{block.figure.title}]({name})" + (f"\n\n*{block.caption}*" if block.caption else ""))
            if isinstance(block, Diagram):
                parts.append(_fenced(block.mermaid, "mermaid"))
            else:
                parts.append(block.figure.description)
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n", drawings


def _table(table: Table) -> str:
    right = set(table.right)
    head = f"| {' | '.join(_cell(column) for column in table.columns)} |"
    rule = f"|{'|'.join('---:' if column in right else '---' for column in table.columns)}|"
    rows = [f"| {' | '.join(_cell(value) for value in row)} |" for row in table.rows]
    caption = [f"**{table.caption}**", ""] if table.caption else []
    return "\n".join([*caption, head, rule, *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or " "


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
