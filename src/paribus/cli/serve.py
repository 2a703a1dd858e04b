"""The command that runs the server: flags, intake, API and storage, and beside it the process that writes the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paribus.cli.answer import answers
from paribus.cli.flag import author

if TYPE_CHECKING:
    from paribus.app.live import Installation

ENVIRONMENT = "dev"


@answers
def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind; 127.0.0.1 unless given.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 8400 unless given, 0 takes a free one.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; paribus-data unless given.")] = None,
) -> None:
    """Run flags, intake, API and storage, until interrupted."""
    from paribus.app.live import Installation
    from paribus.server import serve as serve_http
    from paribus.settings import from_environment

    settings = from_environment(data=data, host=host, port=port)
    with Installation(settings) as live:
        _first_keys(live)
        for table, repaired in live.lake.repairs.items():
            if repaired.reason:
                typer.echo(f"repaired {table}: {repaired.reason}; set aside {len(repaired.set_aside)} files", err=True)

        def ready(url: str) -> None:
            live.announce(url)
            live.start(beside=True)  # now: the start of the other process would slow down this one's
            typer.echo(f"Paribus is ready at {url} (data in {live.folder})")

        serve_http(live, ready=ready)
    typer.echo("stopped; everything acknowledged is in the lake")


def _first_keys(live: Installation) -> None:
    from paribus.governance.access import create_key, list_keys

    if list_keys(live.store):
        return
    typer.echo("keys, shown this once (paribus key create makes more):")
    for scope in ("server", "client", "admin"):
        _, secret = create_key(live.store, scope, environment=ENVIRONMENT, author=author())
        typer.echo(f"  {scope:<7} {secret}")
