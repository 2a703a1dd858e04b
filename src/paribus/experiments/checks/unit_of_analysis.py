"""The unit of analysis is not finer than the unit of randomization."""

from __future__ import annotations

from paribus.charts.numbers import count
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import agreeing, counted, listing
from paribus.experiments.plan import Kind
from paribus.experiments.result import Check
from paribus.metrics.definition import MetricType

NAME = "unit of analysis"
# Some contradictory rows are dirt; many are observations below the unit.
OBSERVATIONS = 0.05


def look(subject: Subject) -> Check:
    """Blocks when what was randomized together is analyzed as if it were independent.

    That is: a design randomized by cluster (or declared to interfere within clusters) whose metrics have no sums by
    cluster, or a table of units in which units have several rows with different values.
    """
    design, counts = subject.design, subject.counts
    clustered = design.kind in (Kind.CLUSTER, Kind.SWITCHBACK) or design.interference.strip().startswith("cluster")
    loose = [
        metric.name
        for metric in design.metrics
        if clustered and metric.name not in subject.measurement.clusters and metric.type is not MetricType.QUANTILE
    ]
    loose += [metric.name for metric in design.metrics if clustered and metric.type is MetricType.QUANTILE]
    if loose:
        sentence = f"the design randomizes clusters, but {listing(loose)} is measured by single units"
        return answer(NAME, "blocking", True, sentence, evidence={"metrics": loose})
    units = sum(counts.units.values())
    part = counts.conflicting_units / units if units else 0.0
    if part > OBSERVATIONS and not subject.measurement.clusters:
        have = agreeing(counts.conflicting_units, "have")
        sentence = (
            f"{count(counts.conflicting_units)} of {counted(units, 'unit')} {have} several rows with different values: "
            "rows are finer than the unit of randomization"
        )
        return answer(NAME, "blocking", True, sentence, evidence={"conflicting_units": counts.conflicting_units})
    return answer(NAME, "blocking", False, "the unit of analysis is that of randomization")
