"""The server is killed at random moments under load, compactions included: nothing acknowledged is lost or doubled.

python -m tests.chaos.test_kill 200 --seed 7      # prints a report
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from tests.chaos.installation import BUSY, PLAIN, Found, ServerProcess, examine, from_chdb, prepared
from tests.chaos.sending import Senders

OPENING_SHARE = 0.2
PLAIN_SHARE = 0.2
WRITER_SHARE = 0.4
"""Of kills before which the process that writes the lake is killed alone, and the server goes on."""


@dataclass
class Report:
    """What a series of kills met and left."""

    kills: int = 0
    while_opening: int = 0
    while_compacting: int = 0
    of_paribus_serve: int = 0
    of_the_writer: int = 0
    requests: int = 0
    acknowledged: int = 0
    sent: int = 0
    broken: int = 0
    seconds: float = 0.0
    found: Found | None = None


def attack(folder: Path, kills: int, seed: int, longest: float = 1.0) -> Report:
    """Kills servers under load one after the other, stops the last one gracefully, and examines the folder.

    Raises:
        AssertionError: something was lost, doubled or miscounted.
    """
    generator = random.Random(seed)
    started = time.monotonic()
    secret = prepared(folder)
    mark = Path(f"{folder}.compacting")
    senders = Senders(secret, f"s{seed}x")
    report = Report(kills)
    server: ServerProcess | None = None
    try:
        for number in range(kills):
            mark.unlink(missing_ok=True)
            is_plain = generator.random() < PLAIN_SHARE
            report.of_paribus_serve += is_plain
            server = ServerProcess(folder, PLAIN if is_plain else BUSY)
            if number and generator.random() < OPENING_SHARE:
                report.while_opening += 1
                time.sleep(generator.uniform(0.3, 1.5))
            else:
                senders.port = server.port()
                time.sleep(generator.uniform(0.05, longest))
                if generator.random() < WRITER_SHARE:
                    report.of_the_writer += server.kill_writer()
                    time.sleep(generator.uniform(0.0, longest))  # it is started again, or dies with the server
            assert server.process.poll() is None, server.errors
            server.kill()
            senders.port = None
            report.while_compacting += mark.exists() and mark.read_bytes()[:1] == b"1"
        server = ServerProcess(folder, PLAIN)
        senders.port = server.port()
        time.sleep(0.5)
        server.send(signal.SIGTERM)  # under load
        assert server.wait() == 0, server.errors
        ledger = senders.stop()
    finally:
        senders.port = None
        senders.stop()
        if server is not None:
            server.kill()
    report.requests, report.broken = ledger.requests, ledger.broken
    report.acknowledged, report.sent = len(ledger.acknowledged), len(ledger.sent)
    assert ledger.refusals == {}
    report.found = examine(folder, ledger)
    assert from_chdb(folder) == [report.found.rows, report.found.distinct]
    report.seconds = time.monotonic() - started
    return report


def test_ten_kills(tmp_path: Path) -> None:
    report = attack(tmp_path / "data", 10, seed=4, longest=0.7)
    assert report.acknowledged > 1_000
    assert report.while_compacting > 0
    assert report.of_the_writer > 0


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path) -> None:
    report = attack(tmp_path / "data", 200, seed=20261128)
    assert report.acknowledged > 50_000
    assert report.while_compacting > 20
    assert report.of_the_writer > 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=20261128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asdict(attack(Path(folder) / "data", options.kills, options.seed)), indent=2))


if __name__ == "__main__":
    main()
