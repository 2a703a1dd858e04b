"""Commands about experiments that live in the store: created from a flag, sealed, listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Environment, Json, author, plain, store_of
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.experiments.drafting import Method
    from paribus.experiments.plan import Seal

app = typer.Typer(name="experiment", help="Experiments on flags: create, seal, list, show.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The experiment's key.")]


@app.command()
@answers
def create(
    key: Key,
    success: Annotated[list[str], typer.Option(help="Event to raise, or EVENT:PROPERTY for its sum; repeat.")],
    flag: Annotated[str | None, typer.Option(help="The flag; the experiment's own key unless given.")] = None,
    guardrail: Annotated[
        list[str] | None, typer.Option(help="EVENT:-0.1% may rise by 0.1 points at most, EVENT:+2% may fall; repeat.")
    ] = None,
    secondary: Annotated[list[str] | None, typer.Option(help="Event that only explains; repeat.")] = None,
    window_days: Annotated[int | None, typer.Option(help="Count events this long after exposure.", min=1)] = None,
    method: Annotated[str, typer.Option(help="anytime: read when you like; fixed: read once, at its end.")] = "anytime",
    runtime_days: Annotated[int | None, typer.Option(help="Length of a fixed plan.", min=1)] = None,
    environment: Environment = "dev",
    seal: Annotated[bool, typer.Option("--seal/--no-seal", help="Register the plan now.")] = True,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create an experiment from a flag's split and seal its plan."""
    from paribus.app import lake

    if method not in ("anytime", "fixed"):
        raise InputError(f"{method!r} is no method of this command", where="--method", rule="anytime or fixed")
    with store_of(data) as store:
        revision, assumed = lake.create_experiment(
            store,
            key,
            flag=flag or key,
            environment=environment,
            success=success,
            guardrails=guardrail or (),
            secondary=secondary or (),
            window_days=window_days,
            method=cast("Method", method),
            runtime_days=runtime_days,
            author=author(),
        )
        done = lake.seal_experiment(store, key, folder=_folder(data)) if seal else None
    if as_json:
        print_json(plain(revision) | {"assumed": list(assumed), "seal": done.hash if done else None})
        return
    typer.echo(f"created experiment {key} on flag {flag or key}")
    for line in assumed:
        typer.echo(f"  assumed: {line}")
    _say(done, key)
    typer.echo(f"next: paribus analyze {key}")


@app.command("seal")
@answers
def seal_(
    key: Key,
    amend: Annotated[str | None, typer.Option(help="Why the plan is sealed again; kept in its history.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Register the plan of an experiment, so that a verdict can be given."""
    from paribus.app import lake

    with store_of(data) as store:
        done = lake.seal_experiment(store, key, folder=_folder(data), amend=amend)
    if as_json:
        print_json(
            {"hash": done.hash, "time": done.time.isoformat(), "timing": done.timing, "rows": done.rows_readable}
        )
    else:
        _say(done, key)


@app.command("list")
@answers
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the experiments."""
    from paribus.app import definition

    with store_of(data) as store:
        found = definition.documents(store, definition.PROJECT, "experiment")
    if as_json:
        print_json([{"key": key, "revision": number, **body} for key, (number, body) in found.items()])
        return
    if not found:
        typer.echo("no experiments yet; paribus experiment create KEY --flag FLAG --success EVENT")
    for key, (_, body) in sorted(found.items()):
        metrics = ", ".join(f"{metric['name']} ({metric['role']})" for metric in body.get("metrics", []))
        typer.echo(f"{key}  flag {body.get('flag')} in {body.get('environment')}: {metrics}")


@app.command()
@answers
def show(key: Key, data: Data = None, as_json: Json = False) -> None:
    """Show an experiment's document as YAML: it can be changed and applied again."""
    import yaml

    from paribus.app import definition

    with store_of(data) as store:
        current = definition.read(store, "experiment", key)
    if as_json:
        print_json(plain(current))
    else:
        typer.echo(yaml.safe_dump(current.body, sort_keys=False, allow_unicode=True).rstrip())


def _folder(data: Path | None) -> Path:
    from paribus.settings import from_environment

    return from_environment(data=data).data


def _say(done: Seal | None, key: str) -> None:
    if done is None:
        typer.echo(f"not sealed yet: paribus experiment seal {key}")
        return
    typer.echo(f"sealed as {done.hash[:16]}… by {done.author}, {done.time:%Y-%m-%d %H:%M} UTC: {done.timing}")
