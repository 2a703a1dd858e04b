"""Step 1: how the product is used, measured on its own events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.errors import NotFound
from paribus.exploration.event_log import EventLog
from paribus.exploration.opening import open_lake, open_source
from paribus.workflow.exploring import parts_of
from paribus.workflow.exploring.blocks import blocks_of

if TYPE_CHECKING:
    from paribus.workflow.artifact import Artifact
    from paribus.workflow.block import Block
    from paribus.workflow.context import Context


def run(context: Context) -> Artifact:
    """The exploration report of the feature's source.

    Raises:
        NotFound: the source is the lake, and nothing has arrived.
        InputError: the source has no column for unit, event or time.
    """
    with _opened(context) as log:
        summary, facts, evidence, assumptions, checks = parts_of(
            log,
            plan=context.operations.tracking_plan() or {},
            window_hours=context.config.exploration.funnel_window_hours,
            level=context.config.experiment_config.confidence_level,
            seed=context.seed,
            requirement=context.feature.requirement,
            progress=context.progress,
        )
    return context.artifact("explore", summary, facts, evidence=evidence, assumptions=assumptions, checks=checks)


def present(artifact: Artifact) -> list[Block]:
    """Pictures of funnel, losses, days, journeys and retention; tables of segments and baselines; what was found."""
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
