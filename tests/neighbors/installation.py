"""A data folder with a small shop's history, a feature up to its pipeline plan, and the plan's files."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from tests.neighbors.history import exposures, history
from tests.workflow.drawn import FEATURE, Scene, designed, explored, hypothesized

from paribus.app.folder import definitions
from paribus.settings import from_environment
from paribus.workflow.artifact import Artifact
from paribus.workflow.config import Config
from paribus.workflow.dossier import Dossier
from paribus.workflow.steps import architect, instrument, pipeline


def environment(data: Path, *first: Path) -> dict[str, str]:
    """Variables of every program of a run; folders of `first` come first on the path."""
    path = os.pathsep.join([*map(str, first), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PARIBUS_DATA": str(data), "DO_NOT_TRACK": "1"}


def install(folder: Path, paribus: Path, users: int = 3000) -> Artifact:
    """The folder filled through the command line, and the artifact of step 6, which is stored and exported."""
    data = folder / "data"
    for name, lines in (("history", history(users)), ("exposures", exposures(users))):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines))
        command = [paribus / "paribus", "events", "import", file, "--format", "segment", "-e", "production"]
        subprocess.run(command, env=environment(data, paribus), check=True, capture_output=True)
    with definitions(from_environment(data=data), create=True) as store:
        scene = Scene(folder)
        scene.close()
        scene.store = store
        scene.context = replace(
            scene.context, operations=replace(scene.context.operations, store=store, folder=data), endpoint=None
        )
        scene.give("explore", explored())
        scene.give("hypothesize", hypothesized())
        scene.give("design", designed())
        operations = scene.context.operations
        document = designed().document
        scene.step(architect.run)
        scene.step(instrument.run)
        made = scene.step(pipeline.run)
        operations.write("experiment", FEATURE.key, document, author="neighbors", reason="the experiment of the plan")
        dossier = Dossier(store)
        dossier.new(FEATURE, Config(), author="neighbors")
        for artifact in scene.context.artifacts.values():
            dossier.save(artifact, author="neighbors")
    for each in made.files:
        path = folder / "pipeline" / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each.text)
    return made
