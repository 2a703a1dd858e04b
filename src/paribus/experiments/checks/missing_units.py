"""Rows without a unit or without a known variant."""

from __future__ import annotations

from paribus.charts.numbers import count, share
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import agreeing, counted, listing
from paribus.experiments.result import Check

NAME = "missing units and variants"


def look(subject: Subject) -> Check:
    """Warns when rows are left out because they name no unit or no variant of the experiment."""
    counts = subject.counts
    found = [
        (counts.null_unit_rows, "no unit"),
        (counts.blank_unit_rows, "a blank unit"),
        (counts.null_variant_rows, "no variant"),
        *((n, f"the unknown variant {name!r}") for name, n in sorted(counts.unknown_variant_rows.items())[:5]),
    ]
    present = [(n, what) for n, what in found if n]
    if not present:
        return answer(NAME, "warning", False, "every row names a unit and a variant of the experiment")
    total = (
        counts.null_unit_rows
        + counts.blank_unit_rows
        + counts.null_variant_rows
        + sum(counts.unknown_variant_rows.values())
    )
    part = total / counts.rows if counts.rows else 1.0
    named = listing([f"{count(n)} with {what}" for n, what in present])
    sentence = f"{counted(total, 'row')} ({share(part)}) {agreeing(total, 'are')} left out: {named}"
    return answer(NAME, "warning", True, sentence, evidence={"rows": total, "share": part})
