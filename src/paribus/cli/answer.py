"""How every command answers: text for people, JSON for scripts, errors in four fields, no traceback for a mistake."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import typer

from paribus.errors import ParibusError

P = ParamSpec("P")
T = TypeVar("T")

USER_ERROR = 2
INTERRUPTED = 130
NARROWEST = 40


def answers(command: Callable[P, T]) -> Callable[P, T]:
    """Draws a command's `ParibusError` on standard error (with --json as JSON on standard output) and exits with 2."""

    @functools.wraps(command)
    def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except ParibusError as error:
            if kwargs.get("as_json"):
                print_json({"error": error.to_dict()})
            else:
                typer.secho(f"error: {error}", fg=typer.colors.RED if colored() else None, err=True)
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt:
            typer.echo("stopped; nothing was changed", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has seen enough; Python must not complain again while it shuts down.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return answered


def colored() -> bool:
    """Whether standard error wants color."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def say(text: str, *, hang: int = 0) -> None:
    """A line for people: on a terminal it goes on below itself, `hang` columns in; a pipe gets it whole."""
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns, NARROWEST)
        text = "\n".join(
            textwrap.fill(
                line,
                width,
                subsequent_indent=" " * min(hang, width // 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in text.split("\n")
        )
    typer.echo(text)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress(title: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error while something long runs; silent where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda share, word: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share, word: bar.update(task, completed=share, description=f"{title}: {word}" if word else title)
