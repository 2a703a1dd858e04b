"""What commands that analyze write and print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from paribus.cli.answer import print_json, say
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.experiments.result import Result


class Told(Protocol):
    """A result that is no experiment's."""

    def page(self) -> str: ...

    def text(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


def deliver(
    result: Result,
    *,
    html: Path | None,
    csv: Path | None,
    save: Path | None,
    as_json: bool,
    pdf: Path | None = None,
    notebook: Path | None = None,
) -> None:
    """Writes the files that were asked for, then prints the result."""
    import json

    from paribus.experiments import report

    written: dict[str, Path] = {}
    if html is not None:
        written["report"] = write(html, report.page(result))
    if pdf is not None:
        from paribus.app.paper import print_pdf

        written["print"] = print_pdf(report.page(result), pdf)
    if notebook is not None:
        written["notebook"] = write(notebook, report.ipynb(result))
    if csv is not None:
        written["estimates"] = write(csv, report.csv(result))
    if save is not None:
        written["result"] = write(save, json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n")
    if as_json:
        print_json(result.to_dict())
        return
    report.terminal(result)
    for name, path in written.items():
        typer.echo(f"{name}: {path}")


def write(path: Path, content: str) -> Path:
    """Writes a file, and its folder when that is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the file cannot be written: {error.strerror}", where=str(path)) from error
    return path


def refuse_beside(option: str, other: Mapping[str, object], source: str, *, rule: str, fix: str) -> None:
    """Refuses what was given for options that `option` has no place for.

    Raises:
        InputError: it names them.
    """
    given = [name for name, value in other.items() if value]
    if given:
        raise InputError(f"{', '.join(given)} cannot be given beside {option}", where=source, rule=rule, fix=fix)


def deliver_told(result: Told, *, html: Path | None, as_json: bool) -> None:
    """Writes the page that was asked for, then prints the result."""
    written = write(html, result.page()) if html is not None else None
    if as_json:
        print_json(result.to_dict())
        return
    for line in result.text().split("\n"):
        say(line, hang=2)
    if written is not None:
        typer.echo(f"report: {written}")
