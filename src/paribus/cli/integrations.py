"""Commands about the systems that Paribus works with: the map, one system, and a check on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from paribus.cli.answer import answers, print_json, say
from paribus.cli.flag import Json

if TYPE_CHECKING:
    from paribus.app.integrations import System


class _NameOrCommand(TyperGroup):
    """`integrations NAME` is `integrations show NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="integrations", help="Every system that Paribus works with, how deep, and what checked it.", cls=_NameOrCommand
)
Name = Annotated[str, typer.Argument(help="A system: segment, or warehouse/postgres.")]


@app.callback(invoke_without_command=True)
def integrations(context: typer.Context, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@answers
def _list(*, as_json: bool) -> None:
    from paribus.app.integrations import systems

    if as_json:
        print_json([_plain(system) for system in systems()])
        return
    width = max(len(system.title) for system in systems())
    kind = ""
    for system in systems():
        if system.kind != kind:
            kind = system.kind
            typer.echo(f"\n{kind}" if system is not systems()[0] else kind)
        say(f"  {system.title:<{width}}  {'/'.join(system.does):<13} {system.depth:<10} {_said(system)}", hang=4)
    counts = {depth: sum(each.depth == depth for each in systems()) for depth in ("ran", "shape", "unverified")}
    typer.echo(
        f"\n{len(systems())} systems: {counts['ran']} with their own programs or libraries, {counts['shape']} by the "
        f"shape of files or requests, {counts['unverified']} without a check"
    )


@app.command()
@answers
def show(name: Name, as_json: Json = False) -> None:
    """Show a system: what is done with it, what checked it, and when."""
    from paribus.app.integrations import last_check, systems_named
    from paribus.app.integrations.record import recorded

    found = systems_named(name)
    if as_json:
        print_json([_plain(system) for system in found])
        return
    known = recorded()
    for system in found:
        say(f"{system.title} ({system.id}): {'/'.join(system.does) or 'nothing'}, {system.depth}", hang=2)
        if system.what:
            say(f"  {system.what}", hang=2)
        if system.extra:
            typer.echo(f'  needs: pip install "paribus[{system.extra}]"')
        typer.echo(f"  last check: {_said(system)} ({last_check(system).passed} tests passed)")
        for check in system.verified_by:
            entry = known.get(check)
            when = f"{entry['date']}, {entry['passed']} passed, {entry['failed']} failed" if entry else "not recorded"
            typer.echo(f"    {check}: {when}")


@app.command()
@answers
def check(
    name: Name,
    url: Annotated[str | None, typer.Option("--url", help="The connection to try; for warehouses.")] = None,
    as_json: Json = False,
) -> None:
    """Try a system on this machine: packages, programs, a connection. Exit status: 0 works, 1 not."""
    from paribus.app.integrations import systems_named, try_here

    trials = [try_here(system, url) for system in systems_named(name)]
    if as_json:
        print_json([trial.plain() for trial in trials])
    for trial in trials if not as_json else ():
        typer.echo(f"{trial.system.id}: {trial.result.replace('_', ' ')}")
        for sentence in trial.said:
            say(f"  {sentence}", hang=4)
    if any(trial.result in {"missing", "failed", "needs_url"} for trial in trials):
        raise typer.Exit(1)


def _plain(system: System) -> dict[str, Any]:
    from paribus.app.integrations import last_check

    return {**system.plain(), "last_check": last_check(system).plain()}


def _said(system: System) -> str:
    from paribus.app.integrations import last_check

    last = last_check(system)
    return last.result if last.date is None else f"{last.result} {last.date}"
