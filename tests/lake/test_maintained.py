"""The maintained tables equal the one statement over the lake, whatever order events come in."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.experiments.lake_files import START, Shop, first_exposures, per_unit

from paribus.errors import InputError
from paribus.experiments.document import Document, load
from paribus.experiments.maintaining import Upkeep, keep, not_kept, upkeep
from paribus.experiments.measuring import measure_design
from paribus.experiments.on_lake import Snapshot, lake_engine
from paribus.experiments.serving import read_cells, read_many
from paribus.lake.maintained import MaintainedTables
from paribus.metrics.cells import Cells

TEXT = """
paribus: 1
experiment: KEY
flag: FLAG
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics:
  - {name: orders, event: order_completed, type: proportion, window_days: 3}
  - {name: revenue, event: order_completed, type: mean, value: revenue, role: secondary, covariates: [{days: 2}]}
  - {name: big, event: order_completed, type: count, filter: "revenue > 20 AND items > 1", role: secondary}
  - {name: basket, event: order_completed, type: ratio, value: revenue, denominator: items, role: secondary}
  - {name: capped, event: order_completed, type: mean, value: revenue, role: secondary, cap: {upper: 30}}
  - {name: back, event: order_completed, type: retention, retention_days: [1, 2], role: secondary}
  - {name: errors, event: error, type: count, role: guardrail, direction: decrease, margin: {absolute: 0.1}}
segments: [country]
"""


def documents() -> list[Document]:
    first = load(TEXT.replace("KEY", "one").replace("FLAG", "new-checkout"), name="one")
    text = TEXT.replace("KEY", "two").replace("FLAG", "other").replace("window_days: 3", "window_days: 1")
    return [first, load(text.replace("segments: [country]\n", "plan: {start: 2026-03-03}\n"), name="two")]


class Feed:
    """A shop whose events are written in random pieces, some late, some again, some of them as exposures that moved."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.shop = Shop(folder, seed=seed)
        self.random = np.random.default_rng(seed)
        self.waiting: list[dict[str, Any]] = []
        self.written: list[dict[str, Any]] = []

    def day(self, number: int) -> None:
        shop, random = self.shop, self.random
        begin = len(shop.rows)
        shop.day(number, 25, first_unit=15 * number)
        for _ in range(12):
            unit = f"u{int(random.integers(0, 15 * number + 25))}"
            at = START + timedelta(days=number, seconds=float(random.uniform(-90_000, 80_000)))
            shop.expose(
                unit,
                ["control", "treatment"][int(random.integers(2))],
                at,
                flag="other",
                epoch=int(random.integers(1, 3)),
            )
        # the same exposures once more, hours earlier: they arrive after those that they precede
        for row in [r for r in shop.rows[begin:] if r["name"] == "$exposure"][:6]:
            moved = {
                **row,
                "event_id": row["event_id"] + "x",
                "corrected_time": row["corrected_time"] - timedelta(hours=9),
            }
            shop.rows.append(moved)
        self.waiting += shop.rows[begin:]

    def piece(self) -> Path:
        """A file of about half of what waits, in random order, with retries of what was written before."""
        taken = self.random.random(len(self.waiting)) < 0.6
        new = [row for row, now in zip(self.waiting, taken, strict=True) if now]
        self.waiting = [row for row, now in zip(self.waiting, taken, strict=True) if not now]
        for row in self.random.permutation(np.array(self.written, dtype=object))[: len(new) // 8]:
            jitter = timedelta(milliseconds=float(self.random.normal(0, 300)))
            new.append({**row, "corrected_time": row["corrected_time"] + jitter})
        self.random.shuffle(new)
        self.written += new
        return self.shop.file(new)


def assert_same(left: Cells, right: Cells) -> None:
    """The same cells, each number to 1e-9 of its scale."""
    a = {key: i for i, key in enumerate(left.keys)}
    b = {key: i for i, key in enumerate(right.keys)}
    assert a.keys() == b.keys()
    assert left.moments.names == right.moments.names
    for key, i in a.items():
        j = b[key]
        np.testing.assert_allclose(left.moments.n[i], right.moments.n[j])
        for part in ("mean", "m2", "m3"):
            x, y = getattr(left.moments, part)[i], getattr(right.moments, part)[j]
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9 * max(1.0, float(np.nanmax(np.abs(x), initial=0))))
    assert (left.immature is None) == (right.immature is None)
    if left.immature is not None and right.immature is not None:
        assert [left.immature[a[k]] for k in a] == [right.immature[b[k]] for k in a]


def compare(tables: MaintainedTables, kept: Upkeep, snapshot: Snapshot, killed_at: datetime | None = None) -> int:
    """Reads every experiment both ways; returns the number of units."""
    units = 0
    readings = read_many(tables, kept, dict.fromkeys(kept.documents, killed_at), threads=1)
    for key, document in kept.documents.items():
        ours = readings[key]
        with lake_engine(document.design, document.data, snapshot, threads=1) as engine:
            once = measure_design(document.design, document.data, engine, lake=snapshot.state(killed_at))
        assert ours.cells.keys() == once.cells.keys()
        for name, cells in once.cells.items():
            assert_same(ours.cells[name], cells)
            # sums of events are read with shifts of their own: zero unless they cancel
        assert ours.mixed == sum(once.counts.mixed_units.values())
        assert sum(sum(each.values()) for each in ours.early.values()) == sum(once.counts.inside_tolerance.values())
        units += sum(once.counts.units.values())
    return units


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_updates_equal_the_one_statement(tmp_path: Path, seed: int) -> None:
    feed = Feed(tmp_path, seed)
    kept = upkeep(documents())
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    files: list[Path] = []
    assert tables.state(kept.definition) is None
    for day in range(3):
        feed.day(day)
        horizon = START + timedelta(days=day, hours=20)  # some exposures and events lie after it
        added = [feed.piece() for _ in range(2)]
        files += added
        if day == 1:  # compaction in between: the same rows, copies dropped, in one file that is not new
            seen: dict[tuple[str, str, str], dict[str, Any]] = {}
            for row in sorted(feed.written, key=lambda r: (r["corrected_time"], r["unit"])):
                seen.setdefault((row["source"], row["event_id"], row["name"]), row)
            files = [feed.shop.file(list(seen.values()))]
        snapshot = Snapshot(tmp_path, "t", day, tuple(files), horizon)
        keep(tables, kept, snapshot, None if day == 0 else added, threads=1)
        assert day == 0 or compare(tables, kept, snapshot) > 20
    state = tables.state(kept.definition)
    assert state is not None
    assert (state.version, state.generation) == (2, 3)
    assert compare(tables, kept, snapshot, killed_at=START + timedelta(days=1, hours=5)) > 20


def test_sums_are_those_of_the_rows_sent(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 4)
    kept = upkeep(documents()[:1])
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    horizon = START + timedelta(days=9)
    for day in range(3):
        feed.day(day)
        files = [feed.piece()]
        keep(tables, kept, Snapshot(tmp_path, "t", day, tuple(feed.shop.files), horizon), None if day == 0 else files)
    ours = read_cells(tables, kept, "one")
    earliest: dict[str, dict[str, Any]] = {}
    for row in sorted(feed.written, key=lambda r: r["corrected_time"]):
        earliest.setdefault(row["event_id"], row)
    rows = list(earliest.values())
    units = first_exposures(rows, as_of=horizon)
    sums = per_unit(rows, units, "order_completed", value="revenue", as_of=horizon)
    whole = [i for i, key in enumerate(ours.keys) if key.attribute is None]
    n = ours.cells["revenue"].moments.n[whole]
    total = float(np.sum(n * ours.cells["revenue"].moments.mean[whole, 0]))
    assert float(n.sum()) == len(units)
    assert math.isclose(total, float(sums.sum()), rel_tol=1e-12)


def test_experiments_that_ask_the_same_are_read_together_and_told_apart(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 6)
    flags = {"one": "new-checkout", "two": "other", "nobody": "unused"}
    kept = upkeep([load(TEXT.replace("KEY", key).replace("FLAG", flag), name=key) for key, flag in flags.items()])
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    for day in range(3):
        feed.day(day)
    files = [feed.piece(), feed.piece()]
    snapshot = Snapshot(tmp_path, "t", 1, tuple(files), START + timedelta(days=9))
    keep(tables, kept, snapshot, None, threads=1)
    assert compare(tables, kept, snapshot) > 20
    killed = {"one": START + timedelta(days=1), "two": None, "nobody": None}
    together = read_many(tables, kept, killed, threads=1)
    assert list(together) == list(killed)
    for key, killed_at in killed.items():
        alone = read_cells(tables, kept, key, killed_at=killed_at, threads=1)
        for name, cells in alone.cells.items():
            assert_same(together[key].cells[name], cells)
        assert (together[key].keys, together[key].units) == (alone.keys, alone.units)
        assert (together[key].mixed, together[key].early) == (alone.mixed, alone.early)
    assert not together["nobody"].keys
    assert sum(together["one"].units) < sum(read_cells(tables, kept, "one").units)


def test_an_update_reads_new_files_only(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 5)
    kept = upkeep(documents())
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    feed.day(0)
    first = feed.piece()
    keep(tables, kept, Snapshot(tmp_path, "t", 0, (first,), START + timedelta(days=1)), None)
    feed.day(1)
    second = feed.piece()
    hidden = first.rename(first.with_suffix(".away"))
    both = Snapshot(tmp_path, "t", 1, (first, second), START + timedelta(days=2))
    keep(tables, kept, both, [second])
    hidden.rename(first)
    assert compare(tables, kept, both) > 20


def test_many_updates_merge_their_files(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 6)
    kept = upkeep(documents())
    tables = MaintainedTables(tmp_path / "lake", threads=1, most_files=2)
    feed.day(0)
    files: list[Path] = []
    for version in range(6):
        if version == 3:
            feed.day(1)
        files.append(feed.piece())
        snapshot = Snapshot(tmp_path, "t", version, tuple(files), START + timedelta(days=1, hours=version * 6))
        keep(tables, kept, snapshot, files[-1:] if version else None, threads=1)
    assert compare(tables, kept, snapshot) > 20
    state = tables.state(kept.definition)
    assert state is not None
    assert max(len(paths) for paths in state.files.values()) <= 2
    tables.erase(["nobody"])  # and what an update keeps for readers under way goes
    on_disk = {
        p for folder in ("first_exposures", "unit_metric") for p in (tmp_path / "lake" / folder).rglob("*.parquet")
    }
    assert len(on_disk) == sum(len(paths) for paths in state.files.values())


def test_erased_units_leave_no_byte(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 7)
    feed.shop.expose("secret-person-1", "control", START + timedelta(hours=1))
    feed.shop.add("order_completed", "secret-person-1", START + timedelta(hours=2), {"revenue": 7.0, "items": 2})
    feed.waiting += feed.shop.rows
    feed.day(0)
    while feed.waiting:
        feed.piece()
    kept = upkeep(documents())
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    keep(tables, kept, Snapshot(tmp_path, "t", 0, tuple(feed.shop.files), START + timedelta(days=5)), None)
    assert tables.erase(["secret-person-1"]) >= 3
    for folder in ("first_exposures", "unit_metric"):
        for path in (tmp_path / "lake" / folder).rglob("*"):
            assert path.is_dir() or b"secret-person-1" not in path.read_bytes()
    left = feed.shop.file([row for row in feed.written if row["unit"] != "secret-person-1"])
    now = Snapshot(tmp_path, "t", 1, (left,), START + timedelta(days=5))
    assert compare(tables, kept, now) > 20
    assert tables.erase(["nobody"]) == 0


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    document = documents()[0]
    quantile = TEXT.replace("type: count, filter", "type: quantile, quantile: 0.5, value: revenue, filter")
    reason = not_kept(load(quantile.replace("KEY", "q").replace("FLAG", "f"), name="q"))
    assert reason == "big is a quantile"
    with pytest.raises(InputError, match="two experiments have the key"):
        upkeep([document, document])
    kept = upkeep([document])
    tables = MaintainedTables(tmp_path / "lake")
    with pytest.raises(InputError, match="do not hold these experiments"):
        read_cells(tables, kept, "one")
    feed = Feed(tmp_path, 8)
    feed.day(0)
    snapshot = Snapshot(tmp_path, "t", 4, (feed.piece(),), START + timedelta(days=1))
    keep(tables, kept, snapshot, None)
    with pytest.raises(InputError, match="lies before"):
        keep(tables, kept, replace(snapshot, version=3), [])
    other = upkeep(documents())
    assert tables.state(other.definition) is None  # another definition: build anew
    assert tables.state(kept.definition, "another table") is None
