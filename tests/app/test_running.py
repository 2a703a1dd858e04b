"""`paribus analyze --count` and `pb.running`: the same answer through both doors, in words, in JSON and as a page."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

import paribus as pb
from paribus.app import published
from paribus.cli import app

ROOT = Path(__file__).parents[2]
ASOS = ROOT / "src" / "paribus" / "examples" / "asos" / "asos.csv"
SCHEMA = json.loads((ROOT / "spec" / "running.schema.json").read_text())
NAMED = {
    "count": "n_control,n_treatment",
    "mean": "mean_control,mean_treatment",
    "variance": "variance_control,variance_treatment",
    "time": "day",
}
BY = ("experiment", "treatment", "metric")


def columns(**given: Any) -> dict[str, Any]:
    return {name: tuple(text.split(",")) if "," in text else text for name, text in NAMED.items()} | given


def on_the_command_line(source: object, *extra: str, named: dict[str, str] = NAMED) -> tuple[int, str, str]:
    options = [word for name, column in named.items() for word in (f"--{name}", column)]
    done = CliRunner().invoke(app, ["analyze", str(source), *options, *extra])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def test_the_command_says_the_same_in_words_in_json_and_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    by = [word for name in BY for word in ("--by", name)]
    code, words, _ = on_the_command_line(ASOS, *by, "--html", str(page))
    assert code == 0
    result = pb.running(ASOS, **columns(by=BY))
    assert words == f"{result.text()}\nreport: {page}\n"
    code, out, _ = on_the_command_line(ASOS, *by, "--json")
    plain = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(plain)
    assert plain == json.loads(json.dumps(result.to_dict()))
    assert len(plain["comparisons"]) == 27
    html = page.read_text()
    assert html.count("<svg") == 27
    assert result.plot(26).inline() in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    for text in (html, words, repr(result), result._repr_html_()):
        assert "unregistered: no plan was sealed, so nothing here decides" in text
        assert "ship" not in text.lower()
        assert "verdict" not in text.lower()
    table = [line for line in words.split("\n") if line.startswith(("3b", "f0", "  ")) and not line.startswith("·")]
    assert max(map(len, table)) <= 80


def test_the_schema_is_the_published_one() -> None:
    assert published.texts()["running.schema.json"] == (ROOT / "spec" / "running.schema.json").read_text()


def test_rows_by_arm_and_all_options(tmp_path: Path) -> None:
    pairs = pd.read_csv(ASOS).query("experiment == 'f0df06' and treatment == 2 and metric == 4")
    parts = [
        pairs[["day", *(f"{what}_{arm}" for what in ("n", "mean", "variance"))]]
        .set_axis(["day", "n", "mean", "variance"], axis=1)
        .assign(arm=arm)
        for arm in ("control", "treatment")
    ]
    path = tmp_path / "totals.csv"
    pd.concat(parts).assign(sd=lambda rows: rows["variance"] ** 0.5).to_csv(path, index=False)
    named = {"variant": "arm", "control": "control", "count": "n", "mean": "mean", "sd": "sd", "time": "day"}
    extra = ("--n-opt", "5e6", "--effect-sd", "0.05", "--split", "control=50,treatment=50", "--confidence", "0.9")
    code, out, err = on_the_command_line(path, *extra, "--json", named=named)
    assert code == 0, err
    found = json.loads(out)
    wanted = pb.running(pairs, **columns(), n_opt=5e6, effect_sd=0.05, confidence_level=0.9).to_dict()
    (one,), (other,) = found["comparisons"], wanted["comparisons"]
    assert one["naive_first"] == other["naive_first"]
    assert (one["n_opt"], found["effect_sd"], found["level"]) == (5e6, 0.05, 0.9)
    assert one["sample_ratio_p"] > 0.001
    for a, b in zip(one["checkpoints"], other["checkpoints"], strict=True):
        assert a["anytime"]["p_value"] == pytest.approx(b["anytime"]["p_value"])
        assert a["mixture"]["p_value"] == pytest.approx(b["mixture"]["p_value"])
    code, words, _ = on_the_command_line(path, *extra, named=named)
    assert "read always, mixture" in words
    assert "Give the planned one with --n-opt" not in words


def test_frames_and_tables_of_a_database_are_read(tmp_path: Path) -> None:
    rows = pd.read_csv(ASOS).query("experiment == '84f653'")
    wanted = pb.running(rows, **columns(by="metric"))
    assert pb.running(pl.from_pandas(rows), **columns(by="metric")).comparisons == wanted.comparisons
    with sqlite3.connect(tmp_path / "asos.db") as database:
        rows.to_sql("summaries", database, index=False)
    where = f"sqlite:///{tmp_path / 'asos.db'}"
    code, out, err = on_the_command_line("summaries", "--source", where, "--by", "metric", "--json")
    assert code == 0, err
    assert json.loads(out)["comparisons"][0]["checkpoints"][0]["difference"] == pytest.approx(
        wanted.comparisons[0].checkpoints[0].difference
    )


@pytest.mark.parametrize(
    ("named", "extra", "said"),
    [
        (NAMED, ("--unit", "user"), "--unit cannot be given beside --count"),
        (NAMED, ("--treated", "x"), "--treated cannot be given beside --count"),
        ({**NAMED, "count": "n_control"}, (), "1 columns are named as count"),
        ({k: NAMED[k] for k in ("mean", "variance")}, (), "missing: --count, --time"),
        ({k: NAMED[k] for k in ("count", "mean", "time")}, (), "the spread of the units is not named"),
        ({**NAMED, "time": "days"}, (), "did you mean 'day'"),
        (NAMED, (), "fix:  --by treatment --by metric --by experiment"),
    ],
)
def test_the_command_says_what_it_misses(named: dict[str, str], extra: tuple[str, ...], said: str) -> None:
    code, _, err = on_the_command_line(ASOS, *extra, named=named)
    assert code == 2
    assert said in err
