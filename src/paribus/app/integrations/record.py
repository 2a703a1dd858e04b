"""What the checks said when they last ran: checks.json, shipped with the package and written by the checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from paribus.app.integrations.system import System, meets

RECORD = "checks.json"
Entry = dict[str, Any]  # passed, failed, skipped: numbers of tests; date; version of Paribus


@dataclass(frozen=True, slots=True)
class Last:
    """A system's checks together.

    result   passed: each check ran and nothing failed · failed: something did · partly: a check was never recorded,
             or skipped · never: none was recorded
    date     ISO date of the oldest of its recorded checks; None for none
    passed, failed, skipped   tests, of all its checks
    """

    result: str
    date: str | None
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plain(self) -> dict[str, Any]:
        """The result as JSON."""
        counts = {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}
        return {"result": self.result, "date": self.date, **counts}


def recorded() -> dict[str, Entry]:
    """Every check that was recorded, by its name."""
    path = files("paribus.app.integrations").joinpath(RECORD)
    if not path.is_file():
        return {}
    checks: dict[str, Entry] = json.loads(path.read_text(encoding="utf-8"))["checks"]
    return checks


def last_check(system: System, checks: Mapping[str, Entry] | None = None) -> Last:
    """How the checks of a system went when they last ran."""
    known = recorded() if checks is None else checks
    found = [known[check] for check in system.verified_by if check in known]
    if not found:
        return Last("never", None)
    passed, failed, skipped = (sum(each[word] for each in found) for word in ("passed", "failed", "skipped"))
    whole = len(found) == len(system.verified_by) and all(each["passed"] for each in found)
    result = "failed" if failed else "passed" if whole else "partly"
    return Last(result, min(str(each["date"]) for each in found), passed, failed, skipped)


def merged(
    checks: Mapping[str, Entry], outcomes: Mapping[str, str], names: Iterable[str], day: date, version: str
) -> dict[str, Entry]:
    """The record after tests have run; a check of which no test ran keeps what it said.

    Args:
        checks: the record until now.
        outcomes: passed, failed or skipped, by the tests' node ids (or a check's own name).
        names: every check that a system names; others are dropped.
        day: when the tests ran.
        version: of Paribus.
    """
    kept: dict[str, Entry] = {}
    for name in sorted(set(names)):
        said = [outcome for test, outcome in outcomes.items() if test == name or meets(name, test)]
        counts = {word: said.count(word) for word in ("passed", "failed", "skipped")}
        if counts["passed"] or counts["failed"]:
            kept[name] = {**counts, "date": day.isoformat(), "version": version}
        elif name in checks:
            kept[name] = checks[name]
    return kept


def write(path: Path, checks: Mapping[str, Entry]) -> None:
    """Replaces the record."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"checks": dict(checks)}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)
