"""Every command: its happy path in words and as JSON, its errors in both, and its exit status."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result as Run
from typer.testing import CliRunner

import paribus
from paribus.cli import app

COLUMNS = ("--unit", "participant", "--variant", "group", "--metric", "earnings_1978")


def run(*arguments: str) -> Run:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def as_json(*arguments: str, code: int = 0) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == code, done.output
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the example's table and experiment in it."""
    with as_file(files("paribus") / "examples" / "nsw") as example:
        for path in example.iterdir():
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_help_names_every_command_and_the_version_is_the_package_s() -> None:
    text = run("--help").output
    for command in ("analyze", "init", "seal", "certify", "design", "sql", "verify", "demo"):
        assert command in text
        assert run(command, "--help").exit_code == 0
    assert run("--version").output.strip() == paribus.__version__


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("analyse").exit_code == 2


def test_demo_writes_what_it_says(tmp_path: Path) -> None:
    done = run("demo", "--experiment", "--out", str(tmp_path / "demo"))
    assert done.exit_code == 0
    assert "Ship training" in " ".join(done.output.split())
    report = (tmp_path / "demo" / "report.html").read_text()
    assert report.startswith("<!")
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert json.loads((tmp_path / "demo" / "result.json").read_text())["verdict"]["value"] == "ship"
    assert run("verify", str(tmp_path / "demo" / "result.json")).exit_code == 0
    assert as_json("demo", "--experiment", "--out", str(tmp_path / "again"))["verdict"]["value"] == "ship"


# ── analyze ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_analyze_a_table_and_write_all_files(folder: Path) -> None:
    done = run("analyze", "nsw.csv", *COLUMNS, "--html", "out/r.html", "--csv", "out/r.csv", "--save", "out/r.json")
    assert done.exit_code == 0
    assert "earnings_1978" in done.output
    assert "Unregistered" in done.output
    for name in ("r.html", "r.csv", "r.json"):
        assert (folder / "out" / name).stat().st_size > 500
        assert f"out/{name}" in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines())


def test_analyze_as_json_with_everything_named(folder: Path) -> None:
    plain = as_json(
        "analyze", "nsw.csv", *COLUMNS, "--metric", "employed_1978", "--control", "control", "--segment", "degree",
        "--split", "control=260,training=185", "--covariate", "earnings_1978=earnings_1975", "--confidence", "0.9",
        "--proof", "full",
    )  # fmt: skip
    assert plain["verdict"]["value"] == "unregistered"
    assert plain["confidence_level"] == 0.9
    assert {c["metric"] for c in plain["comparisons"]} == {"earnings_1978", "employed_1978"}
    assert plain["segments"]
    ratio = next(check for check in plain["checks"] if check["name"] == "sample ratio")
    assert ratio["status"] == "passed"
    assert plain["comparisons"][0]["variance_reduction"] is not None


def test_analyze_an_experiment_file(folder: Path) -> None:
    plain = as_json("analyze", "experiment.yaml")
    assert plain["experiment"] == "supported-work"


ERRORS = {
    "misspelled column": (("nsw.csv", *COLUMNS[:-1], "earnings_1987"), "did you mean 'earnings_1978'?"),
    "no such file": (("nsv.csv", *COLUMNS), "did you mean 'nsw.csv'?"),
    "no columns": (("nsw.csv",), "missing: unit, variant, metrics"),
    "columns beside a file": (("experiment.yaml", "--unit", "x"), "unit cannot be given beside an experiment file"),
    "split": (("nsw.csv", *COLUMNS, "--split", "half"), "'half' is no share of a split"),
    "covariate": (("nsw.csv", *COLUMNS, "--covariate", "x"), "'x' names no covariate"),
    "time": (("experiment.yaml", "--as-of", "yesterday"), "'yesterday' is not a time"),
    "level": (("nsw.csv", *COLUMNS, "--confidence", "95"), "write 0.95"),
    "proof": (("nsw.csv", *COLUMNS, "--proof", "half"), "'half' is no kind of proof"),
    "control": (("nsw.csv", *COLUMNS, "--control", "contrl"), "did you mean 'control'?"),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=list(ERRORS))
def test_a_mistake_is_an_error_in_words_and_as_json(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("analyze", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    error = as_json("analyze", *arguments, code=2)["error"]
    assert {"code", "what"} <= set(error) <= {"code", "what", "where", "rule", "fix"}
    assert message in " ".join(error.values())


def test_a_broken_experiment_file_points_at_line_and_key(folder: Path) -> None:
    text = (folder / "experiment.yaml").read_text().replace("control: control\n", "control: contrl\n")
    (folder / "experiment.yaml").write_text(text)
    error = as_json("analyze", "experiment.yaml", code=2)["error"]
    assert error["code"] == "definition"
    assert error["where"].startswith("experiment.yaml:")
    assert "did you mean 'control'?" in error["fix"]


# ── init and seal ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_init_then_seal_then_analyze(folder: Path) -> None:
    (folder / "experiment.yaml").unlink()
    for path in folder.glob("*.seal.json"):
        path.unlink()
    done = run("init", "nsw.csv")
    assert done.exit_code == 0
    assert "wrote experiment.yaml" in done.output
    assert "please check" in done.output
    refused = run("init", "nsw.csv")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert as_json("init", "nsw.csv", "--force")["file"] == "experiment.yaml"
    sealed = as_json("seal", "experiment.yaml", "--author", "Ada")
    assert len(sealed["hash"]) == 64
    assert sealed["author"] == "Ada"
    assert sealed["rows_readable"] == 445
    assert (folder / sealed["file"]).is_file()
    again = run("seal", "experiment.yaml", "--author", "Ada")
    assert again.exit_code == 2
    assert as_json("analyze", "experiment.yaml")["registered"] is True
    text = (folder / "experiment.yaml").read_text()
    (folder / "experiment.yaml").write_text(text.replace("confidence_level: 0.95", "confidence_level: 0.9"))
    changed = as_json("analyze", "experiment.yaml")
    assert changed["confidence_level"] == 0.95, "what was sealed is analyzed"
    assert changed["deviations"]
    refused = run("seal", "experiment.yaml", "--author", "Ada")
    assert refused.exit_code == 2
    assert "amend" in refused.stderr
    assert run("seal", "experiment.yaml", "--author", "Ada", "--amend", "a wider net").exit_code == 0


# ── sql ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sql_prints_the_statements_of_a_dialect(folder: Path) -> None:
    assert "-- moments (bigquery)" in run("sql", "experiment.yaml", "--dialect", "bigquery").output
    statements = as_json("sql", "experiment.yaml")
    assert [s["name"] for s in statements][:1] == ["probe"]
    assert {s["dialect"] for s in statements} == {"duckdb"}
    done = run("sql", "experiment.yaml", "--dialect", "bigqury")
    assert done.exit_code == 2
    assert "did you mean 'bigquery'?" in done.stderr


# ── verify ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def saved(folder: Path) -> Path:
    run("analyze", "experiment.yaml", "--save", "result.json")
    return folder / "result.json"


def edited(path: Path, change: Any) -> None:
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))


def test_verify_reproduces(saved: Path) -> None:
    done = run("verify", "result.json")
    assert done.exit_code == 0
    assert done.output.startswith("reproduced")
    assert as_json("verify", "result.json")["data"] == "reproduced"
    assert "data not asked" in run("verify", "result.json", "--no-data").output


def test_verify_names_one_edited_moment(saved: Path) -> None:
    def change(plain: dict[str, Any]) -> None:
        cells = next(iter(plain["proof"]["measurement"]["cells"].values()))
        mean = cells["cells"][0]["mean"]
        mean[0] = type(mean[0])(float(mean[0]) * 1.01)

    edited(saved, change)
    answer = as_json("verify", "result.json", code=1)
    assert answer["inference"] == "differs"
    assert answer["exit_code"] == 1
    assert "moment" in answer["sentence"] or "measurement" in answer["sentence"]


def test_verify_names_one_edited_plan_field(saved: Path) -> None:
    def change(plain: dict[str, Any]) -> None:
        plain["proof"]["design"]["plan"]["confidence_level"] = 0.8

    edited(saved, change)
    answer = as_json("verify", "result.json", code=1)
    assert answer["inference"] == "differs"
    assert "plan" in answer["sentence"]


def test_verify_names_an_edited_verdict(saved: Path) -> None:
    def change(plain: dict[str, Any]) -> None:
        plain["verdict"]["value"] = "roll_back"

    edited(saved, change)
    assert "verdict" in as_json("verify", "result.json", code=1)["sentence"]


def test_verify_names_one_changed_row(saved: Path) -> None:
    table = saved.with_name("nsw.csv")
    lines = table.read_text().splitlines(keepends=True)
    swapped = {"control": "training", "training": "control"}
    arm = next(name for name in swapped if f",{name}," in lines[-1])
    lines[-1] = lines[-1].replace(arm, swapped[arm])
    table.write_text("".join(lines))
    done = run("verify", "result.json")
    assert done.exit_code == 3
    assert "nsw.csv changed" in done.output


def test_verify_without_the_data(saved: Path) -> None:
    saved.with_name("nsw.csv").unlink()
    done = run("verify", "result.json")
    assert done.exit_code == 4
    assert "inference verified" in done.output


def test_verify_refuses_what_is_no_result(folder: Path) -> None:
    for name in ("nsw.csv", "missing.json"):
        assert as_json("verify", name, code=2)["error"]["what"]


def test_a_result_of_a_table_verifies_from_its_json(folder: Path) -> None:
    (folder / "table.json").write_text(run("analyze", "nsw.csv", *COLUMNS, "--json").stdout)
    assert run("verify", "table.json").exit_code == 0


# ── design and certify ───────────────────────────────────────────────────────────────────────────────────────────────


def test_design_from_numbers(folder: Path) -> None:
    arguments = ("design", "--baseline", "12%", "--mde", "3%", "--daily-units", "4000")
    assert as_json(*arguments, "--plot", "power.svg")
    assert (folder / "power.svg").read_text().startswith("<svg")


def test_certify_on_history(folder: Path) -> None:
    assert as_json("certify", "experiment.yaml", "--replications", "100")


def test_design_refuses_what_is_no_method_or_number() -> None:
    done = run("design", "--method", "fixd", "--baseline", "0.1", "--mde", "0.1")
    assert done.exit_code == 2
    assert "did you mean 'fixed'?" in done.stderr
    done = run("design", "--baseline", "a tenth", "--mde", "0.1")
    assert done.exit_code == 2
    assert "'a tenth' is not a number" in done.stderr
