"""Units served another variant than the one they were assigned."""

from __future__ import annotations

from paribus.charts.numbers import share
from paribus.experiments.checks.subject import Subject, answer, by_arm
from paribus.experiments.result import Check

NAME = "served against assigned"
TOO_MANY = 0.01


def look(subject: Subject) -> Check:
    """Warns when exposures served something else than assigned: the analysis by assignment is then diluted.

    The counts are exposures, many per unit, so they are no sample for a test between arms; a breaker that trips serves
    the control in the treatment arm only, and intention-to-treat stays valid.
    """
    counts = subject.counts
    differs = [(name, counts.served_differs.get(name, 0)) for name in subject.variants]
    total = sum(n for _, n in differs)
    if not total:
        return answer(NAME, "warning", False, "no exposure served another variant than assigned")
    part = total / counts.rows if counts.rows else 1.0
    sentence = f"{share(part)} of the exposures served another variant than assigned ({by_arm(differs)})"
    return answer(
        NAME, "warning", part > TOO_MANY, f"{sentence}; the effect by assignment is diluted", evidence={"share": part}
    )
