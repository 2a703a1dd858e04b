"""Commands about flags: what they are, who gets them, and the switch at night."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from paribus.cli.answer import answers, print_json
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.store import Revision, Store

app = typer.Typer(name="flag", help="Feature flags: create, ramp, kill, explain.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The flag's key.")]
Data = Annotated[Path | None, typer.Option("--data", help="The data folder; paribus-data unless given.")]
Environment = Annotated[str, typer.Option("--environment", "-e", help="Which environment.")]
Rule = Annotated[str | None, typer.Option("--rule", help="The rule, when several of the flag split their units.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason, kept in the flag's history.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def store_of(data: Path | None, *, create: bool = False) -> AbstractContextManager[Store]:
    """The store of the data folder."""
    from paribus.app.folder import definitions
    from paribus.settings import from_environment

    return definitions(from_environment(data=data), create=create)


def author() -> str:
    """Who is at the keyboard."""
    from paribus.experiments.seal import default_author

    return default_author()


def basis_points(text: str, where: str) -> int:
    """A share as written (10, 10%, 0.5%) in basis points."""
    try:
        share = float(text.strip().removesuffix("%"))
    except ValueError:
        share = -1.0
    points = round(share * 100)
    if not 0 <= share <= 100 or abs(points - share * 100) > 1e-9:
        raise InputError(f"{text!r} is no share", where=where, rule="0 to 100 percent, in steps of 0.01", fix="10%")
    return points


@app.command()
@answers
def create(
    key: Key,
    variants: Annotated[
        str, typer.Option(help="Names, or NAME=VALUE, separated by commas; the control first.")
    ] = "control,treatment",
    split: Annotated[str | None, typer.Option(help="Shares of the variants, 50/50; equal unless given.")] = None,
    traffic: Annotated[str, typer.Option(help="Share of all units that takes part.")] = "100%",
    default: Annotated[str | None, typer.Option(help="Variant outside traffic and when killed.")] = None,
    flag_type: Annotated[
        str | None, typer.Option("--type", help="boolean, string, integer, float or json; from the values.")
    ] = None,
    unit_type: Annotated[str, typer.Option(help="What is randomized.")] = "user",
    environment: Environment = "dev",
    description: Annotated[str, typer.Option(help="What it switches.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create a flag that splits everyone in one environment."""
    from paribus.app import definition
    from paribus.flags.change import create as draft

    body = draft(
        key,
        environment=environment,
        variants=_variants(variants, flag_type),
        weights_bp=[basis_points(part, "--split") for part in split.split("/")] if split else None,
        traffic_bp=basis_points(traffic, "--traffic"),
        default_variant=default,
        flag_type=flag_type,
        unit_type=unit_type,
        description=description,
        owner=owner,
    )
    with store_of(data, create=True) as store:
        written = definition.write(store, "flag", key, body, expected=0, author=author(), reason="created")
    if as_json:
        print_json(plain(written))
        return
    typer.echo(f"created {key} in {environment}: {_summary(written.body or {}, environment)}")
    typer.echo(f"next: client.variant({key!r}, unit=…) in your code; then")
    typer.echo(f"      paribus experiment create {key} --flag {key} --success EVENT")


@app.command("list")
@answers
def list_(environment: Environment = "dev", data: Data = None, as_json: Json = False) -> None:
    """List the flags and what they do in one environment."""
    from paribus.app import definition

    with store_of(data) as store:
        found = definition.documents(store, definition.PROJECT, "flag")
    if as_json:
        print_json([{"key": key, "revision": number, **body} for key, (number, body) in found.items()])
        return
    if not found:
        typer.echo("no flags yet; paribus flag create NAME")
    width = max((len(key) for key in found), default=0)
    for key, (_, body) in sorted(found.items()):
        typer.echo(f"{key:<{width}}  {_summary(body, environment)}")


@app.command()
@answers
def show(
    key: Key,
    history: Annotated[bool, typer.Option("--history", help="Every revision: who, when, why.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a flag's document, or its history."""
    import yaml

    from paribus.app import definition

    with store_of(data) as store:
        current = definition.read(store, "flag", key)
        revisions = store.history(current.address) if history else []
    if as_json:
        print_json([plain(each) for each in revisions] if history else plain(current))
    elif history:
        for each in revisions:
            typer.echo(f"{each.number:>4}  {each.time:%Y-%m-%d %H:%M:%S}  {each.author}  {each.reason}")
    else:
        typer.echo(yaml.safe_dump(current.body, sort_keys=False, allow_unicode=True).rstrip())


@app.command()
@answers
def kill(key: Key, environment: Environment = "dev", why: Why = None, data: Data = None, as_json: Json = False) -> None:
    """Serve the default variant to everyone, from the next evaluation on."""
    from paribus.flags.change import killed

    _change(key, lambda body: killed(key, body, environment), why or "killed", environment, data, as_json)


@app.command()
@answers
def revive(
    key: Key, environment: Environment = "dev", why: Why = None, data: Data = None, as_json: Json = False
) -> None:
    """Undo a kill."""
    from paribus.flags.change import killed

    step = lambda body: killed(key, body, environment, revive=True)  # noqa: E731
    _change(key, step, why or "revived", environment, data, as_json)


@app.command()
@answers
def ramp(
    key: Key,
    traffic: Annotated[str, typer.Argument(help="Share of all units that takes part, for instance 10%.")],
    environment: Environment = "dev",
    rule: Rule = None,
    why: Why = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change the traffic; the split stays, and no unit changes its variant."""
    from paribus.flags.change import ramped

    points = basis_points(traffic, "traffic")
    reason = why or f"traffic {points / 100:g}%"
    _change(key, lambda body: ramped(key, body, environment, points, rule), reason, environment, data, as_json)


@app.command()
@answers
def split(
    key: Key,
    shares: Annotated[str, typer.Argument(help="NAME=SHARE for every variant: control=20,treatment=80.")],
    environment: Environment = "dev",
    rule: Rule = None,
    why: Why = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change the split for units that were never in traffic; the others keep theirs."""
    from paribus.flags.change import resplit

    weights = {}
    for part in shares.split(","):
        name, _, share = part.partition("=")
        weights[name.strip()] = basis_points(share, "shares")
    reason = why or f"split {shares}"
    _change(key, lambda body: resplit(key, body, environment, weights, rule), reason, environment, data, as_json)


@app.command()
@answers
def rerandomize(
    key: Key,
    environment: Environment = "dev",
    rule: Rule = None,
    why: Why = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Assign every unit afresh, by new salts: a new experiment."""
    from paribus.flags.change import rerandomized

    step = lambda body: rerandomized(key, body, environment, rule)  # noqa: E731
    _change(key, step, why or "re-randomized", environment, data, as_json)


@app.command()
@answers
def enable(
    key: Key, environment: Environment = "dev", why: Why = None, data: Data = None, as_json: Json = False
) -> None:
    """Switch the flag on in an environment."""
    from paribus.flags.change import enabled

    step = lambda body: enabled(key, body, environment, on=True)  # noqa: E731
    _change(key, step, why or "enabled", environment, data, as_json)


@app.command()
@answers
def disable(
    key: Key, environment: Environment = "dev", why: Why = None, data: Data = None, as_json: Json = False
) -> None:
    """Switch the flag off in an environment: everyone gets the default variant."""
    from paribus.flags.change import enabled

    step = lambda body: enabled(key, body, environment, on=False)  # noqa: E731
    _change(key, step, why or "disabled", environment, data, as_json)


@app.command()
@answers
def archive(key: Key, why: Why = None, data: Data = None, as_json: Json = False) -> None:
    """Stop delivering a flag; callers get the default in their code. Its history stays."""
    from paribus.flags.change import archived

    _change(key, lambda body: archived(key, body), why or "archived", None, data, as_json)


@app.command()
@answers
def override(
    key: Key,
    unit: Annotated[str, typer.Argument(help="The unit's id.")],
    variant: Annotated[str, typer.Argument(help="The variant it always gets.")],
    sticky: Annotated[
        bool, typer.Option("--sticky", help="An assignment that must not move, rather than a tester's override.")
    ] = False,
    environment: Environment = "dev",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Fix one unit's variant; such units are counted apart and never enter the analysis."""
    from paribus.app import definition
    from paribus.flags.record import Placement

    kind: Literal["override", "sticky"] = "sticky" if sticky else "override"
    placement = Placement(definition.PROJECT, environment, key, unit, variant, kind)
    with store_of(data) as store:
        written = definition.place(store, placement, author=author(), reason=f"one unit fixed ({kind})")
    if as_json:
        print_json(plain(written))
        return
    typer.echo(f"{key}: the unit now gets {variant} ({kind})")


@app.command()
@answers
def explain(
    key: Key,
    unit: Annotated[str | None, typer.Option(help="The unit's id.")] = None,
    context: Annotated[str, typer.Option(help="Attributes as a JSON object.")] = "{}",
    environment: Environment = "dev",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say what a unit gets, and why, step by step. Nothing is recorded."""
    from paribus_sdk import Evaluator

    from paribus.app import definition

    try:
        attributes = json.loads(context)
    except ValueError as error:
        raise InputError(f"not JSON: {error}", where="--context", fix='\'{"country": "NO"}\'') from error
    if not isinstance(attributes, dict):
        raise InputError("the context is not an object", where="--context", fix='\'{"country": "NO"}\'')
    with store_of(data) as store:
        definition.read(store, "flag", key)
        explanation = Evaluator(definition.snapshot(store, definition.PROJECT, environment)).explain(
            key, unit, attributes
        )
    if as_json:
        print_json(asdict(explanation))
    else:
        typer.echo(str(explanation))


def plain(revision: Revision) -> dict[str, Any]:
    """A revision as plain fields."""
    return {
        "key": revision.address.key,
        "kind": revision.address.kind,
        "revision": revision.number,
        "author": revision.author,
        "time": revision.time.isoformat(),
        "reason": revision.reason,
        "body": revision.body,
    }


def _change(
    key: str,
    step: Callable[[dict[str, Any]], dict[str, Any]],
    reason: str,
    environment: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    from paribus.app import definition

    with store_of(data) as store:
        before = definition.read(store, "flag", key).number
        written = definition.change(store, "flag", key, step, author=author(), reason=reason)
    if as_json:
        print_json(plain(written) | {"changed": written.number != before})
        return
    if written.number == before:
        typer.echo(f"{key}: it is so already")
        return
    state = _summary(written.body or {}, environment) if environment else "archived"
    typer.echo(f"{key}{' in ' + environment if environment else ''}: {state} (revision {written.number})")


def _variants(text: str, flag_type: str | None) -> dict[str, Any]:
    from paribus.app.definition import value

    found: dict[str, Any] = {}
    for part in text.split(","):
        name, written, shown = part.strip().partition("=")
        if not name:
            raise InputError(f"{text!r} has an empty name", where="--variants", fix="control,treatment")
        found[name] = value(flag_type, shown) if written and flag_type else _guess(shown) if written else name
    return found


def _guess(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _summary(body: dict[str, Any], environment: str) -> str:
    from paribus.flags.document import Flag

    flag = Flag.model_validate(body)
    state = flag.environments.get(environment)
    if flag.archived:
        return "archived"
    if state is None:
        return f"not set up in {environment}: everyone gets {flag.default_variant}"
    if state.killed:
        return f"KILLED: everyone gets {flag.default_variant}"
    if not state.enabled:
        return f"off: everyone gets {flag.default_variant}"
    parts = []
    for rule in state.rules:
        whom = "everyone" if rule.when is None else rule.id
        if rule.rollout is None:
            parts.append(f"{whom} gets {rule.variant}")
        else:
            shares = ", ".join(f"{part.variant} {part.weight_bp / 100:g}%" for part in rule.rollout.split)
            parts.append(f"{rule.rollout.traffic_bp / 100:g}% of {whom}: {shares}")
    return "; ".join(parts) or f"everyone gets {flag.default_variant}"
