"""The commands of the live half: one folder from the first flag to backup; JSON for scripts; errors that teach."""

import json
import re

import pytest
from typer.testing import CliRunner

from paribus.cli import app

runner = CliRunner()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def paribus(*words, code=0):
        done = runner.invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    return paribus


def as_json(text):
    return json.loads(text)


def test_a_flag_from_creation_to_kill(run):
    assert "control 50%, treatment 50%" in run("flag", "create", "checkout", "--traffic", "10%")
    assert "25% of everyone" in run("flag", "ramp", "checkout", "25%", "--why", "quiet")
    assert "control 20%" in run("flag", "split", "checkout", "control=20,treatment=80")
    assert "KILLED" in run("flag", "kill", "checkout", "--why", "latency")
    assert "it is so already" in run("flag", "kill", "checkout")
    assert "25%" in run("flag", "revive", "checkout")
    run("flag", "override", "checkout", "tester-7", "treatment")
    assert "reason OVERRIDE" in run("flag", "explain", "checkout", "--unit", "tester-7")
    history = run("flag", "show", "checkout", "--history")
    assert "latency" in history
    assert "tester-7" not in history
    assert as_json(run("flag", "show", "checkout", "--json"))["revision"] == 6
    assert "archived" in run("flag", "archive", "checkout")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["flag", "kill", "chekout"], "did you mean 'checkout'?"),
        (["flag", "ramp", "checkout", "120%"], "is no share"),
        (["flag", "ramp", "checkout", "10", "-e", "prod"], "no environment 'prod'"),
        (["flag", "split", "checkout", "control=20,treatment=80"], "every unit has been in traffic"),
        (["flag", "override", "checkout", "u", "purple"], "no variant 'purple'"),
        (["flag", "explain", "checkout", "--context", "{"], "not JSON"),
        (["flag", "create", "checkout"], "checkout"),
        (["flag", "create", "x", "--split", "50/40"], "does not fit"),
        (["key", "create", "--scope", "root"], "no scope"),
        (["experiment", "create", "e", "--flag", "nope", "--success", "s"], "no flag 'nope'"),
        (["experiment", "create", "e", "--flag", "checkout", "--success", "s", "--guardrail", "error"], "error"),
        (["analyze", "chekout"], "chekout"),
        (["events", "import", "x.json", "--format", "mixpannel"], "did you mean 'mixpanel'?"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(run, words, said):
    run("flag", "create", "checkout")
    text = run(*words, code=2)
    assert said in re.sub(r"\s+", " ", text)
    assert "Traceback" not in text


def test_without_a_folder_a_reading_command_says_how_to_begin(run):
    assert "paribus serve" in run("flag", "list", code=2)


def test_a_misspelled_file_without_a_folder_is_told_as_such(run):
    assert "neither a file 'resluts'" in run("analyze", "resluts", code=2)


def test_a_key_is_printed_alone_once_and_never_again(run, tmp_path):
    secret = run("key", "create", "--scope", "server").strip()
    assert re.fullmatch(r"pb_server_[\w-]{43}", secret)
    listed = run("key", "list")
    assert secret not in listed
    assert secret[:12] in listed
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    [key] = as_json(run("key", "list", "--json"))
    renewed = run("key", "rotate", key["id"]).strip()
    assert renewed != secret
    run("key", "revoke", key["id"])
    states = {each["id"]: each["revoked"] for each in as_json(run("key", "list", "--json"))}
    assert states[key["id"]] is not None


def test_definitions_go_both_ways_between_files_and_store(run, tmp_path):
    run("flag", "create", "checkout", "--traffic", "10%")
    run("pull", "definitions")
    assert "agree" in run("diff", "definitions")
    file = tmp_path / "definitions" / "flag" / "checkout.yaml"
    file.write_text(file.read_text().replace("traffic_bp: 1000", "traffic_bp: 3000"))
    assert "+          traffic_bp: 3000" in run("diff", "definitions", code=1)
    assert "would write" in run("apply", "definitions", "--dry-run")
    run("apply", "definitions", "--why", "reviewed")
    assert "30% of everyone" in run("flag", "list")
    file.write_text(file.read_text().replace("variant: treatment", "variant: purple"))
    assert "purple" in run("apply", "definitions", code=2)
    assert "30% of everyone" in run("flag", "list")
    assert "whole" in run("audit", "verify")


def test_an_experiment_is_sealed_when_it_is_created(run):
    run("flag", "create", "checkout")
    text = run("experiment", "create", "checkout", "--success", "order_completed", "--guardrail", "error:-0.1%")
    assert "sealed before data" in text
    assert "order_completed (success)" in run("experiment", "list")
    assert as_json(run("experiment", "show", "checkout", "--json"))["body"]["flag"] == "checkout"
    assert "no event has arrived yet" in run("analyze", "checkout", code=2)
    assert "sealed on" in run("experiment", "seal", "checkout", code=2)


def test_history_is_imported_once_however_often_it_is_run(run, tmp_path):
    (tmp_path / "orders.csv").write_text("at,who,amount\n2020-01-01T00:00:00Z,u1,5\n2020-01-02T00:00:00Z,u2,7\n")
    words = ["events", "import", "orders.csv", "--format", "csv", "--time", "at", "--unit", "who", "--event", "order"]
    assert "2 accepted" in run(*words)
    run(*words)
    found = as_json(run("events", "tail", "--json"))
    assert [(each["unit"], each["properties"]) for each in found] == [("u2", {"amount": 7}), ("u1", {"amount": 5})]
    assert as_json(run("events", "reconcile", "--json"))["adds_up"]
    run("events", "erase", "u1", "--request", "ticket 7")
    assert [each["unit"] for each in as_json(run("events", "tail", "--json"))] == ["u2"]
    assert not any(b"u1" in file.read_bytes() for file in (tmp_path / "paribus-data" / "lake").rglob("*.parquet"))


def test_backup_restore_and_doctor(run):
    run("flag", "create", "checkout")
    run("backup", "copy")
    run("restore", "copy", "--data", "again")
    assert "100% of everyone" in run("flag", "list", "--data", "again")
    assert all(each["is_well"] for each in as_json(run("doctor", "--data", "again", "--json")))
    assert "is not empty" in run("restore", "copy", "--data", "again", code=2)


PLAN = """events:
  order_completed:
    properties:
      revenue: {type: number, required: true}
"""


def test_a_tracking_plan_in_force_and_a_typed_client_of_it(run, tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN)
    assert "1 events" in run("tracking", "set", "plan.yaml")
    assert "revenue" in run("tracking", "show")
    assert "def order_completed(" in run("tracking", "codegen", "python")
    assert "orderCompleted" in run("tracking", "codegen", "typescript")
    schema = as_json(run("tracking", "schema", "order_completed"))
    assert schema["properties"]["revenue"]["type"] == "number"
    (tmp_path / "plan.yaml").write_text(PLAN.replace("number", "string"))
    assert "breaking" in run("tracking", "set", "plan.yaml", code=2)
    (tmp_path / "plan.yaml").write_text(PLAN.replace("required", "requierd"))
    assert "requierd" in run("tracking", "set", "plan.yaml", code=2)
