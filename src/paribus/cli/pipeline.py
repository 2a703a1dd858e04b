"""Commands that a pipeline's schedule calls: the star model, an export, and what there is to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, store_of
from paribus.settings import from_environment

app = typer.Typer(name="pipeline", help="From events to tables: refresh, export, discover.", no_args_is_help=True)
Feature = Annotated[str, typer.Argument(help="The feature whose pipeline plan says what the tables hold.")]


@app.command()
@answers
def refresh(feature: Feature, data: Data = None, as_json: Json = False) -> None:
    """Bring the star model up to the lake, from new events alone where that is enough."""
    from paribus.app import pipeline

    settings = from_environment(data=data)
    with store_of(data) as store:
        state = pipeline.refresh(store, settings.data, feature)
    if as_json:
        print_json({"lake": state.table, "version": state.version, "rows": state.rows})
        return
    for name, rows in state.rows.items():
        typer.echo(f"{name:<16} {rows:>12,} rows")
    typer.echo(f"up to version {state.version} of the lake")


@app.command()
@answers
def compare(feature: Feature, data: Data = None, as_json: Json = False) -> None:
    """Build the star model again and compare it with the one that is kept. Exit status: 0 equal, 1 not."""
    from paribus.app import pipeline

    settings = from_environment(data=data)
    with store_of(data) as store:
        found = pipeline.compare(store, settings.data, feature)
    if as_json:
        print_json(found)
    else:
        for name, rows in found.items():
            typer.echo(f"{name:<16} {rows:>12,} rows differ")
    if any(found.values()):
        raise typer.Exit(1)


@app.command()
@answers
def export(
    folder: Annotated[Path, typer.Argument(help="Where events.parquet is written.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write every event of the lake once, as Parquet, for other tools."""
    from paribus.app import pipeline

    path = pipeline.export(from_environment(data=data).data, folder)
    if as_json:
        print_json({"file": str(path), "bytes": path.stat().st_size})
        return
    typer.echo(str(path))


@app.command()
@answers
def discover(
    url: Annotated[list[str] | None, typer.Argument(help="URLs of databases, or files.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what there is to be read: the lake, files, tables of databases."""
    from dataclasses import asdict

    from paribus.app import pipeline

    found = pipeline.discover(from_environment(data=data).data, tuple(url or ()))
    if as_json:
        print_json([asdict(each) for each in found])
        return
    for each in found:
        typer.echo(f"{each.kind:<9} {each.name:<40} {each.columns:>4} columns  {each.source}")
    if not found:
        typer.echo("nothing to be read")
