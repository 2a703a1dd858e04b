"""The result in a terminal: never wider than it, colored only where that is wanted, and never said by color alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from paribus.experiments.report.document import full
from paribus.experiments.result import Result

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST, WIDEST = 40, 100
COLORS = {"": "", "strong": "bold", "muted": "dim", "good": "bold green", "bad": "bold red", "caution": "yellow"}


def terminal(result: Result, console: Console | None = None) -> None:
    """Prints the whole report. `console` defaults to standard output; NO_COLOR and TERM=dumb are obeyed.

    Redirected to a file the width is 80 columns (or COLUMNS), without escape codes; where the output cannot write
    Unicode, every sign has an ASCII spelling.
    """
    from rich.console import Console
    from rich.text import Text

    console = console or Console(highlight=False)
    width = min(max(console.width, NARROWEST), WIDEST)
    for line in full(result, width, ascii_only=_ascii_only(console)):
        words = Text.assemble(*((span.text, COLORS[span.style]) for span in line))
        words.rstrip()
        console.print(words, no_wrap=True, overflow="ignore", crop=False, highlight=False, markup=False)


def _ascii_only(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf") or os.environ.get("TERM") == "dumb"
