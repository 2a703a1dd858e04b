"""Commands about the tracking plan: which events exist, what they carry, and typed clients made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, author, plain, store_of
from paribus.errors import InputError, NotFound, did_you_mean

app = typer.Typer(name="tracking", help="The tracking plan: set, show, codegen, schema.", no_args_is_help=True)

LANGUAGES = ("python", "typescript")


@app.command("set")
@answers
def set_(
    file: Annotated[Path, typer.Argument(help="The plan as YAML: events, their properties, owners.")],
    why: Annotated[str, typer.Option("--why", help="The reason, kept in the plan's history.")] = "changed",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put a tracking plan in force; a breaking change needs a new version of its event."""
    from paribus.app import definition
    from paribus.events.plan import KIND
    from paribus.store import Address

    body = plan_of(file)
    with store_of(data, create=True) as store:
        address = Address(definition.PROJECT, KIND, "default")
        now = store.find(address)
        written = definition.write(
            store, KIND, "default", body, expected=now.number if now else 0, author=author(), reason=why
        )
    if as_json:
        print_json(plain(written))
    else:
        events = (written.body or {}).get("events", {})
        typer.echo(f"the plan is in force: {len(events)} events (revision {written.number})")
        typer.echo("what was held back before can come back: paribus events replay")


@app.command()
@answers
def show(data: Data = None, as_json: Json = False) -> None:
    """Show the tracking plan in force."""
    import yaml

    body, revision = _plan(data)
    if as_json:
        print_json({"revision": revision, "body": body})
    else:
        typer.echo(yaml.safe_dump(body, sort_keys=False, allow_unicode=True).rstrip())


@app.command()
@answers
def codegen(
    language: Annotated[str, typer.Argument(help="python or typescript.")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
    data: Data = None,
) -> None:
    """Make a typed client: one function per event, so that a typo does not compile."""
    from paribus.events.codegen import python_client, typescript_client
    from paribus.events.plan import parse_plan

    if language not in LANGUAGES:
        raise InputError(f"{language!r} is no language here", fix=did_you_mean(language, LANGUAGES))
    make = python_client if language == "python" else typescript_client
    text = make(parse_plan(_plan(data)[0]))
    if out is None:
        typer.echo(text.rstrip())
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}")


@app.command()
@answers
def schema(event: Annotated[str, typer.Argument(help="The event.")], data: Data = None) -> None:
    """Print the JSON Schema of an event's properties."""
    from paribus.events.json_schema import event_schema
    from paribus.events.plan import parse_plan

    plan = parse_plan(_plan(data)[0])
    if event not in plan.events:
        raise NotFound(f"the plan has no event {event!r}", fix=did_you_mean(event, plan.events))
    print_json(event_schema(event, plan.events[event]))


def plan_of(file: Path) -> dict[str, Any]:
    """The plan that a YAML file holds."""
    from paribus.experiments.marked_yaml import read

    if not file.is_file():
        raise NotFound(f"there is no file {file}", where="plan", fix="name a YAML file with events: …")
    body = read(file.read_bytes(), str(file)).value
    if not isinstance(body, dict):
        raise InputError("the plan is not a mapping", where=str(file), fix="events:\n  order_completed: …")
    return body


def plan_in_force(data: Path | None) -> dict[str, Any]:
    """The plan of the data folder."""
    return _plan(data)[0]


def _plan(data: Path | None) -> tuple[dict[str, Any], int]:
    from paribus.app import definition
    from paribus.events.plan import KIND
    from paribus.store import Address

    with store_of(data) as store:
        found = store.find(Address(definition.PROJECT, KIND, "default"))
    if found is None or found.body is None:
        raise NotFound("there is no tracking plan yet", fix="paribus tracking set plan.yaml")
    return found.body, found.number
