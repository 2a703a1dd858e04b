"""`paribus explore`: in words, as JSON, as a page, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.exploration.shopping import visits
from typer.testing import CliRunner

from paribus.cli import app
from paribus.workflow.artifact import of_body, refuse_unsupported


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "events.parquet"
    visits(2500, seed=2).to_parquet(path)
    return path


def test_in_words_and_as_a_page(shop: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["explore", "--source", str(shop), "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert "Most is lost between checkout_started and payment_submitted among users with device mobile" in done.stdout
    assert "baselines" in done.stdout
    text = page.read_text()
    assert text.count("<svg") == 5
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "Where the numbers come from" in text


def test_as_json_it_is_the_artifact(shop: Path) -> None:
    done = CliRunner().invoke(
        app, ["explore", "--source", str(shop), "--funnel", "session_started, checkout_started", "--json"]
    )
    assert done.exit_code == 0, done.output
    artifact = of_body(json.loads(done.stdout))
    refuse_unsupported(artifact, {})
    assert [step["event"] for step in artifact.facts["funnels"][0]["steps"]] == ["session_started", "checkout_started"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "nowhere.csv"], "nowhere.csv"),
        (["--data", "nowhere"], "no data folder"),
        (["--source", "{shop}", "--funnel", "session_started,checkout"], "checkout_started"),
        (["--source", "{shop}", "--unit", "userid"], "user_id"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_way_out(shop: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["explore", *(each.format(shop=shop) for each in arguments)])
    assert done.exit_code == 2
    assert said in done.stderr
