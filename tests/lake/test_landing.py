from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from tests.lake.sending import NOON, HandClock, event, request

from paribus.errors import LimitError, StorageError
from paribus.lake import Landing, microseconds
from paribus.lake.notes import counts


@pytest.fixture
def landing(tmp_path: Path):
    opened = Landing.open(tmp_path / "landing.sqlite", clock=HandClock())
    yield opened
    opened.close()


def _request(*ids: str):
    return request([event(each) for each in ids])


def test_what_is_appended_can_be_read_as_it_was_given(landing: Landing) -> None:
    sent = request([event("a", unit="ü\u0000"), event("b", verdict=3)], dialect="segment")
    last = landing.append([sent, _request("c")])
    first, second = landing.read(after=0, max_events=100)
    assert (first.id, second.id, last) == (1, 2, 2)
    assert (first.body, first.verdicts, first.dialect, first.received_time) == (
        sent.body,
        b"\x00\x03",
        "segment",
        microseconds(NOON),
    )


def test_another_connection_sees_the_row_as_soon_as_append_returns(landing: Landing) -> None:
    landing.append([_request("a")])
    assert sqlite3.connect(landing.path).execute("SELECT count(*) FROM landing").fetchall() == [(1,)]


def test_many_threads_get_distinct_ascending_ids(landing: Landing) -> None:
    seen: list[int] = []

    def send() -> None:
        mine = [landing.append([_request("x")]) for _ in range(50)]
        assert mine == sorted(mine)
        seen.extend(mine)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 401))


def test_appends_of_an_event_loop(landing: Landing) -> None:
    async def send() -> list[int]:
        return await asyncio.gather(*(landing.append_async([_request(str(n))]) for n in range(100)))

    assert sorted(asyncio.run(send())) == list(range(1, 101))
    assert landing.depth().rows == 100


def test_ids_go_on_after_the_queue_was_empty_and_reopened(tmp_path: Path) -> None:
    landing = Landing.open(tmp_path / "landing.sqlite", clock=HandClock())
    landing.append([_request("a"), _request("b")])
    landing.remove(landing.read(after=0, max_events=10), lambda connection, oldest: None)
    landing.close()
    landing = Landing.open(tmp_path / "landing.sqlite", clock=HandClock())
    assert landing.append([_request("c")]) == 3
    landing.raise_ids(40)
    assert landing.append([_request("d")]) == 41
    landing.close()


def test_depth_and_counts_at_the_door(tmp_path: Path) -> None:
    clock = HandClock()
    landing = Landing.open(tmp_path / "landing.sqlite", clock=clock)
    row = request([event("a"), event("b", verdict=1), event("c", verdict=2), event("d", verdict=3)])
    landing.append([row])
    landing.count_rejected("test", 5)
    landing.append([_request("e")])
    clock.advance(seconds=90)
    depth = landing.depth()
    assert (depth.rows, depth.events, depth.oldest_seconds) == (2, 5, 90.0)
    assert depth.bytes == sum(len(each.body) for each in landing.read(after=0, max_events=10))
    expected = {("test", "accepted"): 3, ("test", "quarantined"): 1, ("test", "rejected"): 6}
    assert landing.run(counts) == expected
    landing.close()
    landing = Landing.open(tmp_path / "landing.sqlite", clock=clock)
    assert landing.depth() == depth
    assert landing.run(counts) == expected
    landing.close()


def test_reading_stops_at_the_limit_but_gives_at_least_one_row(landing: Landing) -> None:
    landing.append([_request(*"abcde"), _request(*"fg"), _request("h")])
    assert [row.id for row in landing.read(after=0, max_events=2)] == [1]
    assert [row.id for row in landing.read(after=0, max_events=7)] == [1, 2]
    assert [row.id for row in landing.read(after=2, max_events=7)] == [3]


def test_a_full_queue_refuses_and_says_when_to_come_back(tmp_path: Path) -> None:
    landing = Landing.open(tmp_path / "landing.sqlite", clock=HandClock(), max_bytes=300)
    landing.append([_request("a")])
    row = _request("b")
    while landing.depth().bytes + len(row.body) <= 300:
        landing.append([row])
    with pytest.raises(LimitError) as refused:
        landing.append([row])
    assert refused.value.retry_after
    rows = landing.read(after=0, max_events=100)
    landing.remove(rows, lambda connection, oldest: None)
    assert landing.append([_request("b")]) == rows[-1].id + 1
    landing.close()


def test_a_disk_with_little_space_refuses_before_it_is_full(tmp_path: Path) -> None:
    landing = Landing.open(tmp_path / "landing.sqlite", clock=HandClock(), min_free_bytes=1 << 60)
    with pytest.raises(StorageError, match="bytes are free"):
        landing.append([_request("a")])
    assert landing.depth().rows == 0
    landing.close()


def test_a_closed_queue_refuses(landing: Landing) -> None:
    landing.close()
    with pytest.raises(StorageError, match="closed"):
        landing.append([_request("a")])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "landing.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="damaged"):
        Landing.open(tmp_path / "landing.sqlite", clock=HandClock())


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "landing.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="format 99"):
        Landing.open(tmp_path / "landing.sqlite", clock=HandClock())


def test_a_torn_last_transaction_is_dropped_and_earlier_ones_stay(tmp_path: Path) -> None:
    landing = Landing.open(tmp_path / "landing.sqlite", clock=HandClock())
    landing.append([_request("a")])
    log = tmp_path / "landing.sqlite-wal"
    whole = log.stat().st_size
    landing.append([_request("b")])
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes((tmp_path / "landing.sqlite").read_bytes())
    (tmp_path / "copy.sqlite-wal").write_bytes(log.read_bytes()[: whole + 100])
    landing.close()
    survivor = Landing.open(copy, clock=HandClock())
    assert [row.id for row in survivor.read(after=0, max_events=10)] == [1]
    survivor.close()


def test_scrubbed_bytes_are_gone_from_file_and_log(landing: Landing) -> None:
    row = request([event("a")])
    secret = b"secret-of-u42" * 2_000
    landing.append([type(row)(0, row.received_time, "test", "key-1", 1, b"\x00", secret), row])
    assert secret[:13] in (landing.path.read_bytes() + landing.path.with_name("landing.sqlite-wal").read_bytes())
    landing.remove(landing.read(after=0, max_events=1), lambda connection, oldest: None)
    landing.scrub()
    for file in landing.path.parent.iterdir():
        assert secret[:13] not in file.read_bytes(), file
    assert [each.id for each in landing.read(after=0, max_events=9)] == [2]


def test_on_a_full_disk_nothing_is_acknowledged_and_intake_goes_on_when_there_is_space(tmp_path: Path) -> None:
    """The limit on file size makes writes fail as a full disk does: part of the data, then an error."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from paribus.errors import StorageError
        from paribus.lake import Landing
        from tests.lake.sending import HandClock, event, request

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        landing = Landing.open(Path(sys.argv[1]) / "landing.sqlite", clock=HandClock())
        row = request([event("a")])
        big = type(row)(0, row.received_time, "test", "key-1", 1, b"\\x00", bytes(range(256)) * 200)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        acknowledged = refused = 0
        for _ in range(40):
            try:
                acknowledged = landing.append([big])
            except StorageError:
                refused += 1
        assert refused > 10, refused
        assert [r.id for r in landing.read(after=0, max_events=100)] == list(range(1, acknowledged + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert landing.append([big]) == acknowledged + 1
        rows = landing.read(after=0, max_events=100)
        assert all(r.body == big.body for r in rows)
        assert landing.depth().rows == len(rows) == acknowledged + 1
        landing.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_one_row_that_cannot_be_stored_does_not_take_the_others_of_its_group_with_it(landing: Landing) -> None:
    good = _request("a")
    bad = type(good)(0, 1 << 70, "test", "key-1", 1, b"\x00", b"")

    async def send() -> list[object]:
        rows = [good, bad, good, bad, good]
        return await asyncio.gather(*(landing.append_async([row]) for row in rows), return_exceptions=True)

    answers = asyncio.run(send())
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 3]
    assert [type(answer) for answer in answers if not isinstance(answer, int)] == [OverflowError] * 2
    assert landing.run(counts) == {("test", "accepted"): 3}
    assert landing.depth().bytes == 3 * len(good.body)
