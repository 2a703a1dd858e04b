"""Commands for agents: the MCP server on standard input and output, and the policy of what they may do alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, author, basis_points

app = typer.Typer(name="mcp", help="Serve agents over MCP, and say what they may do alone.")


@app.callback(invoke_without_command=True)
@answers
def mcp(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="In whose name the agent acts; the history says so.")] = "agent",
    data: Data = None,
) -> None:
    """Serve one agent on standard input and output, until it hangs up."""
    if context.invoked_subcommand is not None:
        return
    import anyio

    from paribus.app.feature_run import Runs
    from paribus.mcp.desk import Desk
    from paribus.mcp.running import apart
    from paribus.mcp.server import stdio
    from paribus.settings import from_environment

    settings = from_environment(data=data)
    anyio.run(stdio, Desk(settings, apart(Runs(settings)), f"agent:{name}"))


@app.command()
@answers
def policy(
    sign: Annotated[bool, typer.Option("--sign", help="Write the policy and sign it with the folder's key.")] = False,
    max_traffic: Annotated[str, typer.Option(help="The widest traffic an agent may bring about.")] = "10%",
    approve: Annotated[str, typer.Option(help="Steps whose artifacts an agent may approve, by commas.")] = "",
    steps: Annotated[str, typer.Option(help="Steps an agent may run, by commas; all unless given.")] = "",
    sources: Annotated[str, typer.Option(help="Data an agent may name: lake, folders, URLs, by commas.")] = "lake",
    redo: Annotated[bool, typer.Option("--redo/--no-redo", help="Whether it may take artifacts back.")] = True,
    reversible_only: Annotated[
        bool, typer.Option("--reversible-only/--any", help="Only what can be undone without a trace in the data.")
    ] = True,
    powered_guardrails: Annotated[
        bool, typer.Option("--powered-guardrails/--unpowered", help="Traffic only with guardrails that have power.")
    ] = True,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what agents may do alone; with --sign, decide it."""
    from paribus.app.folder import open_folder
    from paribus.mcp import policy as document
    from paribus.settings import from_environment
    from paribus.workflow.step import BY_SLUG

    settings = from_environment(data=data)
    folder = open_folder(settings, create=sign)
    if sign:
        wanted = document.Policy(
            steps=_slugs(steps) or tuple(BY_SLUG),
            approve=_slugs(approve),
            sources=_slugs(sources),
            redo=redo,
            max_traffic_bp=basis_points(max_traffic, "--max-traffic"),
            reversible_only=reversible_only,
            powered_guardrails=powered_guardrails,
        )
        found = document.sign(folder, wanted, author=author())
    else:
        found = document.read(folder)
    if as_json:
        print_json(found.plain())
        return
    shown = found.policy
    typer.echo(f"signed by {found.signed_by}" if not found.is_default else "the default; none was signed here")
    typer.echo(f"  steps             {'all' if len(shown.steps) == len(BY_SLUG) else ', '.join(shown.steps) or 'none'}")
    typer.echo(f"  approve           {', '.join(shown.approve) or 'none; a person does'}")
    typer.echo(f"  sources           {', '.join(shown.sources) or 'none'}")
    typer.echo(f"  redo              {'yes' if shown.redo else 'no'}")
    typer.echo(f"  traffic           up to {shown.max_traffic_bp / 100:g}%")
    typer.echo(f"  reversible only   {'yes' if shown.reversible_only else 'no'}")
    typer.echo(f"  guardrails        {'powered only' if shown.powered_guardrails else 'also without power'}")


@app.command()
@answers
def skill(
    folder: Annotated[Path, typer.Argument(help="The folder where your agent's host looks for skills.")],
    as_json: Json = False,
) -> None:
    """Write the workflow as an agent skill, data-engineering-data-driven-feature."""
    from paribus.mcp.skill import NAME, write

    path = write(folder)
    if as_json:
        print_json({"name": NAME, "path": str(path)})
        return
    typer.echo(f"wrote the skill {NAME}: {path}")


def _slugs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
