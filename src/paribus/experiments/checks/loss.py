"""Units that are exposed but missing from a metric, more in one arm than in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.checks.rates import rate_difference_p
from paribus.experiments.checks.subject import ALPHA, Subject, answer, by_arm
from paribus.experiments.layout import whole_by_arm
from paribus.experiments.phrases import counted
from paribus.experiments.result import Check

NAME = "loss by arm"


def look(subject: Subject) -> Check:
    """Blocks when the share of units without a value, or not yet matured, differs between arms for some metric."""
    units = {name: subject.counts.units.get(name, 0) for name in subject.variants}
    tests: dict[tuple[tuple[str, int], ...], tuple[str, float]] = {}
    places: dict[int, dict[str, NDArray[np.intp]]] = {}  # metrics of one source share their keys
    for metric, cells in subject.measurement.cells.items():
        if id(cells.keys) not in places:
            places[id(cells.keys)] = whole_by_arm(cells)
        place = places[id(cells.keys)]
        immature = np.asarray(cells.immature) if cells.immature else np.zeros(len(cells.keys))
        measured = {name: round(float(cells.moments.n[place[name]].sum())) if name in place else 0 for name in units}
        waiting = {name: int(immature[place[name]].sum()) if name in place else 0 for name in units}
        for what, lost in (
            (f"no value of {metric} for", {v: units[v] - measured[v] - waiting[v] for v in units}),
            (f"no closed window of {metric} for", waiting),
        ):
            if any(n > 0 for n in lost.values()) and all(n >= 0 for n in lost.values()):
                # Metrics of one source lose the same units: one test, not many.
                pattern = tuple(lost.items())
                if pattern not in tests:
                    tests[pattern] = (what, rate_difference_p(lost, units, subject.design.control))
    if not tests:
        return answer(NAME, "blocking", False, "every unit of the analysis has a value of every metric")
    pattern, (what, p) = min(tests.items(), key=lambda item: item[1][1])
    p = min(1.0, p * len(tests))
    sentence = f"{what} {counted(sum(n for _, n in pattern), 'unit')} ({by_arm(pattern)})"
    if p < ALPHA:
        return answer(NAME, "blocking", True, f"{sentence}, a share that differs between the arms", p)
    return answer(NAME, "blocking", False, f"{sentence}, a share that does not differ between the arms", p)
