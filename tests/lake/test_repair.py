"""What a loss of power leaves behind: commits whose files did not reach the disk whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import StorageError
from paribus.lake import Lake
from paribus.lake.notes import durable_version

DURABLE, LOST = 3, 2  # flushes whose files were synced, and flushes that the loss of power may hurt


class _PowerLost(BaseException):
    pass


def _lose_power(*_: object) -> None:
    raise _PowerLost


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three durable flushes and two commits after them whose rows are still in the queue."""
    folder = tmp_path_factory.mktemp("before")
    lake = Lake.open(folder, clock=HandClock(), decode=decode, max_events=3)
    for number in range(DURABLE):
        lake.landing.append([request([event(f"durable-{number}"), event(f"held-{number}", verdict=2)])])
        lake.flush()
    removing, lake.landing.remove = lake.landing.remove, _lose_power  # type: ignore[method-assign]
    for number in range(LOST):
        lake.landing.append(
            [request([event(f"late-{number}-{n}") for n in range(2)] + [event(f"q{number}", verdict=2)])]
        )
    # the second commit is made from rows that the first already holds and one more request: as the flusher would
    with pytest.raises(_PowerLost):
        lake.flush()
    lake._writer.flusher._max_events = 100
    with pytest.raises(_PowerLost):
        lake.flush()
    lake.landing.remove = removing  # type: ignore[method-assign]
    lake.close(drain=False)
    assert len(_logs(folder)) == 1 + DURABLE + LOST
    return folder


def _logs(folder: Path, table: str = "events") -> list[Path]:
    return sorted((folder / "lake" / table / "_delta_log").glob("*.json"))


def _parquets(folder: Path, table: str = "events") -> list[Path]:
    return sorted((folder / "lake" / table).glob("*/*.parquet"), key=lambda path: path.stat().st_mtime_ns)


def _truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def _zero_the_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-100] + bytes(100))


def _everything_once(folder: Path) -> Lake:
    lake = Lake.open(folder, clock=HandClock(), decode=decode)
    lake.drain()
    found = duckdb.sql(f"SELECT event_id FROM read_parquet({lake.files()[1]}) ORDER BY 1").fetchall()
    expected = [f"durable-{n}" for n in range(DURABLE)] + [f"late-{n}-{m}" for n in range(LOST) for m in range(2)]
    assert [row[0] for row in found] == sorted(expected)
    held = duckdb.sql(f"SELECT event_id FROM ({lake.quarantine_sql()}) ORDER BY 1").fetchall()
    assert [row[0] for row in held] == [f"held-{n}" for n in range(DURABLE)] + [f"q{n}" for n in range(LOST)]
    return lake


DAMAGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    "newest log empty": lambda folder: _truncate(_logs(folder)[-1], 0),
    "newest log torn early": lambda folder: _truncate(_logs(folder)[-1], 17),
    "newest log without its last byte": lambda folder: _truncate(
        _logs(folder)[-1], len(_logs(folder)[-1].read_bytes().rstrip()) - 1
    ),
    "newest log missing": lambda folder: _logs(folder)[-1].unlink(),
    "newest log of zeros": lambda folder: _logs(folder)[-1].write_bytes(bytes(300)),
    "both logs empty": lambda folder: [_truncate(file, 0) for file in _logs(folder)[-2:]],
    "last but one log torn": lambda folder: _truncate(_logs(folder)[-2], 40),
    "last but one log missing": lambda folder: _logs(folder)[-2].unlink(),
    "newest data empty": lambda folder: _truncate(_parquets(folder)[-1], 0),
    "newest data short": lambda folder: _truncate(_parquets(folder)[-1], 500),
    "newest data missing": lambda folder: _parquets(folder)[-1].unlink(),
    "newest data end in zeros": lambda folder: _zero_the_end(_parquets(folder)[-1]),
    "last but one data short": lambda folder: _truncate(_parquets(folder)[-2], 500),
    "quarantine log torn": lambda folder: _truncate(_logs(folder, "quarantine")[-1], 30),
    "quarantine data missing": lambda folder: _parquets(folder, "quarantine")[-1].unlink(),
    "both tables": lambda folder: [
        _truncate(_logs(folder, table)[-1], 5) for table in ("events", "quarantine")
    ],
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_event_is_there_once_after_repair(before: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(before, folder)
    DAMAGES[damage](folder)
    with _everything_once(folder) as lake:
        repairs = [each for each in lake.repairs.values() if each.first_bad_version is not None]
        # a log file that is missing at the very end leaves nothing to find
        assert bool(repairs) == (damage not in {"nothing", "newest log missing"})
        assert all(Path(file).exists() for each in repairs for file in each.set_aside)
        assert lake.landing.run(lambda connection: durable_version(connection, "events")) == lake.files()[0]
    with _everything_once(folder) as again:
        assert all(each.first_bad_version is None for each in again.repairs.values())


@pytest.mark.parametrize("size", [0, 7, 100, 400])
def test_each_length_of_the_newest_log(before: Path, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "data"
    shutil.copytree(before, folder)
    _truncate(_logs(folder)[-1], size)
    _everything_once(folder).close()


def test_a_table_whose_creation_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    Lake.open(tmp_path, clock=HandClock(), decode=decode).close()
    (tmp_path / "landing.sqlite").unlink()
    _truncate(_logs(tmp_path)[0], 100)
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as lake:
        lake.landing.append([request([event("a")])])
        assert lake.flush().events == 1
        assert lake.repairs["events"].first_bad_version == 0


def test_a_torn_checkpoint_is_set_aside(before: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(before, folder)
    with _everything_once(folder) as lake:
        assert lake._writer.events.checkpoint(is_due_only=False)
    log = folder / "lake" / "events" / "_delta_log"
    checkpoint = next(log.glob("*.checkpoint.parquet"))
    _truncate(checkpoint, checkpoint.stat().st_size // 2)
    with _everything_once(folder) as lake:
        assert len(lake.repairs["events"].set_aside) == 2
    (log / "_last_checkpoint").write_text('{"versi')
    _everything_once(folder).close()


def test_damage_below_the_durable_version_is_told_not_hidden(before: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(before, folder)
    _truncate(_logs(folder)[1], 20)
    with pytest.raises(StorageError, match="cannot be read"):
        Lake.open(folder, clock=HandClock(), decode=decode)
    Path(folder / "writer.lock").unlink()
