"""Several rows for one unit of a table of units."""

from __future__ import annotations

from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import counted
from paribus.experiments.result import Check

NAME = "duplicated rows"


def look(subject: Subject) -> Check:
    """Warns when a table of units repeats units; identical rows count once."""
    if not subject.is_unit_table:
        return answer(NAME, "warning", None, "exposures repeat by nature; the first one counts")
    n = subject.counts.duplicate_rows
    if not n:
        return answer(NAME, "warning", False, "every unit has one row")
    return answer(
        NAME, "warning", True, f"{counted(n, 'row', 'repeat')} a unit; each unit counts once", evidence={"rows": n}
    )
