"""The configuration as its readers see it: the summary, shares, targeting, the rehearsal, stages and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.charts.bars import Bar, bars
from paribus.workflow.artifact import Artifact, Outcome
from paribus.workflow.block import Block, Code, Heading, Paragraph, Picture, Table
from paribus.workflow.facts.launch import SetupFacts
from paribus.workflow.launching.randomization import failures


def blocks(artifact: Artifact) -> list[Block]:
    """Shares measured against shares sealed, the rehearsal, who takes part, what fires."""
    facts = SetupFacts.model_validate(artifact.facts)
    found = facts.randomization
    made: list[Block] = []
    if found:
        shown = [("traffic at start", found["traffic_share"]), *found["split_shares"].items()]
        made.append(
            Picture(
                bars(
                    [
                        Bar(f"{name}, {each['expected']:.2%} planned", 100 * (each["share"] or 0.0))
                        for name, each in shown
                    ],
                    title=f"Measured shares of {found['units']:,} units",
                ),
                "Each share lies within its binomial interval"
                if not failures(found)
                else f"Outside: {', '.join(failures(found))}",
                "shares",
            )
        )
    made += [
        Heading("Who takes part"),
        Table(
            ("rule", "who", "gets", "traffic now"),
            [(each["rule"], each["who"], each["gets"], _bp(each.get("traffic_bp"))) for each in facts.targeting],
            right=("traffic now",),
        ),
        Heading("Kill switch, rehearsed in staging"),
        Table(
            ("round", "control everywhere after", "treatment again after"),
            [
                (str(number), _seconds(kill), _seconds(revive))
                for number, (kill, revive) in enumerate(
                    zip(facts.kill_rehearsal["kill_seconds"], facts.kill_rehearsal["revive_seconds"], strict=True), 1
                )
            ],
            right=("control everywhere after", "treatment again after"),
        ),
        Heading("Stages"),
        Table(
            ("stage", "traffic", "held", "who", "left when", "approved by"),
            [
                (
                    each["name"],
                    _bp(each["traffic_bp"]),
                    f"{each['hold_hours']:,} h",
                    _who(each),
                    "; ".join(criteria),
                    each["approver"],
                )
                for each, criteria in zip(facts.stages, added(facts.stages), strict=True)
            ],
            right=("traffic", "held"),
        ),
        Heading("Alerts"),
        Table(
            ("alert", "fires when", "then", "watched by"),
            [(each["alert"], each["when"], each["then"], each["where"]) for each in facts.alerts],
        ),
    ]
    if facts.explained:
        made.append(Heading("Why one unit gets what it gets"))
        made += [Code(each["text"], "text", each["unit"]) for each in facts.explained]
    made.append(
        Paragraph(
            "The files beside this page are the configuration as it was applied and read back, the rules for "
            "Prometheus, and the dashboard for Grafana."
        )
    )
    return made


def summary(facts: SetupFacts, checks: tuple[Outcome, ...]) -> str:
    """The first paragraph."""
    blocked = [check.name.lower() for check in checks if check.blocking and check.status == "failed"]
    found = facts.randomization
    said = (
        f"{facts.flag} is set up in {facts.environment} as sealed: {opening(facts)}, and nobody is served yet. "
        f"Assignment was tested on {found['units']:,} units, and the kill switch was rehearsed: every decision was "
        f"control within {facts.kill_rehearsal['slowest_kill_seconds']:.2f} seconds. "
        f"{len(facts.alerts)} alert rules are in place."
    )
    return f"The launch is stopped by {', '.join(blocked)}. {said}" if blocked else said


def opening(facts: SetupFacts) -> str:
    """How traffic begins, for instance "traffic opens at 5% and then 10%"."""
    small = [each["traffic_bp"] for each in facts.stages if each["in_analysis"]]
    steps = [bp for bp in small if bp < facts.start_traffic_bp] + [facts.start_traffic_bp]
    return f"traffic opens at {' and then '.join(f'{bp / 100:g}%' for bp in steps)}"


def added(stages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What each stage asks for beyond the one before it: "as NAME", then what is new."""
    said: list[list[str]] = []
    for before, here in zip([None, *stages], stages, strict=False):
        asked = list(here["criteria"])
        if before is not None and before["criteria"] and set(before["criteria"]) <= set(asked):
            asked = [f"as {before['name']}", *(each for each in asked if each not in before["criteria"])]
        said.append(asked)
    return said


def _who(stage: Mapping[str, Any]) -> str:
    if stage.get("cap_units"):
        return f"up to {stage['cap_units']:,} volunteers"
    return str(stage["audience"] or "everyone")


def _bp(traffic_bp: int | None) -> str:
    return "" if traffic_bp is None else f"{traffic_bp / 100:g}%"


def _seconds(measured: float | None) -> str:
    return "not known: given before the run was cut off" if measured is None else f"{measured:.3f} s"
