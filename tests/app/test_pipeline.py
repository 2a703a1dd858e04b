"""What a pipeline's schedule calls, and its runbooks, on a real data folder."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import duckdb
import pytest
from tests.neighbors.installation import install
from typer.testing import CliRunner

from paribus.app import pipeline
from paribus.app.folder import definitions
from paribus.cli import app
from paribus.cli.pipeline import app as commands
from paribus.errors import NotFound
from paribus.settings import from_environment
from paribus.workflow.artifact import Artifact

FEATURE = "one-click-checkout"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artifact]:
    folder = tmp_path_factory.mktemp("pipeline")
    return folder / "data", install(folder, Path(sys.executable).parent, users=40)


def test_the_star_is_brought_up_and_exported(installed: tuple[Path, Artifact], tmp_path: Path) -> None:
    data, _ = installed
    with definitions(from_environment(data=data)) as store:
        state = pipeline.refresh(store, data, FEATURE)
        assert pipeline.refresh(store, data, FEATURE) == state
        assert set(pipeline.compare(store, data, FEATURE).values()) == {0}
    assert state.rows["obt_experiment"] == state.rows["fct_exposure"] == 20
    path = pipeline.export(data, tmp_path / "out")
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT event_id) FROM '{path}'").fetchall()[0]
    assert counted == (state.rows["fct_event"] + 20,) * 2


def test_the_commands_say_what_they_did(installed: tuple[Path, Artifact], tmp_path: Path) -> None:
    data, _ = installed
    runner = CliRunner()
    refreshed = runner.invoke(commands, ["refresh", FEATURE, "--data", str(data), "--json"])
    assert json.loads(refreshed.stdout)["rows"]["fct_exposure"] == 20
    exported = runner.invoke(commands, ["export", str(tmp_path), "--data", str(data)])
    assert exported.stdout.strip().endswith("events.parquet")
    duckdb.connect(str(tmp_path / "w.duckdb")).execute("CREATE TABLE orders AS SELECT 1 AS id, 2 AS value").close()
    found = runner.invoke(commands, ["discover", f"duckdb:///{tmp_path / 'w.duckdb'}", "--data", str(data), "--json"])
    assert [(each["kind"], each["name"], each["columns"]) for each in json.loads(found.stdout)[1:]] == [
        ("database", "main.orders", 2)
    ]


def test_a_feature_without_a_plan_is_told_what_to_do(installed: tuple[Path, Artifact]) -> None:
    data, _ = installed
    with definitions(from_environment(data=data)) as store, pytest.raises(NotFound, match="no pipeline plan"):
        pipeline.refresh(store, data, "another")
    with pytest.raises(NotFound, match="nothing has arrived"):
        pipeline.export(data / "elsewhere", data)


def test_every_command_of_every_runbook_runs(installed: tuple[Path, Artifact], monkeypatch: pytest.MonkeyPatch) -> None:
    data, made = installed
    monkeypatch.setenv("PARIBUS_DATA", str(data))
    books = [each for each in made.files if each.path.startswith("runbooks/")]
    assert len(books) == 4
    for book in books:
        for command in re.findall(r"^\$ paribus (.*)$", book.text, flags=re.MULTILINE):
            done = CliRunner().invoke(app, shlex.split(command))
            assert done.exit_code == 0, f"{book.path}: {command}\n{done.output}"
