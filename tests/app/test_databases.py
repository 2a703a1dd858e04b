"""An experiment on raw exposures and events in a database, through the front door."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import paribus as pb
from paribus.experiments.result import Result

EXPERIMENT = """\
paribus: 1
experiment: shop
kind: ab
interference: none because shops are apart
source: {url: "sqlite:///shop.db"}
variants: {control: 50, treatment: 50}
control: control
exposures: {table: exposures, unit: user, variant: variant, time: time, filter: "user <> 'robot'"}
events:
  orders: {table: orders, unit: user, time: time}
metrics:
  - {name: spent, type: mean, source: orders, value: amount, role: success}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """100 users with an order each, of -1 (a refund) to 5; a robot; an order of nobody."""
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE exposures (user TEXT, variant TEXT, time TIMESTAMP)")
        database.execute("CREATE TABLE orders (user TEXT, amount DOUBLE, time TIMESTAMP)")
        users = [(f"u{i}", "treatment" if i % 2 else "control", "2026-03-01 00:00:00") for i in range(100)]
        database.executemany(
            "INSERT INTO exposures VALUES (?, ?, ?)", [*users, ("robot", "control", "2026-03-01 00:00:00")]
        )
        orders = [(user, float(i % 7) - 1, "2026-03-02 00:00:00") for i, (user, _, _) in enumerate(users)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", [*orders, ("nobody", 9.0, "2026-03-02 00:00:00")])
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def result(folder: Path) -> Result:
    return pb.analyze(folder / "experiment.yaml")


def test_what_was_left_out_or_kept_is_said(result: Result) -> None:
    assert result.units == {"control": 50, "treatment": 50}
    assert "1 row does not pass the filter and is left out." in result.data_notes
    assert any("of orders" in note and "never exposed" in note for note in result.data_notes)
    assert "15 units have a negative value of spent (refunds, losses); they are kept." in result.data_notes


def test_a_join_without_an_index_is_said(result: Result, folder: Path) -> None:
    assert any("orders has no index on user" in note for note in result.warnings)
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute("CREATE INDEX orders_user ON orders (user)")
    again = pb.analyze(folder / "experiment.yaml")
    assert not any("no index" in note for note in again.warnings)


def test_it_verifies_from_the_database(result: Result, folder: Path) -> None:
    answer = pb.verify(result.to_dict())
    assert answer.exit_code == 0, answer.text()
