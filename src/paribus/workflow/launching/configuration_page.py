"""The configuration as its readers see it: the summary, shares, targeting, the rehearsal, stages and alerts."""

from __future__ import annotations

from paribus.charts.bars import Bar, bars
from paribus.workflow.artifact import Artifact, Outcome
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Picture, Table
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
                    each["audience"] or "everyone",
                    "; ".join(each["criteria"]),
                    each["approver"],
                )
                for each in facts.stages
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
    failed = [check for check in artifact.checks if check.status in {"failed", "warned"}]
    if failed:
        made.append(Listing([f"**{check.name}** ({check.status}): {check.message}" for check in failed]))
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
        f"{facts.flag} is set up in {facts.environment} as sealed: randomized units start at "
        f"{facts.start_traffic_bp / 100:g}% of traffic, and nobody is served yet. "
        f"Assignment was tested on {found['units']:,} units, and the kill switch was rehearsed: every decision was "
        f"control within {facts.kill_rehearsal['slowest_kill_seconds']:.2f} seconds. "
        f"{len(facts.alerts)} alert rules are in place."
    )
    return f"The launch is stopped by {', '.join(blocked)}. {said}" if blocked else said


def _bp(traffic_bp: int | None) -> str:
    return "" if traffic_bp is None else f"{traffic_bp / 100:g}%"


def _seconds(measured: float | None) -> str:
    return "not known: given before the run was cut off" if measured is None else f"{measured:.3f} s"
