"""Commands about paribus.yaml: what each value does, and a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json, say
from paribus.cli.flag import Json
from paribus.errors import InputError

app = typer.Typer(name="config", help="paribus.yaml: what your features are made with.", no_args_is_help=True)


@app.command()
@answers
def check(
    path: Annotated[Path, typer.Argument(help="The configuration file.")] = Path("paribus.yaml"),
    as_json: Json = False,
) -> None:
    """Say for each value what it does, or what it waits for. Exit status: 0 accepted, 2 not."""
    from paribus.workflow import config

    found = config.read(path)
    rows = config.check(found)
    if as_json:
        print_json({"file": str(path), "hash": found.hash, "values": [row.plain() for row in rows]})
        return
    shown = [(row.path, _value(row.value), row.effect, row.what) for row in rows]
    widths = [max(len(each[i]) for each in shown) for i in range(3)]
    before = sum(widths) + 6
    for name, value, effect, what in shown:
        say(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {effect:<{widths[2]}}  {what}", hang=before)
    waiting = len({row.path for row in rows if row.effect == "waits"})
    typer.echo(f"{path} is accepted" + (f"; {waiting} values wait for something" if waiting else ""))


@app.command()
@answers
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("paribus.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a configuration with every default and what it means."""
    from paribus.workflow.config_text import commented

    if path.exists() and not force:
        raise InputError(f"{path} is there already", where=str(path), fix="another name, or --force")
    path.write_text(commented(), encoding="utf-8")
    if as_json:
        print_json({"file": str(path)})
    else:
        typer.echo(f"wrote {path}; next: paribus config check {path}")


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value == "":
        return "—"
    return f"{value:g}" if isinstance(value, float) else str(value)
