"""Enough clusters for cluster-robust inference."""

from __future__ import annotations

from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import agreeing, counted
from paribus.experiments.result import Check
from paribus.stats.cluster import FEW_CLUSTERS

NAME = "few clusters"


def look(subject: Subject) -> Check:
    """Warns below 30 clusters in all (Cameron, Gelbach, Miller 2008)."""
    sizes = [len(set(sums.cluster)) for sums in subject.measurement.clusters.values()]
    if not sizes:
        return answer(NAME, "warning", None, "units are not clustered")
    fewest = min(sizes)
    sentence = f"there {agreeing(fewest, 'are')} {counted(fewest, 'cluster')}"
    if fewest >= FEW_CLUSTERS:
        return answer(NAME, "warning", False, sentence, evidence={"clusters": fewest})
    return answer(
        NAME,
        "warning",
        True,
        f"{sentence}; below {FEW_CLUSTERS} intervals rest on their degrees of freedom",
        evidence={"clusters": fewest},
    )
