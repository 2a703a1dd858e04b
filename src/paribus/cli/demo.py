"""`paribus demo`: the main job on a real experiment, in seconds."""

from __future__ import annotations

import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers
from paribus.cli.experiment import Json, deliver


@answers
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the experiment, the report and the result.")] = Path(
        "paribus-demo"
    ),
    as_json: Json = False,
) -> None:
    """Analyze a real experiment: did subsidized work raise later earnings? (LaLonde 1986)"""
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
