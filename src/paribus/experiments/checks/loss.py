"""Units that are exposed but missing from a metric, more in one arm than in another."""

from __future__ import annotations

from paribus.charts.numbers import count
from paribus.experiments.checks.rates import rate_difference_p
from paribus.experiments.checks.subject import ALPHA, Subject, answer, by_arm
from paribus.experiments.result import Check

NAME = "loss by arm"


def look(subject: Subject) -> Check:
    """Blocks when the share of units without a value, or not yet matured, differs between arms for some metric."""
    units = {name: subject.counts.units.get(name, 0) for name in subject.variants}
    tests: dict[tuple[tuple[str, int], ...], tuple[str, float]] = {}
    for metric, cells in subject.measurement.cells.items():
        counted = dict.fromkeys(units, 0.0)
        waiting = dict.fromkeys(units, 0)
        immature = cells.immature or (0,) * len(cells.keys)
        for key, n, later in zip(cells.keys, cells.moments.n.tolist(), immature, strict=True):
            if key.attribute is None and key.variant in counted:
                counted[key.variant] += n
                waiting[key.variant] += int(later)
        for what, lost in (
            (f"no value of {metric} for", {v: units[v] - round(counted[v]) - waiting[v] for v in units}),
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
    sentence = f"{what} {count(sum(n for _, n in pattern))} units ({by_arm(pattern)})"
    if p < ALPHA:
        return answer(NAME, "blocking", True, f"{sentence}, a share that differs between the arms", p)
    return answer(NAME, "blocking", False, f"{sentence}, a share that does not differ between the arms", p)
