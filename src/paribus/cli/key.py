"""Commands about API keys: made, listed, rotated, revoked. A secret is printed once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, author, store_of
from paribus.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from paribus.governance.access import Key

app = typer.Typer(name="key", help="API keys: create, list, rotate, revoke.", no_args_is_help=True)


@app.command()
@answers
def create(
    scope: Annotated[str, typer.Option(help="server, client, intake, admin or agent.")],
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="The environment it reads and writes.")
    ] = "dev",
    source: Annotated[str, typer.Option(help="Label of the events that come with it; kept by rotation.")] = "main",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key and print its secret, and nothing else; it cannot be read again."""
    from paribus.governance.access import SCOPES, create_key

    if scope not in SCOPES:
        raise InputError(f"{scope!r} is no scope", where="--scope", fix=did_you_mean(scope, SCOPES))
    with store_of(data, create=True) as store:
        key, secret = create_key(store, scope, environment=environment, source=source, author=author())
    if as_json:
        print_json(plain(key) | {"secret": secret})
    else:
        typer.echo(secret)


@app.command("list")
@answers
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the keys: their beginning, scope and state, never the secret."""
    from paribus.governance.access import list_keys

    with store_of(data) as store:
        keys = list_keys(store)
    if as_json:
        print_json([plain(key) for key in keys])
        return
    if not keys:
        typer.echo("no keys yet; paribus key create --scope server")
    for key in keys:
        typer.echo(f"{key.id}  {key.prefix}…  {key.scope:<6}  {key.environment}  {key.source}  {_state(key)}")


@app.command()
@answers
def rotate(
    key_id: Annotated[str, typer.Argument(help="The key's id, from paribus key list.")],
    grace_hours: Annotated[float, typer.Option(help="How long the old one stays valid.", min=0)] = 24.0,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Replace a key: print the new secret; the old one stays valid for a while."""
    from paribus.governance.access import rotate_key

    with store_of(data) as store:
        key, secret = rotate_key(store, key_id, author=author(), grace=timedelta(hours=grace_hours))
    if as_json:
        print_json(plain(key) | {"secret": secret})
    else:
        typer.echo(secret)


@app.command()
@answers
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, from paribus key list.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a key's validity, everywhere within a second."""
    from paribus.governance.access import revoke_key

    with store_of(data) as store:
        key = revoke_key(store, key_id, author=author())
    if as_json:
        print_json(plain(key))
    else:
        typer.echo(f"revoked {key.prefix}…")


def plain(key: Key) -> dict[str, Any]:
    """A key as plain fields, without its hash."""
    return {
        "id": key.id,
        "scope": key.scope,
        "project": key.project,
        "environment": key.environment,
        "source": key.source,
        "prefix": key.prefix,
        "created": key.created_time.isoformat(),
        "created_by": key.created_by,
        "expires": key.expires_time.isoformat() if key.expires_time else None,
        "revoked": key.revoked_time.isoformat() if key.revoked_time else None,
        "replaced_by": key.replaced_by,
    }


def _state(key: Key) -> str:
    if key.revoked_time is not None:
        return f"revoked {key.revoked_time:%Y-%m-%d %H:%M}"
    if key.expires_time is not None:
        return f"valid until {key.expires_time:%Y-%m-%d %H:%M} UTC"
    return "valid"
