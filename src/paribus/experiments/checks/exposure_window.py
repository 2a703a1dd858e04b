"""Exposures before the start or after the end of enrollment."""

from __future__ import annotations

from paribus.charts.numbers import share
from paribus.experiments.checks.subject import Subject, answer, by_arm
from paribus.experiments.phrases import agreeing, counted
from paribus.experiments.result import Check

NAME = "exposure window"
TOO_MANY = 0.01


def look(subject: Subject) -> Check:
    """Warns when more than 1% of exposures lie outside the enrollment window; they are left out either way."""
    counts = subject.counts
    outside = [(name, counts.outside_window.get(name, 0)) for name in subject.variants]
    total = sum(n for _, n in outside)
    if not total:
        return answer(NAME, "warning", False, "no exposure lies outside the enrollment window")
    part = total / counts.rows if counts.rows else 1.0
    sentence = (
        f"{counted(total, 'exposure')} ({share(part)}) {agreeing(total, 'lie')} before the start or after the end and "
        f"{agreeing(total, 'are')} left out ({by_arm(outside)})"
    )
    return answer(NAME, "warning", part > TOO_MANY, sentence, evidence={"share": part})
