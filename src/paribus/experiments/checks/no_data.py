"""Every arm has units."""

from __future__ import annotations

from paribus.experiments.checks.subject import Subject, answer, by_arm
from paribus.experiments.phrases import listing
from paribus.experiments.result import Check

NAME = "no data"


def look(subject: Subject) -> Check:
    """Blocks when an arm of the design has no units at all."""
    units = [(name, subject.counts.units.get(name, 0)) for name in subject.variants]
    empty = [name for name, n in units if n == 0]
    sentence = f"there are no units in {listing(empty)}" if empty else f"every arm has units ({by_arm(units)})"
    return answer(NAME, "blocking", bool(empty), sentence, evidence={"units": dict(units)})
