from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.errors import InputError, StorageError
from paribus.lake import Lake, LakeReader, Reconciliation


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def lake(tmp_path: Path, clock: HandClock):
    with Lake.open(tmp_path / "data of 50%", clock=clock, decode=decode) as opened:
        yield opened


def _ids(sql: str) -> list[str]:
    return sorted(row[0] for row in duckdb.sql(f"SELECT event_id FROM ({sql})").fetchall())


def test_an_empty_lake_answers_with_no_rows_and_all_columns(lake: Lake) -> None:
    relation = duckdb.sql(lake.events_sql())
    assert relation.fetchall() == []
    assert "corrected_time" in relation.columns
    assert duckdb.sql(lake.quarantine_sql()).fetchall() == []
    assert lake.lateness() is None


def test_copies_are_read_once_the_first_that_landed(lake: Lake) -> None:
    lake.landing.append([request([event("a", properties={"n": 1}), event("b")])])
    lake.flush()
    lake.landing.append([request([event("a", properties={"n": 2})]), request([event("a")], dialect="other")])
    lake.flush()
    found = duckdb.sql(f"SELECT source, event_id, properties FROM ({lake.events_sql()}) ORDER BY ALL").fetchall()
    assert found == [("other:main", "a", "{}"), ("test:main", "a", '{"n": 1}'), ("test:main", "b", "{}")]


def test_a_version_is_read_as_it_was(lake: Lake) -> None:
    for name in "abc":
        lake.landing.append([request([event(name)])])
        lake.flush()
    assert _ids(lake.events_sql(version=1)) == ["a"]
    assert _ids(lake.events_sql(version=2)) == ["a", "b"]
    assert len(lake.files(3)[1]) == 3
    with pytest.raises(StorageError, match="version 99"):
        lake.files(99)


def test_only_events_of_the_names_and_columns_asked_for(lake: Lake) -> None:
    lake.landing.append([request([event("a", "it's"), event("b", "buy"), event("c", "view")])])
    lake.flush()
    assert _ids(lake.events_sql(names=["it's", "view"])) == ["a", "c"]
    assert _ids(lake.events_sql(names=[])) == []
    assert duckdb.sql(lake.events_sql(names=["buy"], columns=["event_id", "name"])).columns == ["event_id", "name"]


def test_the_watermark_is_the_oldest_that_waits_and_now_when_nothing_does(lake: Lake, clock: HandClock) -> None:
    clock.advance(minutes=1)
    assert lake.watermark() == clock.now
    lake.landing.append([request([event("a")], received=NOON + timedelta(seconds=50))])
    lake.landing.append([request([event("b")], received=NOON + timedelta(seconds=40))])
    clock.advance(minutes=1)
    assert lake.watermark() == NOON + timedelta(seconds=40)
    lake.flush()
    clock.advance(minutes=1)
    assert lake.watermark() == clock.now
    assert lake.watermark(version=1) == NOON + timedelta(minutes=2)
    assert lake.snapshot(1).watermark == NOON + timedelta(minutes=2)


def test_a_partial_flush_moves_the_watermark_to_what_still_waits(tmp_path: Path, clock: HandClock) -> None:
    with Lake.open(tmp_path / "d", clock=clock, decode=decode, max_events=2) as lake:
        for minute in range(3):
            lake.landing.append(
                [request([event(f"{minute}{n}") for n in range(2)], received=NOON + timedelta(minutes=minute))]
            )
        clock.advance(minutes=5)
        lake.flush()
        assert lake.watermark() == lake.watermark(version=1) == NOON + timedelta(minutes=1)


def test_a_clock_that_goes_backwards_loses_nothing_and_claims_nothing(lake: Lake, clock: HandClock) -> None:
    lake.landing.append([request([event("a")], received=clock.now)])
    lake.flush()
    clock.advance(hours=-3)
    lake.landing.append([request([event("b", at=clock.now)], received=clock.now)])
    clock.advance(seconds=1)
    assert lake.watermark() == NOON - timedelta(hours=3)
    lake.flush()
    assert _ids(lake.events_sql()) == ["a", "b"]
    assert lake.watermark(version=2) == clock.now


def test_lateness_is_the_time_between_the_event_and_its_arrival_by_the_servers_clock(lake: Lake) -> None:
    # 98 at once; two were queued in the client for an hour and a day. The client's clock is 3 h off: no matter.
    off = timedelta(hours=-3)
    events = [event(str(n), at=NOON + off, sent=(NOON + off).isoformat()) for n in range(98)]
    events += [event("h", at=NOON + off - timedelta(hours=1), sent=(NOON + off).isoformat())]
    events += [event("d", at=NOON + off - timedelta(days=1), sent=(NOON + off).isoformat())]
    lake.landing.append([request(events)])
    lake.flush()
    assert lake.lateness(0.98) == timedelta(0)
    assert lake.lateness(0.99).total_seconds() == pytest.approx(3600, rel=0.1)
    assert lake.lateness(1.0).total_seconds() == pytest.approx(86_400, rel=0.1)


def test_changes_name_new_files_and_the_days_they_touch(lake: Lake) -> None:
    lake.landing.append([request([event("a"), event("b", at=NOON - timedelta(days=4))])])
    lake.flush()
    lake.landing.append([request([event("c")])])
    lake.flush()
    both = lake.changes(0)
    assert [(file.day, file.rows, file.version) for file in sorted(both.added, key=lambda f: (f.version, f.day))] == [
        (date(2026, 3, 6), 1, 1), (date(2026, 3, 10), 1, 1), (date(2026, 3, 10), 1, 2),
    ]  # fmt: skip
    assert lake.stale_since(1) == {date(2026, 3, 10)}
    assert lake.stale_since(2) == frozenset()
    lake.compact()
    assert lake.stale_since(2) == frozenset()
    compacted = lake.changes(1)
    assert compacted.is_complete
    assert _ids(f"SELECT * FROM read_parquet('{compacted.added[0].path}')") == ["c"]
    lake.vacuum(retention_hours=0)
    assert not lake.changes(1).is_complete
    lake.expire(date(2026, 3, 7))
    assert lake.stale_since(2) == {date(2026, 3, 6)}


def test_another_process_reads_while_the_writer_holds_the_folder(lake: Lake, clock: HandClock) -> None:
    lake.landing.append([request([event("a")])])
    lake.flush()
    reader = LakeReader(lake.folder, clock=clock)
    lake.landing.append([request([event("b")])])
    assert _ids(reader.events_sql()) == ["a"]
    assert reader.watermark() == NOON
    lake.flush()
    assert _ids(reader.events_sql()) == ["a", "b"]
    with pytest.raises(StorageError, match="no lake here"):
        LakeReader(lake.folder / "elsewhere", clock=clock)


def test_the_counts_add_up_at_every_stage(lake: Lake) -> None:
    lake.landing.append([request([event("a"), event("b", verdict=1), event("c", verdict=2), event("d", verdict=3)])])
    lake.landing.count_rejected("test", 2)
    lake.landing.append([request([event("a"), event("old", at=NOON - timedelta(days=99))])])
    expected = Reconciliation("test", accepted=4, quarantined=1, rejected=3, waiting=5)
    assert lake.reconcile() == [expected]
    assert (expected.received, expected.missing) == (8, 0)
    lake.flush()
    [flushed] = lake.reconcile()
    assert flushed == Reconciliation(
        "test", accepted=4, quarantined=1, rejected=3, landed=3, held=2, present=3, distinct=2
    )
    assert (flushed.missing, flushed.unexplained_rows, flushed.duplicates) == (0, 0, 1)
    lake.landing.append([request([event("a")])])
    lake.flush()
    lake.compact()
    [compacted] = lake.reconcile()
    assert (compacted.deduplicated, compacted.present, compacted.distinct) == (2, 2, 2)
    assert (compacted.missing, compacted.unexplained_rows, compacted.duplicates) == (0, 0, 2)
    bad = request([event("x"), event("y")])
    lake.landing.append([type(bad)(0, bad.received_time, "test", "key-1", 1, bad.verdicts, b"torn")])
    lake.flush()
    assert lake.reconcile()[0].missing == 0


def test_independent_readers_agree(lake: Lake, tmp_path: Path) -> None:
    """delta-rs's own query engine and ClickHouse's deltaLake (chdb) read the same table."""
    for number in range(4):
        lake.landing.append([request([event(f"{number}-{n}", typed={"price": n + 0.5}) for n in range(25)])])
        lake.flush()
        if number == 1:
            lake.compact()
    path = lake.folder / "lake" / "events"
    from arro3.core import Table

    table = Table(DeltaTable(str(path)).scan())
    assert table.num_rows == 100
    assert sum(table["p_price"].to_pylist()) == 4 * sum(n + 0.5 for n in range(25))
    pytest.importorskip("chdb")
    shutil.copytree(path, tmp_path / "plain")
    statement = f"SELECT count(), sum(p_price), uniqExact(event_id) FROM deltaLakeLocal('{tmp_path}/plain')"
    answer = subprocess.run(  # chdb reads below its working folder only
        [sys.executable, "-c", f"import chdb; print(chdb.query({statement!r}, 'CSV'))"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "100,1250,100"


@pytest.mark.parametrize("name", ["a b", "50%", "x#y?z", "o'clock", "ü", "a*b", 'q"'])
def test_a_folder_of_any_name_works(tmp_path: Path, clock: HandClock, name: str) -> None:
    with Lake.open(tmp_path / name, clock=clock, decode=decode) as lake:
        lake.landing.append([request([event("a", unit="u1")])])
        lake.flush()
        lake.compact(is_full=True)
        assert _ids(lake.events_sql()) == ["a"]
        assert lake.watermark() == clock.now
        assert lake.erase(["u1"]).events == 1


def test_a_folder_that_delta_rs_cannot_read_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'\['"):
        Lake.open(tmp_path / "a[1]", clock=HandClock(), decode=decode)
    assert list(tmp_path.iterdir()) == []
