"""The command that answers a request to a data engineer."""

from __future__ import annotations

from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Json


@answers
def engineer(
    request: Annotated[str, typer.Argument(help='For instance "a pipeline that handles late events".')],
    as_json: Json = False,
) -> None:
    """Answer a data engineering request with a plan in eight parts. Exit status: 0 accepted, 1 objections."""
    from paribus.app.engineering import engineered
    from paribus.workflow.engineering.page import markdown

    plan = engineered(request)
    if as_json:
        print_json(plan)
    else:
        typer.echo(markdown(plan), nl=False)
    if plan["objections"]:
        raise typer.Exit(1)
