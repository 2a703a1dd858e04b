"""Step 1: how the product is used, measured on its own events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.errors import NotFound
from paribus.exploration.event_log import EventLog
from paribus.exploration.exploration import explore
from paribus.exploration.opening import open_lake, open_source
from paribus.workflow.exploring import assumptions_of, checks_of, evidence_of, facts_of, summary_of
from paribus.workflow.exploring.blocks import blocks_of

if TYPE_CHECKING:
    from paribus.workflow.artifact import Artifact
    from paribus.workflow.block import Block
    from paribus.workflow.context import Context


def run(context: Context) -> Artifact:
    """The exploration report of the feature's source.

    Raises:
        NotFound: the source is the lake, and nothing has arrived.
    """
    with _opened(context) as log:
        plan = context.operations.tracking_plan() or {}
        found = explore(log, plan=plan, level=context.config.experiment_config.confidence_level, progress=context.progress)
        level = context.config.experiment_config.confidence_level
        facts = facts_of(found, level)
        return context.artifact(
            "explore",
            summary_of(found, facts),
            facts,
            evidence=evidence_of(found),
            assumptions=assumptions_of(found),
            checks=checks_of(found),
        )


def present(artifact: Artifact) -> list[Block]:
    """Pictures of funnel, losses, days, retention and journeys; tables of baselines and segments; what was found."""
    return blocks_of(artifact)


def _opened(context: Context) -> EventLog:
    if context.feature.source != "lake":
        return open_source(context.feature.source)
    reader = context.operations.lake()
    if reader is None:
        raise NotFound(
            "no event has arrived yet",
            where=f"feature {context.feature.key}",
            rule="a feature starts from how the product is used",
            fix="send events to the server, or bring history: paribus events import FILE; "
            "or explore files: paribus feature new … --source events.parquet",
        )
    return open_lake(reader)
