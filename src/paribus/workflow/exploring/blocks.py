"""The exploration as a reader sees it."""

from __future__ import annotations

from paribus.charts.numbers import count, share
from paribus.workflow.artifact import Artifact, Measured
from paribus.workflow.block import Block, Heading, Paragraph, Table
from paribus.workflow.facts.explore import ExploreFacts


def blocks_of(artifact: Artifact) -> list[Block]:
    """Pictures first, tables second, prose third."""
    facts = ExploreFacts.model_validate(artifact.facts)
    blocks: list[Block] = []
    for funnel in facts.funnels:
        blocks.append(Heading("Where users go"))
        blocks.append(
            Table(
                ("step", "users", "of the step before"),
                [(step.event, count(step.units), _share(step.share)) for step in funnel.steps],
                right=("users", "of the step before"),
            )
        )
    blocks.append(Heading("Where users are lost"))
    if facts.bottlenecks:
        blocks.append(
            Table(
                ("from", "to", "segment", "go on", "plausible best", "lost per year"),
                [
                    (b.from_event, b.to_event, b.segment, _share(b.rate), _share(b.best), count(b.lost_units.value or 0))
                    for b in facts.bottlenecks
                ],
            )
        )
    blocks.append(Paragraph("Observational: it sizes an opportunity, it proves no cause."))
    return blocks


def _share(x: Measured) -> str:
    if x.value is None or x.low is None or x.high is None:
        return "–"
    return f"{share(x.value)} [{share(x.low)}, {share(x.high)}]"
