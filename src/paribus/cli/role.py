"""Commands about the nine roles: who plays which step, and one role alone at work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from paribus.cli import feature
from paribus.cli.answer import answers, print_json, say
from paribus.cli.flag import Data, Json
from paribus.errors import InputError

app = typer.Typer(name="role", help="The nine specialists who play the sixteen steps.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its id, or the id's last part: data-scientist.")]
Step = Annotated[str | None, typer.Option("--step", help="One of its steps; the next open one unless given.")]


@app.command("list")
@answers
def list_(as_json: Json = False) -> None:
    """List the roles and the steps they play."""
    from paribus.workflow.roles.staff import ROLES

    if as_json:
        print_json([role.plain() for role in ROLES])
        return
    width = max(len(role.id) for role in ROLES)
    for role in ROLES:
        say(f"{role.id:<{width}}  {', '.join(role.steps)}", hang=width + 2)


@app.command()
@answers
def show(name: Name, step: Step = None, as_json: Json = False) -> None:
    """Show a role: brief, inputs, outputs, tools, limits."""
    from paribus.workflow.roles.staff import role_named

    role = role_named(name, step)
    if as_json:
        print_json(role.plain())
        return
    say(f"{role.title} ({role.id}, version {role.version})\n\n{role.brief}\n")
    listed: dict[str, Any] = {
        "plays": [f"{each.number} {each.slug}: {each.question}" for each in role.played],
        "reads": [*(f"artifact of {slug}" for slug in role.reads), *role.inputs],
        "leaves": role.outputs,
        "works with": role.tools,
        "limits": role.limits,
    }
    for title, lines in listed.items():
        typer.echo(f"{title}:")
        for line in lines:
            say(f"  {line}", hang=4)


@app.command()
@answers
def run(
    name: Name,
    key: Annotated[str | None, typer.Argument(help="The feature; the only one unless given.")] = None,
    step: Step = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Let one role do its next step of a feature, and nothing else.

    Exit status: as of paribus feature run.
    """
    from paribus.workflow.roles.staff import role_named

    role = role_named(name, step)
    with feature.shop_of(data) as shop:
        chosen = key or _only_feature([each["key"] for each in shop.features()])
        states = {each["step"]: each for each in shop.show(chosen)["steps"]}
    settled = {"done", "waits for approval"}
    wanted = step or next((slug for slug in role.steps if states[slug]["state"] not in settled), role.steps[-1])
    before = [slug for slug, each in states.items() if each["number"] < states[wanted]["number"]]
    missing = [slug for slug in before if states[slug]["state"] != "done"]
    if missing:
        first = states[missing[0]]
        raise InputError(
            f"{role.id} cannot play {wanted} yet; {first['step']}: {first['state']}",
            where="--step",
            rule="a role plays its own step, on what the steps before it left",
            fix=f"paribus role run {first['role']} {chosen} --step {first['step']}"
            if first["state"] in {"open", "stale"}
            else f"paribus feature approve {chosen} {first['step']}",
        )
    feature.run(chosen, until=wanted, auto=False, ask=False, as_author=None, data=data, as_json=as_json)


def _only_feature(keys: list[str]) -> str:
    if len(keys) != 1:
        raise InputError(
            f"there are {len(keys)} features" if keys else "there is no feature yet",
            where="feature",
            fix=f"name one: {', '.join(keys)}" if keys else 'paribus feature new "what you want to build"',
        )
    return keys[0]
