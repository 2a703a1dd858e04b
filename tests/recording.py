"""`--record-checks`: what the checks of other systems said goes into the package's record, with the day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from paribus import __version__
from paribus.app.integrations import systems
from paribus.app.integrations.record import RECORD, merged, recorded, write

PATH = Path(__file__).parents[1] / "src" / "paribus" / "app" / "integrations" / RECORD


def record(outcomes: dict[str, str], path: Path = PATH) -> None:
    """Merges the outcomes of tests, or of checks by their names, into the record."""
    names = {check for system in systems() for check in system.verified_by}
    write(path, merged(recorded(), outcomes, names, datetime.now(UTC).date(), __version__))


class Recorder:
    """Gathers what each test said; under xdist only the process that hears of all of them writes."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.when == "call" or report.skipped:
            # With loadgroup, xdist appends @GROUP to the id.
            self.outcomes[report.nodeid.partition("@")[0]] = report.outcome

    def pytest_sessionfinish(self) -> None:
        if self.outcomes:
            record(self.outcomes)
