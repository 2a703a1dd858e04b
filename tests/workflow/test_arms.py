"""Arms as a team describes them: three of them, with a picture, and a holdout, from paribus.yaml to plan and flag."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from paribus_sdk import Evaluator
from tests.workflow.test_upstream import FUNNEL, history
from typer.testing import CliRunner

from paribus.app.feature import Operating, workshop
from paribus.app.folder import definitions
from paribus.cli import app
from paribus.clock import system_clock
from paribus.errors import DefinitionError, InputError
from paribus.settings import Settings
from paribus.store import Address
from paribus.workflow import config as configuration
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.block import Paragraph, Picture
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.screenshot import drawn, embedded, size_of
from paribus.workflow.steps import design

KEY = "feature"
CONFIG = """\
experiment_config: {min_sample_size: 100, holdout: 0.1}
statistical_methods: [frequentist, bayesian]
approvals: {required: []}
arms:
  one_page: {weight: 1, description: "All fields on one page", screenshot: shots/one-page.png}
  control: {weight: 2, description: "Three pages, as today"}
  two_pages: {weight: 1}
"""


def png(width: int, height: int) -> bytes:
    """A gray picture, by the format's specification."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + b"\x80" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def files(folder: Path) -> Path:
    (folder / "shots").mkdir()
    (folder / "shots" / "one-page.png").write_bytes(png(1440, 300))
    (folder / "paribus.yaml").write_text(CONFIG)
    return folder / "paribus.yaml"


def test_a_configuration_holds_its_pictures(tmp_path: Path) -> None:
    read = configuration.read(files(tmp_path))
    assert list(read.arms) == ["control", "one_page", "two_pages"]
    picture = read.arms["one_page"].screenshot
    assert base64.b64decode(picture.partition(",")[2]) == png(1440, 300)
    assert size_of(picture) == (1440, 300)
    figure = drawn(picture, "The arm", "")
    assert (figure.width, figure.height) == (720, 150)  # as wide as a page
    rows = {row.path: row for row in configuration.check(read)}
    assert "the split is 0.5 control, 0.25 one_page, 0.25 two_pages" in rows["arms"].what
    assert "base64" not in str(rows["arms"].plain())


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<svg onload=alert(1)>")
    with pytest.raises(InputError, match="no picture that is known"):
        embedded("a.png", tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        embedded("missing.png", tmp_path)
    with pytest.raises(InputError):
        embedded("data:image/svg+xml;base64,AAAA", tmp_path)
    (tmp_path / "big.png").write_bytes(png(1, 1) + b"\0" * 600_000)
    with pytest.raises(InputError, match="bytes long"):
        embedded("big.png", tmp_path)


def test_a_jpegs_size_stands_in_its_frame(tmp_path: Path) -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 5) + b"abc"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 8, 8, 40, 64, 0)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + comment + frame + b"\xff\xd9" + b"\0" * 8)
    assert size_of(embedded("a.jpg", tmp_path)) == (64, 40)


@pytest.mark.parametrize("arms", ["{treatment: {}}", "{control: {}}", "{control: {}, treatment: {weight: 0}}"])
def test_an_experiment_needs_control_and_another_arm(arms: str) -> None:
    with pytest.raises(DefinitionError):
        configuration.parse(f"arms: {arms}\n")


def made(folder: Path, config: Path) -> Any:
    """Steps 1 to 4 on imported history."""
    settings = Settings(data=folder / "data", log_level="error")
    file = history(folder / "events.csv", FUNNEL)
    options = ["--format", "csv", "--name", "event", "--unit", "user_id", "--time", "time", "--data"]
    done = CliRunner().invoke(app, ["events", "import", str(file), *options, str(settings.data)])
    assert done.exit_code == 0, done.output
    with workshop(settings) as shop:
        shop.new(
            "one-click checkout for returning mobile users", config=config, environment="dev", key=KEY, author="test"
        )
        shop.run(KEY, until="architect", auto=True, author="test")
        artifacts = shop.dossier.artifacts(KEY)
    with definitions(settings) as store:
        flag = store.get(Address("default", "flag", KEY)).body
        holdout = store.get(Address("default", "holdout", "global")).body
        snapshot = Operating(store, settings.data, system_clock).snapshot("dev")
    return artifacts, flag, holdout, snapshot


def test_three_arms_a_picture_and_a_holdout_reach_plan_and_flag(tmp_path: Path) -> None:
    artifacts, flag, holdout, snapshot = made(tmp_path, files(tmp_path))
    planned = artifacts["design"]
    refuse_unsupported(planned, artifacts)
    facts = DesignFacts.model_validate(planned.facts)
    assert [(arm["name"], arm["share"]) for arm in facts.arms] == [
        ("control", 0.5),
        ("one_page", 0.25),
        ("two_pages", 0.25),
    ]
    assert facts.document["variants"]["one_page"] == {"weight": 1.0, "description": "All fields on one page"}
    pictures = [block for block in design.present(planned) if isinstance(block, Picture)]
    told = " ".join(block.text for block in design.present(planned) if isinstance(block, Paragraph))
    assert "If effects are as believed" in told
    shown = base64.b64encode(png(1440, 300)).decode()
    assert shown in pictures[0].figure.svg
    assert [file.path for file in planned.files] == ["arms/one_page.svg"]

    assert {each["name"]: each.get("description", "") for each in flag["variants"]}[
        "control"
    ] == "Three pages, as today"
    assert holdout["share_bp"] == 1000
    evaluator = Evaluator(snapshot)
    assert flag["environments"]["dev"]["holdouts"] == ["global"]
    units = 4000
    reasons = [evaluator.explain(KEY, f"u{i}", {}).decision.reason for i in range(units)]
    assert reasons.count("HOLDOUT") / units == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / units) ** 0.5)
