"""`paribus demo`: the whole loop on a simulated shop with known truth, on real customers, or one real experiment."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paribus.cli.answer import answers, print_json, say
from paribus.cli.delivery import deliver
from paribus.cli.experiment import Json
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.shop.scenario import Scenario

OUT = "paribus-demo"
LARGEST_RELATIVE = 2.0


@answers
def demo(
    case: Annotated[
        str | None,
        typer.Argument(
            help="winner, null, srm, error, latency, novelty, simpson, inventory or broken; winner unless given."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all chance.", min=0)] = 7,
    scenario: Annotated[Path | None, typer.Option(help="A shop of your own: a scenario file.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything it writes.")] = Path(OUT),
    real: Annotated[
        bool, typer.Option("--real", help="The same steps on real customers: CDNOW, 1997, nothing changed for anyone.")
    ] = False,
    experiment: Annotated[
        bool, typer.Option("--experiment", help="Analyze a real experiment instead (LaLonde 1986).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a feature through all sixteen steps, on a simulated shop unless told, and show the truth at the end."""
    if (case is not None) + (scenario is not None) + real + experiment > 1:
        raise InputError(
            "one thing at a time: a case, --scenario, --real or --experiment",
            where="demo",
            fix="paribus demo winner, for instance",
        )
    if experiment:
        _experiment(out, as_json=as_json)
        return
    from paribus.app.demo import DEFAULT_CASE, run_demo
    from paribus.shop.reading import load

    told = (lambda kind, details: None) if as_json else _tell
    if real:
        from paribus.app.real_demo import run_real_demo

        result = run_real_demo(seed=seed, out=out, told=told)
    else:
        what: str | Scenario = load(scenario) if scenario is not None else case or DEFAULT_CASE
        result = run_demo(what, seed=seed, out=out, told=told, name=scenario.name if scenario is not None else "")
    if as_json:
        print_json(result)
    else:
        _conclude(result)


def _tell(kind: str, details: dict[str, Any]) -> None:
    """One line for each thing that happens."""
    from paribus.workflow.step import BY_SLUG

    if kind == "begun":
        say(f"{details['title']}{' (simulated)' if details['simulated'] else ''}. {details['story']}.")
    elif kind == "history":
        typer.echo(f"   {details['days']} days of the shop's history are in the lake: {details['events']:,} events")
    elif kind == "made":
        step = BY_SLUG[details["step"]]
        first = details["summary"].partition(". ")[0].rstrip(".").replace("**", "")
        role = step.role.rpartition("::")[2]
        say(f"{step.number:>2} {step.title} · {role} ({details['seconds']:.1f} s)\n   ✓ {first}.", hang=5)
    elif kind == "staging":
        typer.echo(f"   the release was tried on staging: {details['events']:,} events through the SDK")
    elif kind == "traffic":
        say(
            f"   it is {details['until'][:16].replace('T', ' ')}: {details['exposures']:,} exposures and "
            f"{details['events']:,} events came through the SDK",
            hang=5,
        )
    elif kind == "stopped" and details["kind"] != "done":
        say(f"   {details['kind']} at {details['step']}: {details['message']}", hang=5)


def _conclude(result: dict[str, Any]) -> None:
    """The verdict, the truth beside it, the scorecard, and where the dossier is."""
    recommendation = f"; recommended: {result['recommendation']}" if result["recommendation"] else ""
    typer.echo(f"\nverdict: {result['verdict']}{recommendation}")
    if result["named"]:
        say("named:   " + "; ".join(result["named"]), hang=9)
    metrics = result["truth"]["metrics"]
    if metrics:
        width = max(len(each["metric"]) for each in metrics)
        typer.echo(f"\n{'metric':<{width}}  {'truth':>16}  {'estimate':>8}  interval")
        for each in metrics:
            written = _percent if each.get("scale", "relative") == "relative" else _points
            interval = "" if each["low"] is None else f"{written(each['low'])} to {written(each['high'])}"
            mark = {True: "  ✓ holds the truth", False: "  misses the truth", None: ""}[each["interval_covers_truth"]]
            typer.echo(
                f"{each['metric']:<{width}}  {_truth(each):>16}  {written(each['estimate']):>8}  {interval}{mark}"
            )
    say(f"truth: {result['truth']['note']}", hang=7)
    typer.echo("")
    for each in result["scorecard"].values():
        say(f"{each['status']:<8} {each['title']}: {each['sentence']}", hang=9)
    typer.echo(f"\n{result['seconds']:.0f} s, seed {result['seed']}; the dossier: {result['dossier']}")


def _truth(metric: dict[str, Any]) -> str:
    """The relative effect; the absolute one where that is estimated; both values where control is too small."""
    if metric.get("scale") == "absolute" and metric["estimate"] is not None:
        return _points(metric["absolute"])
    relative = metric["relative"]
    if relative is None or abs(relative) > LARGEST_RELATIVE:
        return f"{metric['control']:.3g} → {metric['treatment']:.3g}"
    return _percent(relative)


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.2f} pp"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"


def _experiment(out: Path, *, as_json: bool) -> None:
    """Did subsidized work raise later earnings? (LaLonde 1986)"""
    from paribus import app

    with as_file(files("paribus") / "examples" / "nsw") as example:
        shutil.copytree(example, out, dirs_exist_ok=True)
    result = app.analyze(out / "experiment.yaml")
    deliver(result, html=out / "report.html", csv=None, save=out / "result.json", as_json=as_json)
    if not as_json:
        command = "paribus" if shutil.which("paribus") else sys.argv[0]
        typer.echo(f"\nEverything it read and wrote is in {out}/. Try next:")
        typer.echo(f"  {command} verify {out}/result.json")
        typer.echo(f"  {command} analyze {out}/nsw.csv --unit participant --variant group --metric earnings_1978")
        typer.echo(f"  {command} sql {out}/experiment.yaml --dialect bigquery")
