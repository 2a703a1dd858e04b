"""The command that shows how the running server does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Json
from paribus.settings import from_environment


@answers
def signals(
    seconds: Annotated[float, typer.Option(help="How long the server is watched.", min=0.1, max=600)] = 5.0,
    url: Annotated[str | None, typer.Option("--url", help="A server elsewhere than on the data folder.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; paribus-data unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Show the server's golden signals: requests, errors, duration, and what waits; of a feature, see its step 13."""
    from paribus.app.signals import server_signals

    found = server_signals(from_environment(data=data).data, seconds, url=url)
    if as_json:
        print_json(found.plain())
        return
    typer.echo(f"{found.url}, {seconds:g} s watched")
    typer.echo(f"{'':<28}{'a second':>12}{'failed':>10}{'median':>12}{'p95':>12}{'in progress':>14}")
    for each in (found.whole, *found.routes):
        share = "" if each.error_share is None else f"{each.error_share:.2%}"
        half, most = (f"{ms:,.1f} ms" if ms is not None else "" for ms in (each.p50_ms, each.p95_ms))
        busy = "" if each.in_progress is None else f"{each.in_progress:.3f}"
        typer.echo(f"{each.of[:27]:<28}{each.per_second:>12,.1f}{share:>10}{half:>12}{most:>12}{busy:>14}")
    for name, value in found.saturation.items():
        typer.echo(f"{name.replace('_', ' '):<28}{value:>12,.1f}")
