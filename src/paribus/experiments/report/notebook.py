"""The result in a notebook: verdict, what failed, the table with its intervals, and how to read them."""

from __future__ import annotations

from paribus.experiments.report.page import render
from paribus.experiments.result import Result


def notebook(result: Result) -> str:
    """An HTML fragment that brings its style, on paper of its own, so that it can be read in any theme."""
    return render("notebook.html.j2", result)
