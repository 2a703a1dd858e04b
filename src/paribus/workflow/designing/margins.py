"""Margins of latency guardrails that nobody stated: as small as the planned days can rule out, and at least a tenth.

Shares get theirs in step 2, from the levels that exploring found. How much a quantile varies is known only where units
meet the decision, which the design's own history says.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from paribus.workflow.hypotheses.guardrails import LATENCY_MARGIN

if TYPE_CHECKING:
    from paribus.experiments.sizes import Setting
    from paribus.experiments.sizing_result import Sizing
    from paribus.workflow.facts.explore import ExploreFacts

Json = dict[str, Any]
MOST = 0.5  # more than this guards against nothing: then the plan runs longer, or ends with the guardrail open


def with_latency_margins(
    body: Json, explore: ExploreFacts, setting: Setting, sizing: Sizing
) -> tuple[Json, tuple[str, ...]]:
    """The document with wider margins where the runtime is too short for those of step 2, and a note on each.

    Args:
        body: the document; its plan has a runtime.
        explore: whose baselines say which margins are stated.
        setting, sizing: how units arrive, and what each guardrail asks for at its present margin.
    """
    if setting.arrivals is None:
        return body, ()
    arrived = setting.arrivals(float(max(body["plan"]["runtime_days"] - setting.window, 1)))
    stated = {each.metric for each in explore.baselines if each.definition.get("margin") is not None}
    metrics, notes = [], []
    for metric in body["metrics"]:
        asked = sizing.by_metric.get(metric["name"], 0)
        is_free = metric["type"] == "quantile" and metric.get("role") == "guardrail" and metric["name"] not in stated
        if is_free and asked > arrived and metric.get("margin") == LATENCY_MARGIN:
            margin = min(ceil(100 * LATENCY_MARGIN * sqrt(asked / arrived)) / 100, MOST)
            notes.append(
                f"{metric['name']} may rise by {margin:.0%} at most: {LATENCY_MARGIN:.0%} would take {asked:,} units, "
                f"and {arrived:,.0f} can be read after {body['plan']['runtime_days']} days."
            )
            metric = {**metric, "margin": margin}  # noqa: PLW2901  # the metric goes on with another margin
        metrics.append(metric)
    return {**body, "metrics": metrics}, tuple(notes)
