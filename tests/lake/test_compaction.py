from __future__ import annotations

import random
import threading
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.errors import StorageError
from paribus.lake import Lake


@pytest.fixture
def lake(tmp_path: Path):
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as opened:
        yield opened


def _physical(lake: Lake) -> list[tuple]:
    return duckdb.sql(f"SELECT event_id, name FROM read_parquet({lake.files()[1]}) ORDER BY ALL").fetchall()


def _fill(lake: Lake, flushes: int, *, seed: int = 1) -> set[str]:
    generator = random.Random(seed)
    ids = set()
    for number in range(flushes):
        events = [
            event(
                f"{number}-{n}", generator.choice("abc"), at=NOON - timedelta(minutes=generator.randrange(60 * 24 * 3)),
                typed={"price": 1.5 * n} if n % 2 else {},
            )
            for n in range(20)
        ]  # fmt: skip
        ids.update(str(each["event_id"]) for each in events)
        lake.landing.append([request(events), request(events[:5])])  # five are sent twice
        lake.flush()
    return ids


def test_a_day_becomes_one_sorted_file_without_copies(lake: Lake) -> None:
    ids = _fill(lake, 6)
    before = duckdb.sql(lake.events_sql()).fetchall()
    done = lake.compact()
    assert (done.days, done.files_after) == (4, 4)
    assert done.duplicates == 30
    version, files = lake.files()
    assert (len(files), version) == (4, done.version)
    assert {row[0] for row in _physical(lake)} == ids
    assert len(_physical(lake)) == len(ids)
    assert sorted(map(str, duckdb.sql(lake.events_sql()).fetchall())) == sorted(map(str, before))
    for file in files:
        found = duckdb.sql(f"SELECT name, corrected_time FROM read_parquet('{file}')").fetchall()
        assert found == sorted(found)
        groups = duckdb.sql(f"SELECT DISTINCT compression FROM parquet_metadata('{file}')").fetchall()
        assert groups == [("ZSTD",)]
    assert lake.compact().days == 0


def test_the_statistics_of_a_compacted_file_bound_what_it_holds_and_name_nobody(lake: Lake) -> None:
    _fill(lake, 3)
    lake.compact()
    from arro3.core import Table

    actions = Table(lake._writer.events.handle.get_add_actions(flatten=True))
    assert sum(actions["num_records"].to_pylist()) == len(_physical(lake))
    columns = [actions[name].to_pylist() for name in ("path", "min.corrected_time", "max.corrected_time")]
    for path, low, high in zip(*columns, strict=True):
        file = lake.folder / "lake" / "events" / path
        found = duckdb.sql(f"SELECT min(corrected_time), max(corrected_time) FROM read_parquet('{file}')").fetchall()
        least, most = found[0]
        assert low <= least <= most <= high <= most + timedelta(milliseconds=1)
    assert not [name for name in actions.schema.names if "user" in name or "unit" in name]


def test_events_that_arrive_while_a_day_is_compacted_stay(lake: Lake) -> None:
    ids = _fill(lake, 4)
    rewriter = lake._writer.rewriters[0]
    rewrite = rewriter.rewrite

    def slowly(*arguments: object, **named: object):
        written = rewrite(*arguments, **named)  # type: ignore[arg-type]
        lake.landing.append([request([event(f"meanwhile-{written.file.path}")])])  # type: ignore[union-attr]
        lake.flush()
        return written

    rewriter.rewrite = slowly  # type: ignore[method-assign]
    lake.compact()
    stored = {row[0] for row in _physical(lake)}
    assert ids < stored
    assert len(stored) == len(ids) + 4 == len(_physical(lake))


def test_many_compactions_and_flushes_at_a_time_double_nothing(lake: Lake) -> None:
    threads = [threading.Thread(target=lake.compact) for _ in range(3)]
    ids = _fill(lake, 5)
    for thread in threads:
        thread.start()
    ids |= {f"9{each}" for each in ()}
    for number in range(5):
        lake.landing.append([request([event(f"late-{number}")])])
        lake.flush()
    for thread in threads:
        thread.join()
    lake.compact()
    stored = [row[0] for row in _physical(lake)]
    assert sorted(stored) == sorted(ids | {f"late-{n}" for n in range(5)})


def test_a_rewrite_of_files_that_are_gone_is_refused_as_a_whole(lake: Lake) -> None:
    _fill(lake, 2)
    stale = lake._writer.events.files()
    lake.compact()
    version = lake.files()[0]
    with pytest.raises(StorageError, match="no longer part"):
        lake._writer.events.replace([], stale, operation="compaction", statistics={}, details={}, is_data_change=False)
    assert lake.files()[0] == version


def test_a_reader_with_an_old_list_reads_until_the_vacuum(lake: Lake) -> None:
    ids = _fill(lake, 3)
    snapshot = lake.snapshot()
    lake.compact()
    assert lake.vacuum(retention_hours=1) == 0
    assert {row[0] for row in duckdb.sql(snapshot.events_sql(columns=["event_id"])).fetchall()} == ids
    assert lake.vacuum(retention_hours=0) > 0
    with pytest.raises(duckdb.IOException):
        duckdb.sql(snapshot.events_sql()).fetchall()
    assert {row[0] for row in duckdb.sql(lake.events_sql(columns=["event_id"])).fetchall()} == ids


def test_the_log_stays_short_through_checkpoints(lake: Lake) -> None:
    for number in range(110):
        lake.landing.append([request([event(str(number))])])
        lake.flush()
    lake.maintain()
    log = lake.folder / "lake" / "events" / "_delta_log"
    assert (log / "_last_checkpoint").exists()
    assert len(_physical(lake)) == 110
    assert len(lake.files()[1]) == 110  # below the limit of files, so not compacted yet


def test_old_days_expire(lake: Lake) -> None:
    for age in range(5):
        lake.landing.append([request([event(f"{age}", at=NOON - timedelta(days=age))])])
    lake.flush()
    expired = lake.expire(date(2026, 3, 8))
    assert (expired.days, expired.events) == (2, 2)
    assert [row[0] for row in _physical(lake)] == ["0", "1", "2"]
    [counted] = lake.reconcile()
    assert (counted.expired, counted.present, counted.unexplained_rows) == (2, 3, 0)
    lake.vacuum(retention_hours=0)
    assert len(list((lake.folder / "lake" / "events").glob("*/*.parquet"))) == 3


def test_quarantine_is_joined_too_and_keeps_every_row(lake: Lake) -> None:
    for number in range(4):
        lake.landing.append([request([event("same", verdict=2), event(f"{number}", verdict=2)])])
        lake.flush()
    assert len(lake._writer.quarantine.files()) == 4
    lake.compact()
    assert len(lake._writer.quarantine.files()) == 1
    found = duckdb.sql(f"SELECT event_id FROM ({lake.quarantine_sql()}) ORDER BY 1").fetchall()
    assert found == [("0",), ("1",), ("2",), ("3",)] + [("same",)] * 4


def test_upkeep_settles_days_that_are_over_and_leaves_today_until_it_has_many_files(lake: Lake) -> None:
    for number in range(3):
        lake.landing.append([request([event(f"t{number}"), event(f"y{number}", at=NOON - timedelta(days=1))])])
        lake.flush()
    lake.maintain()
    assert sorted(file.day.day for file in lake._writer.events.files()) == [9, 10, 10, 10]
    lake.landing.append([request([event("late", at=NOON - timedelta(days=1))])])
    lake.flush()
    lake.maintain()
    assert sorted(file.day.day for file in lake._writer.events.files()) == [9, 9, 10, 10, 10]
