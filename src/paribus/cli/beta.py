"""Commands about volunteers: who asked for a feature before its experiment, up to the cap of its beta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, Key, author, store_of

if TYPE_CHECKING:
    from paribus.rollout.beta import Standing

app = typer.Typer(name="beta", help="Volunteers of a flag's beta: join, leave, list.", no_args_is_help=True)

Units = Annotated[list[str], typer.Argument(help="Ids of units.")]
Environment = Annotated[str, typer.Option("--environment", "-e", help="Where the feature is rolled out.")]


@app.command()
@answers
def join(
    key: Key, units: Units, environment: Environment = "production", data: Data = None, as_json: Json = False
) -> None:
    """Put units in line; those within the cap get the treatment while the beta is open, and are never analyzed."""
    from paribus.app.folder import clock_of
    from paribus.rollout import beta
    from paribus.settings import from_environment

    clock = clock_of(from_environment(data=data).data)
    with store_of(data) as store:
        found = beta.join(store, environment, key, units, clock=clock, author=author())
    _said(found, as_json=as_json)


@app.command()
@answers
def leave(
    key: Key, units: Units, environment: Environment = "production", data: Data = None, as_json: Json = False
) -> None:
    """Take units out of the line; the next ones move up."""
    from paribus.rollout import beta

    with store_of(data) as store:
        found = beta.leave(store, environment, key, units, author=author())
    _said(found, as_json=as_json)


@app.command("list")
@answers
def list_(key: Key, environment: Environment = "production", data: Data = None, as_json: Json = False) -> None:
    """Show who is in, and who waits."""
    from paribus.rollout import beta

    with store_of(data) as store:
        found = beta.standing(store, environment, key)
    _said(found, as_json=as_json, names=True)


def _said(found: Standing, *, as_json: bool, names: bool = False) -> None:
    if as_json:
        print_json(
            {
                "flag": found.beta.flag,
                "environment": found.beta.environment,
                "variant": found.beta.variant,
                "cap": found.beta.cap_units,
                "opened": found.beta.opened or None,
                "admitted": list(found.admitted),
                "waiting": list(found.waiting),
            }
        )
        return
    state = f"open since {found.beta.opened[:16].replace('T', ' ')}" if found.beta.opened else "not open yet"
    typer.echo(
        f"{found.beta.flag}: {len(found.admitted):,} of at most {found.beta.cap_units:,} volunteers, "
        f"{len(found.waiting):,} waiting; {state}"
    )
    for word, units in (("in", found.admitted), ("waiting", found.waiting)) if names else ():
        for unit in units:
            typer.echo(f"  {word:<8} {unit}")
