"""Health checks: is the experiment what it claims to be? One file each; this is their registry.

A failing *blocking* check hides every effect, a *warning* stands beside them, a *diagnostic* explains a block. Over
clean A/A tests a blocking check fails at most .1% of the time over the experiment's life.
"""

from __future__ import annotations

from paribus.experiments.checks import (
    balance,
    duplicates,
    exposure_window,
    few_clusters,
    loss,
    missing_units,
    multiple_exposure,
    no_data,
    not_finite,
    outliers,
    sample_ratio,
    sample_ratio_parts,
    served,
    stray_variants,
    twyman,
    unit_of_analysis,
)
from paribus.experiments.checks.subject import HealthCheck, Subject
from paribus.experiments.result import Check

__all__ = ["REGISTRY", "HealthCheck", "Subject", "run"]

REGISTRY: tuple[HealthCheck, ...] = (
    HealthCheck("no data", "blocking", no_data.look),
    HealthCheck("sample ratio", "blocking", sample_ratio.look),
    HealthCheck("multiple exposure", "blocking", multiple_exposure.look),
    HealthCheck("loss by arm", "blocking", loss.look),
    HealthCheck("unit of analysis", "blocking", unit_of_analysis.look),
    HealthCheck("share with multiple exposure", "warning", multiple_exposure.look_share),
    HealthCheck("served against assigned", "warning", served.look),
    HealthCheck("exposure window", "warning", exposure_window.look),
    HealthCheck("missing units and variants", "warning", missing_units.look),
    HealthCheck("stray variant labels", "warning", stray_variants.look),
    HealthCheck("duplicated rows", "warning", duplicates.look),
    HealthCheck("values that are not finite", "warning", not_finite.look),
    HealthCheck("missing values", "warning", not_finite.look_missing),
    HealthCheck("pre-period balance", "warning", balance.look),
    HealthCheck("few clusters", "warning", few_clusters.look),
    HealthCheck("outlier dominance", "warning", outliers.look),
    HealthCheck("Twyman's law", "warning", twyman.look, needs_effects=True),
    HealthCheck("sample ratio by day", "diagnostic", sample_ratio_parts.look_by_day),
    HealthCheck("sample ratio by segment", "diagnostic", sample_ratio_parts.look_by_segment),
)


def run(subject: Subject, *, needs_effects: bool = False, blocking_only: bool = False) -> tuple[Check, ...]:
    """The answers of the checks that look at data alone, or of those that look at effects; or of those that block."""
    return tuple(
        check.look(subject)
        for check in REGISTRY
        if check.needs_effects is needs_effects and (check.severity == "blocking" or not blocking_only)
    )
