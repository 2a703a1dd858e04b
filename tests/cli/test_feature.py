"""The commands of features, roles, configuration and agents' policy: text for people, JSON for scripts."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.workflow import made
from tests.workflow.visits import visits
from typer.testing import CliRunner

from paribus.app.folder import open_folder
from paribus.app.live import running_server
from paribus.cli import app
from paribus.cli.child import child_server
from paribus.errors import StorageError
from paribus.settings import Settings
from paribus.workflow.artifact import Outcome
from paribus.workflow.roles.staff import ROLES
from paribus.workflow.step import STEPS

runner = CliRunner()
REQUIREMENT = "one-click checkout for returning mobile users"
KEY = "one-click"
SETTINGS = Settings()
PARENT = """
import sys, time
from pathlib import Path
from paribus.cli.child import ChildServer
from paribus.settings import Settings
print(ChildServer(Settings(data=Path(sys.argv[1]))).endpoint().url, flush=True)
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def paribus(*words: str, code: int = 0, typed: str | None = None) -> str:
        logging.getLogger("dbos").handlers.clear()  # it holds the closed standard error of the command before
        done = runner.invoke(app, list(words), input=typed)
        assert done.exit_code == code, done.output
        return done.output

    return paribus


def save(slug: str, **more: Any) -> None:
    """An artifact made by hand."""
    made.save(SETTINGS, KEY, slug, **more)


def test_a_feature_runs_a_step_and_can_be_read(run: Any, tmp_path: Path) -> None:
    source = str(visits(tmp_path / "events.csv"))
    said = run("feature", "new", REQUIREMENT, "--key", KEY, "--source", source)
    assert f"next: paribus feature run {KEY}" in said
    assert "0 of 16, explore: open" in run("feature", "list")
    said = run("feature", "run", KEY, "--until", "explore")
    assert " 1 Explore · data-scientist" in said
    assert re.search(r"\(\d+\.\d s\)", said)
    assert "until at explore" in said
    shown = run("feature", "show", KEY)
    assert "Explore       done" in shown
    assert f"next: paribus feature run {KEY}" in shown
    text = run("feature", "show", KEY, "--step", "explore")
    assert f"> {REQUIREMENT}" in text
    body = json.loads(run("feature", "show", KEY, "--step", "explore", "--json"))
    assert body["requirement"] == REQUIREMENT
    again = json.loads(run("feature", "run", KEY, "--until", "explore", "--json"))
    assert (again["kind"], again["made"]) == ("until", [])
    run("feature", "export", KEY, "dossier")
    assert REQUIREMENT in (tmp_path / "dossier" / "README.md").read_text()
    assert "data_coverage" in json.loads(run("feature", "scorecard", KEY, "--json"))
    assert "unknown" in run("feature", "scorecard", KEY)


@pytest.mark.parametrize("words", ["", "   ", "fix it", "the", "!!!"])
def test_an_empty_or_vague_requirement_is_taught_and_nothing_is_stored(run: Any, tmp_path: Path, words: str) -> None:
    said = run("feature", "new", words, code=2)
    assert "one-click checkout for returning mobile users" in said
    assert not (tmp_path / "paribus-data").exists()


def test_a_wrong_configuration_is_told_and_nothing_is_stored(run: Any, tmp_path: Path) -> None:
    (tmp_path / "paribus.yaml").write_text("experiment_config:\n  confidence_level: 95\n")
    said = run("feature", "new", REQUIREMENT, "--config", "paribus.yaml", code=2)
    assert "paribus.yaml:2:21" in said
    assert "no features yet" in run("feature", "list")


def test_an_approval_stops_the_run_until_somebody_decides(run: Any, tmp_path: Path) -> None:
    (tmp_path / "paribus.yaml").write_text("approvals: {required: [explore]}\n")
    run("feature", "new", REQUIREMENT, "--key", KEY, "--config", "paribus.yaml")
    save("explore")
    said = run("feature", "run", KEY, "--until", "explore", code=3)
    assert "approval at explore" in said
    assert f"paribus feature approve {KEY} explore" in said
    assert json.loads(run("feature", "run", KEY, "--until", "explore", "--json", code=3))["kind"] == "approval"
    assert "needs a reason" in run("feature", "reject", KEY, code=2)
    assert "rejected explore" in run("feature", "reject", KEY, "--why", "a day is missing")
    assert "a day is missing" in run("feature", "run", KEY, "--until", "explore", code=1)
    assert "explore of one-click will be made again" in run("feature", "redo", KEY, "--step", "explore")
    save("explore", summary="With the day.")
    assert "approved explore" in run("feature", "approve", KEY)
    assert "until at explore" in run("feature", "run", KEY, "--until", "explore")
    assert "no step of one-click waits" in run("feature", "approve", KEY, code=2)


@pytest.mark.parametrize(
    ("typed", "code", "state"), [("y\n", 0, "done"), ("n\n", 1, "rejected"), ("\n", 3, "waits for approval")]
)
def test_asked_at_the_keyboard(run: Any, tmp_path: Path, typed: str, code: int, state: str) -> None:
    (tmp_path / "paribus.yaml").write_text("approvals: {required: [explore]}\n")
    run("feature", "new", REQUIREMENT, "--key", KEY, "--config", "paribus.yaml")
    save("explore")
    said = run("feature", "run", KEY, "--until", "explore", "--ask", code=code, typed=typed)
    assert made.SUMMARY in said
    assert json.loads(run("feature", "show", KEY, "--json"))["steps"][0]["state"] == state


def test_auto_approves_what_waits(run: Any, tmp_path: Path) -> None:
    (tmp_path / "paribus.yaml").write_text("approvals: {required: [explore]}\n")
    run("feature", "new", REQUIREMENT, "--key", KEY, "--config", "paribus.yaml")
    save("explore")
    run("feature", "run", KEY, "--until", "explore", "--auto")
    assert json.loads(run("feature", "show", KEY, "--json"))["steps"][0]["approved_by"]


def test_a_failed_check_blocks(run: Any) -> None:
    run("feature", "new", REQUIREMENT, "--key", KEY)
    save("explore", checks=(Outcome(name="Holes", status="failed", message="two days are missing"),))
    assert "two days are missing" in run("feature", "run", KEY, code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["feature", "run", "one-clik"], "did you mean 'one-click'?"),
        (["feature", "run", KEY, "--until", "desing"], "did you mean 'design'?"),
        (["feature", "run", KEY, "--auto", "--ask"], "exclude each other"),
        (["feature", "show", KEY, "--step", "design"], "--until design"),
        (["feature", "redo", KEY, "--step", "design"], "no artifact yet"),
        (["feature", "new", REQUIREMENT, "--key", KEY], "already"),
        (["feature", "new", REQUIREMENT, "--key", "../X Y"], "x-y"),
        (["feature", "new", REQUIREMENT, "--previous", "nothing"], "nothing"),
        (["feature", "new", REQUIREMENT, "--config", "nothing.yaml"], "paribus config init"),
        (["role", "show", "data-scientits"], "did you mean 'data-scientist'?"),
        (["role", "run", "business-analyst", KEY], "paribus role run machine-learning-ops::data-scientist"),
        (["role", "run", "backend-architect", KEY], "2 roles are called"),
        (["config", "check", "nothing.yaml"], "paribus config init"),
        (["mcp", "policy", "--sign", "--approve", "desing"], "desing"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(run: Any, words: list[str], said: str) -> None:
    run("feature", "new", REQUIREMENT, "--key", KEY)
    text = re.sub(r"\s+", " ", run(*words, code=2))
    assert said in text
    assert "Traceback" not in text
    answer = json.loads(run(*words, "--json", code=2))
    assert answer["error"]["what"]


def test_a_role_does_its_own_step(run: Any, tmp_path: Path) -> None:
    source = str(visits(tmp_path / "events.csv"))
    run("feature", "new", REQUIREMENT, "--key", KEY, "--source", source)
    said = json.loads(run("role", "run", "machine-learning-ops::data-scientist", "--step", "explore", "--json"))
    assert (said["kind"], said["made"]) == ("until", ["explore"])


def test_roles_are_listed_and_shown(run: Any) -> None:
    listed = run("role", "list")
    for role in ROLES:
        assert role.id in listed
        shown = run("role", "show", role.id)
        assert role.brief in shown
        assert all(limit in shown for limit in role.limits)
    assert len(json.loads(run("role", "list", "--json"))) == 9


def test_the_configuration_is_checked_value_by_value(run: Any, tmp_path: Path) -> None:
    assert "wrote paribus.yaml" in run("config", "init")
    assert "there already" in run("config", "init", code=2)
    assert "paribus.yaml is accepted" in run("config", "check")
    (tmp_path / "paribus.yaml").write_text("feature_flags: {provider: unleash}\n")
    said = run("config", "check", "paribus.yaml")
    assert re.search(r"feature_flags.provider +unleash +waits +for Readers of other systems' flags", said)
    rows = json.loads(run("config", "check", "--json"))["values"]
    assert {"acts", "waits"} == {row["effect"] for row in rows}


def test_the_policy_of_agents_is_shown_and_signed(run: Any) -> None:
    run("feature", "new", REQUIREMENT, "--key", KEY)
    assert "the default; none was signed here" in run("mcp", "policy")
    run("mcp", "policy", "--sign", "--max-traffic", "5%", "--approve", "design,setup")
    found = json.loads(run("mcp", "policy", "--json"))
    assert (found["max_traffic_bp"], found["approve"], found["is_default"]) == (500, ["design", "setup"], False)


def test_every_step_is_a_choice_of_until(run: Any) -> None:
    run("feature", "new", REQUIREMENT, "--key", KEY)
    for step in STEPS:
        assert step.slug in json.loads(run("feature", "show", KEY, "--json"))["steps"][step.number - 1]["step"]


def test_a_server_is_started_for_a_run_and_ends_with_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    open_folder(settings, create=True)
    with child_server(settings) as server:
        assert running_server(settings.data) is None
        endpoint = server.endpoint()
        assert running_server(settings.data) == (endpoint.url, endpoint.key)
        with child_server(settings) as second:
            assert second.endpoint() == endpoint
            assert not second.is_own
        assert running_server(settings.data) is not None
    assert running_server(settings.data) is None


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    open_folder(settings, create=True)
    (settings.data / "folder.json").write_text('{"format": 99}')
    with child_server(settings) as server, pytest.raises(StorageError, match="format 99"):
        server.endpoint()


def test_a_server_of_a_run_that_was_killed_ends_by_itself(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    open_folder(settings, create=True)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(settings.data)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith(b"http://")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while running_server(settings.data) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
