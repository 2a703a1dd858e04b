"""No step is a template: one changed fact of the history changes what the steps after it make."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from paribus.app.feature import workshop
from paribus.cli import app
from paribus.settings import Settings
from paribus.workflow.artifact import Artifact, refuse_unsupported

pytestmark = pytest.mark.slow
KEY = "feature"
REQUIREMENT = "one-click checkout for returning mobile users"
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
FUNNEL = {
    "session_started": 1.0,
    "product_viewed": 0.85,
    "checkout_started": 0.7,
    "payment_submitted": 0.35,
    "order_completed": 0.95,
}
CONFIG = "experiment_config: {min_sample_size: 100}\napprovals: {required: []}\neconomics: {build_cost: 500}\n"


@dataclass(frozen=True, slots=True)
class Made:
    """The artifacts of a feature up to the pipeline."""

    artifacts: Mapping[str, Artifact]

    def facts(self, slug: str) -> dict[str, Any]:
        return self.artifacts[slug].facts

    def files(self, slug: str) -> str:
        return "\n".join(file.path + "\n" + file.text for file in self.artifacts[slug].files)

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return {each["role"]: each for each in reversed(self.facts("design")["document"]["metrics"])}

    @property
    def value(self) -> Any:
        return self.facts("hypothesize")["hypotheses"][0]["expected_value"]


def history(path: Path, funnel: Mapping[str, float]) -> Path:
    chance = random.Random(5)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["event", "user_id", "time", "device", "returning", "revenue"])
        for user in range(2500):
            device, returning = chance.choice(["mobile", "desktop"]), str(chance.random() < 0.6).lower()
            for _ in range(1 + chance.randrange(2)):
                at = BEGIN + timedelta(minutes=chance.randrange(28 * 1440))
                for step, (event, share) in enumerate(funnel.items()):
                    weak = 0.7 if event == "payment_submitted" and device == "mobile" else 1.0
                    if chance.random() > share * weak:
                        break
                    last = event == list(funnel)[-1]
                    money = round(20 + 40 * chance.random(), 2) if last else ""
                    time = at + timedelta(minutes=step)
                    rows.writerow([event, f"u{user}", time.isoformat(), device, returning, money])
    return path


def made(folder: Path, funnel: Mapping[str, float] = FUNNEL, requirement: str = REQUIREMENT) -> Made:
    folder.mkdir()
    settings = Settings(data=folder / "data", log_level="error")
    file = history(folder / "events.csv", funnel)
    options = [
        "--format",
        "csv",
        "--name",
        "event",
        "--unit",
        "user_id",
        "--time",
        "time",
        "--data",
        str(settings.data),
    ]
    done = CliRunner().invoke(app, ["events", "import", str(file), *options])
    assert done.exit_code == 0, done.output
    (folder / "paribus.yaml").write_text(CONFIG)
    with workshop(settings) as shop:
        shop.new(requirement, config=folder / "paribus.yaml", environment="dev", key=KEY, author="t")
        stop = shop.run(KEY, until="pipeline", auto=True, author="t")
        assert (stop.kind, stop.step) == ("until", "pipeline"), stop.message
        artifacts = dict(shop.dossier.artifacts(KEY))
    for artifact in artifacts.values():
        refuse_unsupported(artifact, artifacts)
    return Made(artifacts)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("usual") / "it")


def test_twice_the_baseline_changes_level_sample_margins_and_money(usual: Made, tmp_path: Path) -> None:
    other = made(tmp_path / "it", {**FUNNEL, "payment_submitted": 0.7})
    one, two = (
        next(b["mean"]["value"] for b in each.facts("explore")["baselines"] if b["metric"] == "order_completed")
        for each in (usual, other)
    )
    assert two == pytest.approx(2 * one, rel=0.15)
    assert other.facts("design")["units_per_arm"]["value"] != usual.facts("design")["units_per_arm"]["value"]
    found = [each.facts("design")["minimum_detectable_effect"]["value"] for each in (usual, other)]
    assert found[1] < found[0]
    assert other.value["value"] > usual.value["value"]
    assert other.facts("design")["plan_hash"] != usual.facts("design")["plan_hash"]
    arrived = [each.facts("pipeline")["events_per_second"]["value"] for each in (usual, other)]
    assert arrived[1] > arrived[0]


def test_a_renamed_event_reaches_plan_clients_statements_and_drawing(usual: Made, tmp_path: Path) -> None:
    renamed = {name.replace("order_completed", "deal_closed"): share for name, share in FUNNEL.items()}
    other = made(tmp_path / "it", renamed)
    for slug in ("instrument", "pipeline", "architect"):
        assert "order_completed" in usual.files(slug), slug
        assert "deal_closed" in other.files(slug), slug
        assert "order_completed" not in other.files(slug), slug
    assert other.metrics["success"]["event"] == "deal_closed"


def test_a_dead_step_leaves_funnel_metrics_and_plan(usual: Made, tmp_path: Path) -> None:
    other = made(tmp_path / "it", {**FUNNEL, "payment_submitted": 0.0})
    assert usual.metrics["success"]["event"] == "order_completed"
    assert other.metrics["success"]["event"] == "checkout_started"
    for slug in ("instrument", "pipeline"):
        assert "order_completed" not in other.files(slug), slug
    assert not other.value  # nobody pays any more, so nothing is known of money
