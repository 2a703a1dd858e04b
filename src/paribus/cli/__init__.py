"""The command line: parses, calls `paribus.app`, draws the answer. Nothing is computed here."""

from __future__ import annotations

import typer

from paribus.cli import (
    beta,
    collaboration,
    config,
    demo,
    engineer,
    events,
    experiment,
    experiments,
    explore,
    feature,
    flag,
    heterogeneity,
    integrations,
    key,
    mcp,
    pipeline,
    proof,
    role,
    sensitivity,
    serve,
    signals,
    tracking,
    upkeep,
)

app = typer.Typer(
    name="paribus",
    help="From a product idea to a decision with data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing help with rich costs more than the rest of the start
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    experiment.analyze,
    experiment.init,
    experiment.seal,
    experiment.certify,
    experiment.design,
    proof.sql,
    proof.verify,
    sensitivity.sensitivity,
    serve.serve,
    signals.signals,
    flag.kill,
    upkeep.diff,
    upkeep.apply,
    upkeep.pull,
    upkeep.backup,
    upkeep.restore,
    upkeep.doctor,
    demo.demo,
    explore.explore,
    engineer.engineer,
    heterogeneity.heterogeneity,
    collaboration.learnings,
):
    app.command()(command)

for group in (
    feature.app,
    role.app,
    config.app,
    mcp.app,
    pipeline.app,
    flag.app,
    experiments.app,
    events.app,
    tracking.app,
    key.app,
    integrations.app,
    upkeep.audit,
):
    app.add_typer(group)

flag.app.add_typer(beta.app)


@app.callback(invoke_without_command=True)
def paribus(version: bool = typer.Option(False, "--version", help="Show the version and stop.", is_eager=True)) -> None:
    if version:
        from paribus import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The `paribus` command."""
    app()
