"""A data folder under attack: servers on it as child processes, and the examination of what they left."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable
from tests.chaos.sending import OFFERED, OLD, Ledger

from paribus.app.arrival import reconcile
from paribus.app.folder import definitions
from paribus.app.lake import reader_of
from paribus.governance.access import create_key
from paribus.settings import Settings

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PARIBUS_FLUSH_SECONDS": "0.05",
    "PARIBUS_FLUSH_EVENTS": "2000",
    "PARIBUS_REQUESTS_PER_SECOND": "1000000",
    "PARIBUS_LOG_LEVEL": "error",
    "PARIBUS_PORT": "0",
}
PLAIN = ("-m", "paribus.cli", "serve", "--data")
BUSY = ("-m", "tests.chaos.serving")
"""With compactions without end."""

FROM_CHDB = """
import chdb, sys
print(chdb.query(
    f"SELECT count(), uniqExact(event_id) FROM deltaLakeLocal('{sys.argv[1]}')", "JSONCompactEachRow"
))
"""


class ServerProcess:
    """A server in a process of its own; `port` waits until it is ready."""

    def __init__(self, folder: Path, kind: tuple[str, ...] = BUSY, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *kind, str(folder)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._ports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.errors = ""
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._hear_errors)]
        for reader in self._readers:
            reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Paribus is ready at "):
                self._ports.put(int(line.split()[4].rpartition(":")[2]))
        self._ports.put(None)

    def _hear_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line

    def port(self, timeout: float = 60) -> int:
        """Where it listens, once it does."""
        port = self._ports.get(timeout=timeout)
        assert port is not None, f"the server ended: {self.errors[-3000:]}"
        return port

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def writer(self) -> int | None:
        """The process that writes the lake for it; None while there is none."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task").glob("*/children")
            return next((int(each) for file in children for each in file.read_text().split()), None)
        except OSError:
            return None

    def kill_writer(self) -> bool:
        """Ends that process with SIGKILL, where there is one."""
        pid = self.writer()
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def wait(self, timeout: float = 60) -> int:
        """Its exit status."""
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(10)
        return status

    def kill(self) -> None:
        """Ends it with SIGKILL; no-op when it has ended."""
        self.process.kill()
        self.wait()


def prepared(folder: Path) -> str:
    """The secret of an intake key in a new data folder."""
    with definitions(Settings(data=folder), create=True) as store:
        return create_key(store, "intake", author="test")[1]


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    rows: int
    distinct: int
    held: int
    counts: dict[str, Any]


def examine(folder: Path, ledger: Ledger) -> Found:
    """Compares a folder whose server has stopped with what clients know, by readers that are not ours.

    Raises:
        AssertionError: an event is lost or invented, a row is doubled, a count is wrong.
    """
    table = DeltaTable(str(folder / "lake" / "events"))
    held_table = DeltaTable(str(folder / "lake" / "quarantine"))
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = _rows(connection, table)
        held = _rows(connection, held_table)
        wrong = connection.execute(
            "SELECT event_id, properties FROM read_parquet($files, union_by_name := true) WHERE name = $name AND "
            "[properties ->> '$.number', properties ->> '$.index'] != string_split(event_id, '-')[2:3] LIMIT 3",
            {"files": _files(table), "name": OFFERED},
        ).fetchall()
    assert wrong == []
    stored = {event_id for event_id, *_ in rows}
    quarantined = {event_id for event_id, *_ in held}
    assert {name for _, name, *_ in rows} <= {OFFERED, "$exposure"}
    assert {name for _, name, *_ in held} <= {OLD}
    lost = ledger.acknowledged - stored - quarantined
    assert not lost, f"{len(lost)} acknowledged events are lost, such as {sorted(lost)[:3]}"
    invented = {each for each, name, *_ in rows if name == OFFERED} - ledger.sent
    assert not invented
    places = [place for *_, place in rows + held]
    assert len(places) == len(set(places)), "a landing record became two rows"

    reader = reader_of(folder)
    assert reader is not None
    report = reconcile(reader)
    assert report["adds_up"], report
    [counts] = [each for each in report["dialects"] if each["dialect"] == "paribus"]
    assert counts["waiting"] == counts["unreadable"] == 0
    assert counts["accepted"] == counts["landed"] == len(rows) + counts["deduplicated"]
    assert counts["quarantined"] == counts["held"] == len(held)
    assert counts["distinct"] == len(stored)
    assert counts["accepted"] >= ledger.accepted
    assert counts["quarantined"] >= ledger.quarantined
    assert counts["rejected"] >= ledger.rejected
    return Found(len(rows), len(stored), len(held), counts)


def from_chdb(folder: Path) -> list[int]:
    """Rows and distinct ids, read by ClickHouse."""
    table = (folder / "lake" / "events").resolve()
    done = subprocess.run(
        [sys.executable, "-c", FROM_CHDB, str(table)],
        cwd=table.parent,  # it reads below the folder where it runs
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(each) for each in json.loads(done.stdout)]


def _files(table: DeltaTable) -> list[str]:
    return list(table.file_uris())


def _rows(connection: duckdb.DuckDBPyConnection, table: DeltaTable) -> list[tuple[Any, ...]]:
    """Id, name and landing place of each row."""
    files = _files(table)
    if not files:
        return []
    query = (
        "SELECT event_id, name, (landing_id, landing_index) FROM read_parquet($files, union_by_name := true) "
        "WHERE name IS NOT NULL"
    )
    return connection.execute(query, {"files": files}).fetchall()
