"""The result as plain text of at most 80 columns: what `repr` and a notebook without HTML show."""

from __future__ import annotations

from paribus.experiments.report.document import brief
from paribus.experiments.report.lines import plain
from paribus.experiments.result import Result

WIDTH = 80


def text(result: Result, *, width: int = WIDTH, ascii_only: bool = False) -> str:
    """The verdict, the table of effects like a paper's, and how its numbers are to be read."""
    return plain(brief(result, width, ascii_only=ascii_only))
