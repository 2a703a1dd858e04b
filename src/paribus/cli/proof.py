"""Commands that show how a result was computed, and compute it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.experiment import Connection, Json


@answers
def sql(
    path: Annotated[Path, typer.Argument(help="experiment.yaml")],
    dialect: Annotated[str | None, typer.Option(help="bigquery, snowflake, postgres …; the source's own.")] = None,
    as_json: Json = False,
) -> None:
    """Print the statements in the order in which they would run."""
    from paribus import app

    statements = app.sql(path, dialect=dialect)
    if as_json:
        print_json([{"name": s.name, "dialect": s.dialect, "sql": s.sql} for s in statements])
        return
    for statement in statements:
        typer.echo(f"-- {statement.name} ({statement.dialect})\n{statement.sql};\n")


@answers
def verify(
    path: Annotated[Path, typer.Argument(help="A result: paribus analyze … --json, or --save.")],
    data: Annotated[bool, typer.Option(help="Also measure again where the data are in reach.")] = True,
    connection: Connection = None,
    as_json: Json = False,
) -> None:
    """Recompute a result from its proof. Exit status: 0 reproduced, 1 differs, 3 data changed, 4 not addressable."""
    from paribus import app

    verification = app.verify(path, data=data, connection=connection)
    if as_json:
        print_json(verification.to_dict())
    else:
        typer.echo(verification.text())
    raise typer.Exit(verification.exit_code)
