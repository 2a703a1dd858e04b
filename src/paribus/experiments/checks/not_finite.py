"""NaN and infinities among a metric's values, and values that are missing."""

from __future__ import annotations

from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import agreeing, counted, listing
from paribus.experiments.result import Check

NAME = "values that are not finite"


def look(subject: Subject) -> Check:
    """Warns when values are NaN or infinite; they count as missing."""
    found = {name: n for name, n in subject.counts.not_finite.items() if n}
    if not found:
        return answer(NAME, "warning", False, "all values are finite")
    total = sum(found.values())
    named = listing([f"{counted(n, 'value')} of {name}" for name, n in found.items()])
    return answer(
        NAME,
        "warning",
        True,
        f"{named} {agreeing(total, 'are')} not finite and {agreeing(total, 'count')} as missing",
        evidence=dict(found),
    )


def look_missing(subject: Subject) -> Check:
    """Warns when units have no value of a metric, or rows of events none; they are left out of that metric."""
    found = {name: n for name, n in subject.counts.null_values.items() if n}
    if not found:
        return answer("missing values", "warning", False, "no value is missing")
    total = sum(found.values())
    of_events = bool(subject.counts.unmatched_event_rows)
    one = "row" if of_events else "unit"
    named = listing([f"{counted(n, one, 'have')} no value of {name}" for name, n in found.items()])
    left = f"{agreeing(total, 'add')} nothing to it" if of_events else f"{agreeing(total, 'are')} left out of it"
    return answer(
        "missing values",
        "warning",
        True,
        f"{named} and {left}",
        evidence=dict(found),
    )
