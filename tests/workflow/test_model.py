"""Step 9 on a history with a known relation: who came often and lately, orders."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from tests.workflow.planned import architecture, instrumentation
from tests.workflow.stage import staged

from paribus.clock import system_clock
from paribus.store import Address, open_store
from paribus.workflow import Artifact
from paribus.workflow.artifact import Measured, refuse_unsupported
from paribus.workflow.code.trial import try_tests, write_files
from paribus.workflow.facts.code import ModelFacts
from paribus.workflow.facts.hypothesize import Forecast, Hypothesis, HypothesizeFacts
from paribus.workflow.steps import model

pytestmark = pytest.mark.xdist_group("model")  # one history, one fit

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
MODEL = {"implementation": {"model": True}}


def history(path: Path, units: int = 1500, seed: int = 5) -> str:
    """Four weeks; a unit's rate of visits lasts, and each visit after the cut ends in an order with chance 0.3."""
    rng = np.random.default_rng(seed)
    lines = ["unit,event,time"]
    for unit in range(units):
        rate = rng.gamma(1.0, 0.35)
        for day in range(28):
            for _ in range(rng.poisson(rate)):
                at = BEGIN + timedelta(days=day, seconds=int(rng.integers(0, 86_000)))
                names = ["session_started", "product_viewed"] + (["order_completed"] if rng.random() < 0.3 else [])
                lines += [f"u{unit},{name},{(at + timedelta(seconds=i)).isoformat()}" for i, name in enumerate(names)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def hypotheses() -> HypothesizeFacts:
    one = Measured(value=1.0, evidence="metrics")
    return HypothesizeFacts(
        hypotheses=(
            Hypothesis(
                id="h1", because="", change="", for_whom="", expected="", measured_by="order_rate",
                reach=one, ice=one, rice=one, forecast=Forecast(lift=one, chance_of_success=one),
            ),
        ),
        chosen="h1",
        metrics=({"name": "order_rate", "role": "success", "event": "order_completed"},),
        smallest_worthwhile=one,
        detectable=one,
        minimum_detectable_effect=one,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def made(folder: Path) -> Artifact:
    source = history(folder / "events.csv")
    store = open_store(folder, clock=system_clock)
    context = staged(
        folder, MODEL, source=source, store=store,
        architect=architecture(), instrument=instrumentation(), hypothesize=hypotheses(),
    )  # fmt: skip
    artifact = model.run(context)
    refuse_unsupported(artifact, context.artifacts)
    assert model.run(context).hash == artifact.hash
    store.close()
    return artifact


def test_without_a_model_it_says_why(tmp_path: Path) -> None:
    artifact = model.run(staged(tmp_path))
    assert "implementation.model is false" in artifact.not_applicable
    assert artifact.facts == {}
    assert model.present(artifact)


def test_champion_and_challenger_are_variants_and_better_than_chance(made: Artifact) -> None:
    facts = ModelFacts.model_validate(made.facts)
    assert {each.variant: each.model for each in facts.variants} == {
        "control": "one-click-checkout-champion",
        "treatment": "one-click-checkout-challenger",
    }
    for each in facts.variants:
        auc = each.quality["auc"]
        assert (auc.low or 0) > 0.6
        assert (each.quality["log_loss"].value or 1) < (each.quality["base_log_loss"].value or 0)
    assert made.blocked == ()
    assert facts.drift["false_alarms"] <= 3  # of 60 windows at a rate of at most 1%
    assert (facts.drift["found_within"] or 9999) <= 1000
    assert len(model.present(made)) > 5


def test_they_are_registered_once(made: Artifact, folder: Path) -> None:
    store = open_store(folder, clock=system_clock)
    facts = ModelFacts.model_validate(made.facts)
    for each in facts.variants:
        revision = store.get(Address("default", "model", each.model))
        assert (revision.number, revision.body["sha256"]) == (1, each.sha256)
        assert (folder / "models" / f"{each.sha256}.onnx").exists()
    store.close()


def test_a_history_without_the_event_blocks(tmp_path: Path) -> None:
    source = tmp_path / "events.csv"
    rows = [f"u{i},seen,{(BEGIN + timedelta(days=i % 20)).isoformat()}" for i in range(400)]
    source.write_text("unit,event,time\n" + "\n".join(rows) + "\n")
    context = staged(
        tmp_path, MODEL, source=str(source),
        architect=architecture(), instrument=instrumentation(), hypothesize=hypotheses(),
    )  # fmt: skip
    artifact = model.run(context)
    assert [check.name for check in artifact.blocked] == ["enough history for a model"]
    assert model.present(artifact)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Chain([second, first], rule", "Chain([second], rule"),
        ("self._client.variant(FLAG, unit, default=CONTROL)", "CONTROL"),
        ("self._client.variant(FLAG, unit, default=CONTROL)", "self._client.peek(FLAG, unit).variant"),
        ("self._shadow.compare(row, answer.score)", "pass"),
        ('"model_scored"', '"something_else"'),
        ("return BASE_RATE", "raise ValueError"),
    ],
)
def test_a_deletion_fails_its_tests(made: Artifact, old: str, new: str) -> None:
    """The chain, the flag, the exposure, the shadow, the event, the rule."""
    files = {file.path: file.text for file in made.files}
    assert files["decider.py"].count(old) == 1
    files["decider.py"] = files["decider.py"].replace(old, new)
    assert try_tests(files).failed > 0


def test_the_container_file_names_what_is_there(made: Artifact, tmp_path: Path) -> None:
    """Parsed by a parser of such files; no container is built."""
    from dockerfile_parse import DockerfileParser

    files = {file.path: file.text for file in made.files}
    write_files(files, tmp_path)
    parser = DockerfileParser(path=str(tmp_path), cache_content=True)
    assert parser.baseimage == "python:3.11-slim"
    told: dict[str, list[str]] = {}
    for each in parser.structure:
        told.setdefault(each["instruction"], []).append(each["value"])
    copied = [name for value in told["COPY"] for name in value.split()[:-1]]
    assert set(copied) <= set(files)
    assert told["USER"] == ["10001"], "it does not serve as root"
    imported = {"serve.py", "decider.py", "requirements.txt"}
    assert imported <= set(copied)
    [entry] = [json.loads(value) for value in told["ENTRYPOINT"]]
    options = subprocess.run(
        [sys.executable, *entry[1:2], "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert {word for word in entry if word.startswith("--")} <= set(options.replace("[", " ").split())
    assert f"EXPOSE {told['EXPOSE'][0]}" in files["Dockerfile"]
    assert f":{told['EXPOSE'][0]}/v2/health/ready" in told["HEALTHCHECK"][0]
    assert files["requirements.txt"].startswith("paribus[ml]==")


@pytest.mark.slow
def test_the_pipeline_runs_again_and_serves(made: Artifact, folder: Path, tmp_path: Path) -> None:
    write_files({file.path: file.text for file in made.files}, tmp_path)
    source = str(folder / "events.csv")
    command = [sys.executable, "pipeline.py", "--data", str(folder), "--source", source]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    again = json.loads(done.stdout)
    facts = ModelFacts.model_validate(made.facts)
    assert [each["sha256"] for each in again] == [each.sha256 for each in facts.variants]
    script = (
        "import serve, sys, pathlib; s = serve.server(pathlib.Path(sys.argv[1]), 0);"
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = f"http://127.0.0.1:{int(process.stdout.readline())}"
        try:
            name = "one-click-checkout"
            described = json.load(urlopen(f"{address}/v2/models/{name}"))
            assert described["versions"] == ["champion"]
            inputs = [
                {"name": each["name"], "datatype": "FP32", "shape": [2], "data": [1.0, 3.0]}
                for each in described["inputs"]
            ]
            body = json.dumps({"id": "7", "inputs": inputs, "parameters": {"variant": "treatment"}}).encode()
            answer = json.load(urlopen(Request(f"{address}/v2/models/{name}/infer", data=body)))
            scores, by = (each["data"] for each in answer["outputs"])
            assert (answer["id"], by) == ("7", ["challenger", "challenger"])
            assert all(0 < score < 1 for score in scores)
            far = [{**each, "shape": [500], "data": [9.0] * 500} for each in inputs]
            shifted = json.dumps({"inputs": far, "parameters": {"variant": "treatment"}}).encode()
            urlopen(Request(f"{address}/v2/models/{name}/infer", data=shifted))
            measured = urlopen(f"{address}/metrics").read().decode()
            assert 'model_served_total{variant="treatment",by="challenger"} 502' in measured
            assert 'model_drift_windows_total{variant="treatment"} 1' in measured
            assert 'model_drift_alarms_total{variant="treatment",series="score"} 1' in measured
            known = {line.partition("{")[0].partition(" ")[0] for line in measured.splitlines()}
            files = {file.path: file.text for file in made.files}
            asked = re.findall(r"model_\w+", files["monitoring/model_dashboard.json"])
            asked += re.findall(r"model_\w+(?=[\[{])", files["monitoring/model_alerts.yml"])
            assert set(asked) - {"model_failed_total"} <= known, "nothing failed here, so that is not counted yet"
        finally:
            process.kill()
