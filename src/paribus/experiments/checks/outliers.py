"""One unit that decides a metric alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from paribus.charts.numbers import share
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.result import Check
from paribus.metrics.cells import Cells

NAME = "outlier dominance"
# With fewer units than this behind a metric one of them is large by nature.
FEWEST = 5.0


@dataclass(frozen=True, slots=True)
class Dominance:
    """The largest unit's share of a metric's total, and the effective number of units behind the rest of it."""

    metric: str
    share: float
    others: float

    @property
    def excess(self) -> float:
        return self.share / largest_allowed(self.others)


def largest_allowed(others: float) -> float:
    """The share of a metric's total that one unit may hold beside so many others.

    A heavy tail has a large maximum by nature, so the limit falls from 90% to 25% as 3 / sqrt(others): over lognormal
    metrics with sigma up to 2, zero for nine units in ten, and Pareto with shape 2.2, at 50 to 5,000 units, at most 1%
    of clean samples pass it.
    """
    return min(0.9, max(0.25, 3 / math.sqrt(max(others, 1.0))))


def look(subject: Subject) -> Check:
    """Warns when one unit holds a large share of a metric's total."""
    counts = subject.counts
    found = [
        _dominance(name, counts.maxima[name], counts.totals[name], cells)
        for name, cells in subject.measurement.cells.items()
        if counts.maxima.get(name) and counts.totals.get(name)
    ]
    known = [each for each in found if each.others >= FEWEST]
    if not known:
        return answer(NAME, "warning", None, "no metric has a largest value among enough others")
    worst = max(known, key=lambda each: each.excess)
    sentence = f"the largest unit of {worst.metric} holds {share(worst.share)} of its total"
    failed = worst.excess > 1
    if failed:
        sentence += "; a cap from the pre-period would keep it from deciding alone"
    return answer(NAME, "warning", failed, sentence, evidence={"metric": worst.metric, "share": worst.share})


def _dominance(name: str, largest: float, total: float, cells: Cells) -> Dominance:
    """Kish's effective number (sum)^2 / (sum of squares) of the units but the largest."""
    moments = cells.uncapped or cells.moments
    whole = [i for i, key in enumerate(cells.keys) if key.attribute is None and moments.n[i] > 0]
    n, mean, m2 = moments.n[whole], moments.mean[whole, 0], moments.m2[whole, 0, 0]
    if not np.isfinite(m2).all():  # squares of the largest overflow: beside it the others are all alike
        return Dominance(name, largest / total, float(n.sum()) - 1)
    rest = float(np.sum(m2 / largest / largest + n * (mean / largest) ** 2)) - 1
    others = (total / largest - 1) ** 2 / rest if rest > 0 else 0.0
    return Dominance(name, largest / total, others if math.isfinite(others) else 0.0)
