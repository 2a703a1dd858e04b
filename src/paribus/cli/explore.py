"""The command `paribus explore`: what the events say, in the terminal, as JSON, or as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paribus.cli.answer import answers, print_json, progress, say
from paribus.cli.flag import Data, Json

if TYPE_CHECKING:
    from paribus.workflow.artifact import Artifact


@answers
def explore(
    source: Annotated[
        str | None, typer.Option(help="Files (path, folder, glob) or a database's URL#table; the lake without it.")
    ] = None,
    funnel: Annotated[str | None, typer.Option(help="Events in order, a,b,c; found in the data without it.")] = None,
    window_hours: Annotated[float, typer.Option(help="Longest time from the first step to the last.", min=0.01)] = 24.0,
    exclude: Annotated[str | None, typer.Option(help="Events that break an attempt at the funnel: a,b.")] = None,
    unit: Annotated[str, typer.Option(help="Column of the user.")] = "",
    event: Annotated[str, typer.Option(help="Column of the event's name.")] = "",
    time: Annotated[str, typer.Option(help="Column of the time.")] = "",
    session: Annotated[str, typer.Option(help="Column of the session.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write the report with its pictures to this file.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Print that report to this file; Chromium does it.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how the product is used: funnel, losses, retention, journeys, segments, baselines, flaws of the data."""
    from paribus.app import explore as exploring
    from paribus.exploration.roles import Columns

    with progress("exploring") as told:
        artifact = exploring.explore(
            source,
            data=data,
            funnel=_listed(funnel),
            window_hours=window_hours,
            exclude=_listed(exclude),
            columns=Columns(unit=unit, event=event, time=time, session=session),
            progress=told,
        )
    if html is not None:
        html.write_text(exploring.page(artifact), encoding="utf-8")
    if pdf is not None:
        from paribus.app.paper import print_pdf

        print_pdf(exploring.page(artifact), pdf)
    if as_json:
        print_json(artifact.body())
        return
    _show(artifact)
    if written := [str(path) for path in (html, pdf) if path is not None]:
        typer.echo(f"\nwrote {', '.join(written)}")


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _show(artifact: Artifact) -> None:
    from paribus.charts.numbers import count, share
    from paribus.workflow.facts.explore import ExploreFacts

    facts = ExploreFacts.model_validate(artifact.facts)
    say(("simulated data. " if artifact.simulated else "") + artifact.summary)
    for funnel in facts.funnels:
        typer.echo(f"\nfunnel, within {funnel.window_hours:g} hours")
        width = max(len(step.event) for step in funnel.steps)
        for i, step in enumerate(funnel.steps):
            went = "" if not i or step.share.value is None else f"   {share(step.share.value)} of the step before"
            typer.echo(f"  {step.event:<{width}}  {count(step.units):>12}{went}")
    if facts.bottlenecks:
        typer.echo("\nlost against a plausible best (observational)")
        for b in facts.bottlenecks:
            say(
                f"  {b.from_event} → {b.to_event}, {b.segment.replace('&', ', ')}: {share(b.rate.value or 0)} go on, "
                f"{share(b.best.value or 0)} with {b.best_segment.replace('&', ', ')}; "
                f"{count(b.lost_units.value or 0)} users a year",
                hang=4,
            )
    if facts.baselines:
        typer.echo("\nbaselines")
        for each in facts.baselines:
            level = each.mean.value or 0.0
            shown = share(level) if each.definition["type"] == "proportion" else f"{level:.4g}"
            typer.echo(f"  {each.metric:<32} {shown:>10}   sd {each.sd:.3g}, {count(each.units)} users")
    if facts.findings:
        typer.echo("\nfound")
        for finding in facts.findings:
            say(f"  {finding.statement}", hang=4)
    for check in artifact.checks:
        if check.status in {"warned", "failed"}:
            say(f"\n{check.status}: {check.name}: {check.message}", hang=2)
