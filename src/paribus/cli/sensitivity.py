"""The command `paribus sensitivity`: the same data by other methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.experiment import Connection, Json
from paribus.cli.written_options import covariates, share, weights


@answers
def sensitivity(
    source: Annotated[
        str,
        typer.Argument(help="A result (paribus analyze … --json, or --save); or as for analyze, to read units too."),
    ],
    metric: Annotated[
        list[str] | None, typer.Option(help="A table's metric; of others, the one whose units are read; repeat.")
    ] = None,
    units: Annotated[int, typer.Option(help="Rows that may leave the warehouse, at most.", min=1)] = 20_000,
    quantile: Annotated[list[str] | None, typer.Option(help="Where values are compared, 0.9 or 90%; repeat.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    unit: Annotated[str | None, typer.Option(help="Column of the unit's id, for a table.")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the variant, for a table.")] = None,
    control: Annotated[str | None, typer.Option(help="The control's name, for a table.")] = None,
    split: Annotated[str | None, typer.Option(help="Planned split, for a table: control=50,treatment=50.")] = None,
    covariate: Annotated[list[str] | None, typer.Option(help="METRIC=COLUMN from before exposure; repeat.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Only what was known before this time (ISO 8601).")] = None,
    connection: Connection = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder, for an experiment on a flag.")] = None,
    as_json: Json = False,
) -> None:
    """Read every comparison again by other methods; the sealed plan decides, not these.

    A result is read from its moments. An experiment file, a table or a flag's experiment is analyzed first, and then
    its units are read as rows too: by regressions, by quantiles and by the bootstrap.
    """
    from paribus import app

    table = {"unit": unit, "variant": variant, "control": control, "connection": connection}
    given: dict[str, object] = {name: value for name, value in table.items() if value is not None}
    given |= {"split": weights(split)} if split else {}
    given |= {"covariates": covariates(covariate)} if covariate else {}
    found = app.sensitivity(
        source,
        metrics=metric or (),
        units=units,
        quantiles=[p for text in quantile or () if (p := share(text, "--quantile")) is not None],
        seed=seed,
        as_of=as_of,
        data=data,
        **given,
    )
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(found.text())
