"""A label that slipped into the variant column and became an arm of its own."""

from __future__ import annotations

from difflib import SequenceMatcher

from paribus.charts.numbers import count, share
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import counted, listing
from paribus.experiments.result import Check

NAME = "stray variant labels"
# Units against the largest arm: below this an arm that nobody declared is likelier a mistake; a spelling close to
# another arm's is one up to the second share; the same but for case and spaces always is.
SMALL, SMALL_AND_ALIKE = 0.01, 0.1
ALIKE = 0.8


def look(subject: Subject) -> Check:
    """Warns when arms that were read from the data look like mistakes; they are compared all the same, and counted.

    Where the split is declared the arms are the plan's.
    """
    if subject.design.split_declared:
        return answer(NAME, "warning", None, "the arms are those whose split was declared")
    units = {name: subject.counts.units.get(name, 0) for name in subject.variants}
    largest = max(units.values(), default=0)
    stray = {name: n for name, n in units.items() if 0 < n < largest and is_stray(name, n, units)}
    if not stray:
        return answer(NAME, "warning", False, "every label of the variant column has units like an arm of its own")
    total = sum(units.values())
    named = listing([f"{name!r} ({counted(n, 'unit')})" for name, n in stray.items()])
    one = len(stray) == 1
    what = "is an arm whose share" if one else "are arms whose shares"
    own = "an arm of its own" if one else "arms of their own"
    sentence = (
        f"{named} of {count(total)} ({share(sum(stray.values()) / total)}) {what} nobody declared, compared as {own}: "
        "correct a label that is a mistake, or name the variants in an experiment file, where rows of other labels are "
        "left out and counted"
    )
    return answer(NAME, "warning", True, sentence, evidence={"units": stray})


def is_stray(name: str, n: int, units: dict[str, int]) -> bool:
    """Whether the arm is tiny, or small and spelled like a larger one.

    >>> is_stray("treatmnt", 40, {"control": 1000, "treatment": 1010, "treatmnt": 40})
    True
    >>> is_stray("b", 300, {"a": 1000, "b": 300})
    False
    """
    larger = [other for other, units_there in units.items() if units_there > n]
    part = n / max(units.values())
    if part < SMALL or any(_plain(name) == _plain(other) for other in larger):
        return True
    alike = any(SequenceMatcher(None, _plain(name), _plain(other)).ratio() >= ALIKE for other in larger)
    return alike and part < SMALL_AND_ALIKE


def _plain(name: str) -> str:
    return "".join(name.casefold().split())
