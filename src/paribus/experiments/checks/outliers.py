"""One unit that decides a metric alone."""

from __future__ import annotations

import math

from paribus.charts.numbers import count, share
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.result import Check

NAME = "outlier dominance"


def largest_allowed(units: int) -> float:
    """The share of a metric's total that one of so many units may hold.

    A heavy-tailed metric of few units has a large maximum by nature (a lognormal's with sigma 1.5, one unit in ten not
    zero, reaches 15% of the total at 1,000 units), so the limit falls with the units, from 90% to 25%.
    """
    return min(0.9, max(0.25, 10 / math.sqrt(max(units, 1))))


def look(subject: Subject) -> Check:
    """Warns when one unit holds a large share of a metric's total."""
    counts = subject.counts
    units = sum(counts.units.values())
    named = {metric.name for metric in subject.design.metrics}
    parts = {
        name: counts.maxima[name] / total
        for name, total in counts.totals.items()
        if name in named and total > 0 and name in counts.maxima and math.isfinite(counts.maxima[name] / total)
    }
    if not parts:
        return answer(NAME, "warning", None, "no metric has a largest value")
    name, part = max(parts.items(), key=lambda item: item[1])
    sentence = f"the largest unit of {name} holds {share(part)} of its total over {count(units)} units"
    failed = part > largest_allowed(units)
    if failed:
        sentence += "; a cap from the pre-period would keep it from deciding alone"
    return answer(NAME, "warning", failed, sentence, evidence={"metric": name, "share": part})
