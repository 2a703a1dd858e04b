"""Margins of latency guardrails that nobody stated: as small as the planned days can rule out, and at least a tenth.

Shares get theirs in step 2, from the levels that exploring found. How much a quantile varies is known only where units
meet the decision, which the design's own history says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil, sqrt
from typing import Any

from paribus.workflow.hypotheses.guardrails import LATENCY_MARGIN

Json = dict[str, Any]
MOST = 0.5  # more than this guards against nothing: then the plan runs longer, or ends with the guardrail open


def with_latency_margins(
    body: Json, stated: Collection[str], asked: Mapping[str, int], readable: float
) -> tuple[Json, tuple[str, ...]]:
    """The document with wider margins where the runtime is too short for those of step 2, and a note on each.

    Args:
        body: the document.
        stated: metrics whose margins somebody stated.
        asked: units that each metric asks for at its present margin.
        readable: units that can be read when the runtime ends.
    """
    wider = {
        metric["name"]: min(ceil(100 * LATENCY_MARGIN * sqrt(asked[metric["name"]] / readable)) / 100, MOST)
        for metric in body["metrics"]
        if metric["type"] == "quantile"
        and metric.get("margin") == LATENCY_MARGIN
        and metric["name"] not in stated
        and asked.get(metric["name"], 0) > readable
    }
    notes = tuple(
        f"{name} may rise by {margin:.0%} at most: {LATENCY_MARGIN:.0%} would take {asked[name]:,} units, "
        f"and {readable:,.0f} can be read when the planned days are over."
        for name, margin in wider.items()
    )
    metrics = [{**m, "margin": wider[m["name"]]} if m["name"] in wider else m for m in body["metrics"]]
    return {**body, "metrics": metrics}, notes
