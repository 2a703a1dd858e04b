"""Step 12: traffic widens stage by stage, each move one revision with its evidence; harm stops it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from paribus.experiments.reading import last_window, planned_end
from paribus.monitoring.watch import Watch, stored
from paribus.rollout.act import AUTHOR as PARIBUS
from paribus.rollout.history import Moved
from paribus.rollout.next_move import next_move
from paribus.rollout.record import Entered
from paribus.rollout.state import Kind
from paribus.workflow.artifact import Artifact, Evidence, Outcome
from paribus.workflow.block import Block, Heading, Paragraph, Picture, Table
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.launch import Move, RolloutFacts, SetupFacts
from paribus.workflow.launching import health as guardrails
from paribus.workflow.launching.health import Health
from paribus.workflow.launching.health_page import EVIDENCE, without_name
from paribus.workflow.launching.indicators import indicator_blocks
from paribus.workflow.launching.ramp import Ramp
from paribus.workflow.launching.traffic_chart import traffic_chart
from paribus.workflow.waiting import Waiting

Json = dict[str, Any]
SLUG = "rollout"
AUTHOR = "cloud-infrastructure::deployment-engineer"


def run(context: Context) -> Artifact:
    """The record of the rollout; waits through every hold time.

    Raises:
        Waiting: a stage is held, or its evidence is too small.
    """
    setup = context.facts("setup", SetupFacts)
    architect = context.facts("architect", ArchitectFacts)
    watch = stored(context.store, setup.experiment) or _watch(setup)
    ramp = Ramp(context, setup, architect.stages, watch.round)
    acts = context.config.monitoring.automatic_rollback
    looks = context.operations.experiment(setup.experiment).design.plan.method.value != "fixed"
    seen: Health | None = None
    while True:
        here = ramp.state(None, look=looks)
        if here.at < 0 or here.is_killed:
            seen = Health(context.clock(), None, ())
        elif seen is None or seen.state is None:
            seen = guardrails.read(context, watch)
        end = _end(context, setup.experiment, seen)
        state = ramp.state(end, look=looks)
        move = next_move(state, seen.evidence(acts=acts), context.clock())
        if move.kind is Kind.WIDEN:
            ramp.widen(move, seen.to_dict(), AUTHOR)
        elif move.kind is Kind.KILL:
            ramp.kill(move.why, PARIBUS)
        elif move.kind is Kind.HOLD:
            raise Waiting(move.why, until=move.until)
        else:
            why, now, early = move.why, context.clock(), seen.to_dict()["early_indicators"]
            ended = {"time": now.isoformat(), "why": why, "early_indicators": early}
            noted = context.once("ended", lambda: ended)  # noqa: B023 - called at once
            until = datetime.fromisoformat(noted["time"])
            seen = guardrails.read(context, watch, judge=False, until=until)
            end = _end(context, setup.experiment, seen)
            return _artifact(context, setup, ramp, seen, end, noted, watch)


def present(artifact: Artifact) -> list[Block]:
    """Traffic over time, then each move with who made it and why."""
    facts = RolloutFacts.model_validate(artifact.facts)
    blocks: list[Block] = []
    if facts.moves:
        blocks.append(
            Picture(
                traffic_chart([(move.time, move.to_bp, move.stage) for move in facts.moves], facts.ended_at),
                "Share of traffic in the experiment",
                "traffic",
            )
        )
    blocks += [
        Table(
            ("when", "stage", "traffic", "who or what", "why", "revision"),
            [
                (
                    move.time[:16].replace("T", " "),
                    move.stage,
                    f"{move.from_bp / 100:g}% → {move.to_bp / 100:g}%",
                    move.actor,
                    move.reason.removeprefix(f"stage {move.stage}: "),
                    f"{move.revision:,}",
                )
                for move in facts.moves
            ],
            caption="Every move of traffic",
            right=("traffic", "revision"),
        ),
        Heading("What the guardrails said"),
        Table(
            ("at", "guard", "what it found"),
            [row for each in facts.health for row in _said(each)],
            caption=f"Read before each move and at the end. {EVIDENCE}",
        ),
    ]
    if facts.beta:
        left = ", ".join(f"{count:,} {reason}" for reason, count in facts.beta["left_out"].items()) or "none"
        blocks += [
            Heading("Volunteers"),
            Paragraph(
                f"{facts.beta['admitted']:,} of at most {facts.beta['cap']:,} volunteers had the treatment, "
                f"{facts.beta['waiting']:,} waited. Units that the analysis leaves out because nobody drew them, by "
                f"reason: {left}."
            ),
        ]
    blocks += indicator_blocks(facts.early_indicators)
    if facts.stopped:
        blocks.append(Paragraph(f"**It ended early**: {facts.stopped}."))
    return blocks


def _said(health: Json) -> list[tuple[str, str, str]]:
    """One row for each guard; the first names the time and the units."""
    at = health["as_of"][:16].replace("T", " ") if health["as_of"] else "before anybody"
    units = ", ".join(f"{count:,} {arm}" for arm, count in health["units"].items()) or "no units"
    when = f"{health['stage']}, {at}: {units}"
    if not any(health["units"].values()) or not health["findings"]:
        return [(when, "all", "no units to read yet")]
    return [
        (when if first else "", str(found["what"]).replace("_", " "), without_name(found))
        for first, found in zip([True] + [False] * len(health["findings"]), health["findings"], strict=False)
    ]


def _end(context: Context, experiment: str, seen: Health) -> datetime | None:
    """When the last unit's window closes, from the first exposure; None before anybody was exposed."""
    first = guardrails.first_exposure(seen.state)
    if first is None:
        return None
    design = context.operations.experiment(experiment).design
    return last_window(design, planned_end(design.plan, design.plan.start or first))


def _watch(setup: SetupFacts) -> Watch:
    return Watch(
        experiment=setup.experiment,
        flag=setup.flag,
        environment=setup.environment,
        control=setup.control,
        weights=setup.weights,
        guards=tuple(setup.guards),
    )


def _artifact(
    context: Context, setup: SetupFacts, ramp: Ramp, seen: Health, end: datetime | None, noted: Json, watch: Watch
) -> Artifact:
    entered, moved = ramp.entered, ramp.moves()
    killed = next((each for each in moved if each.killed and not each.was_killed), None)
    invalid = seen.evidence(acts=True).invalid
    noticed = datetime.fromisoformat(noted["time"])
    reached = end if end is not None and killed is None and noticed >= end else None
    ended = killed.time if killed is not None else reached or noticed
    stopped = killed.reason if killed is not None else invalid
    first = guardrails.first_exposure(seen.state)
    unattended = killed is not None and killed.actor == PARIBUS
    facts = RolloutFacts(
        moves=_moves(entered, moved),
        ended_at=ended.isoformat(),
        stopped=stopped,
        rolled_back=killed is not None,
        first_exposure=first.isoformat() if first is not None else "",
        planned_end=end.isoformat() if end is not None else "",
        health=_health(entered, seen, killed),
        early_indicators=tuple(
            noted.get("early_indicators")
            or next((e for each in reversed(entered) if (e := each.health.get("early_indicators"))), ())
        ),
        unattended=unattended,
        beta=context.once("beta", lambda: _beta(ramp, seen)),
    )
    return context.artifact(
        SLUG,
        _summary(context, facts, seen, str(noted["why"])),
        facts,
        evidence={
            "moves": Evidence(
                kind="source",
                title="The revisions of the flag, and the stages that were entered",
                statement=f"paribus flag show {setup.flag} --history",
                data=f"flag {setup.flag}, revisions {', '.join(str(move.revision) for move in facts.moves)}",
            ),
            "indicators": Evidence(
                kind="result",
                title="Leading metrics of the plan as last read, each by a sequence that holds at all times",
                statement=f"paribus analyze {setup.experiment}",
                data=f"as of {noted['time']}",
            ),
            "guardrails": Evidence(
                kind="sql",
                title="Units and errors by arm, from exposures and events of the lake",
                statement=f"the first randomized exposure of each unit to {setup.flag} in {setup.environment}, and "
                f"units with one of {', '.join(watch.guards[0].events)} after it; e-process of shares, budget "
                f"{watch.guards[0].budget:g}",
                data=f"as of {noted['time']}",
            ),
        },
        assumptions=(
            "A unit that was in traffic stays in, with its variant: stages can be pooled, stratified by epoch.",
            "A kill closes enrollment at its revision's time; what was measured before it counts.",
            "Staff and volunteers before the first randomized stage are counted apart and never analyzed.",
        ),
        checks=_checks(facts, seen, killed),
    )


def _beta(ramp: Ramp, seen: Health) -> Json:
    """The volunteers, and how many of their and other fixed exposures the analysis leaves out."""
    found = ramp.beta
    if found is None:
        return {}
    reasons = seen.state.reasons if seen.state is not None else {}
    return {
        "cap": found.beta.cap_units,
        "admitted": len(found.admitted),
        "waiting": len(found.waiting),
        "opened": found.beta.opened,
        "left_out": dict(sorted(reasons.items())),
        "evidence": "guardrails",
    }


def _moves(entered: list[Entered], moved: list[Moved]) -> tuple[Move, ...]:
    by_revision = {each.revision: each for each in entered}
    found = [
        Move(
            time=each.time.isoformat(),
            stage=by_revision[each.revision].name if each.revision in by_revision else _word(each),
            from_bp=each.from_bp,
            to_bp=each.to_bp,
            actor=each.actor,
            reason=each.reason,
            revision=each.revision,
            evidence="guardrails",
        )
        for each in moved
    ]
    known = {each.revision for each in moved}
    found += [
        Move(
            time=each.time,
            stage=each.name,
            from_bp=each.traffic_bp,
            to_bp=each.traffic_bp,
            actor=AUTHOR,
            reason=each.reason,
            revision=each.revision,
            evidence="moves",
        )
        for each in entered
        if each.revision not in known
    ]
    return tuple(sorted(found, key=lambda move: (move.time, move.revision)))


def _word(moved: Moved) -> str:
    if moved.killed:
        return "killed"
    return "revived" if moved.was_killed else "by hand"


def _health(entered: list[Entered], seen: Health, killed: Moved | None) -> tuple[Json, ...]:
    at_moves = [{"stage": f"before {each.name}", **each.health, "evidence": "guardrails"} for each in entered[1:]]
    last = "after the kill" if killed is not None else "at the end"
    return (*at_moves, {"stage": last, **seen.to_dict(), "evidence": "guardrails"})


def _checks(facts: RolloutFacts, seen: Health, killed: Moved | None) -> tuple[Outcome, ...]:
    invalid = seen.evidence(acts=True).invalid
    concerns = [each.message for each in seen.findings if not each.is_well and each.what != "sample_ratio"]
    return (
        Outcome(
            name="Rolled back" if killed is not None else "Ran to its end",
            status="warned" if killed is not None or facts.stopped else "passed",
            message=f"{killed.actor} killed the flag: {killed.reason}"
            if killed is not None
            else facts.stopped or "no guardrail stopped it",
            blocking=False,
            evidence="moves",
        ),
        Outcome(
            name="Sample ratio",
            status="failed" if invalid else "passed",
            message=invalid or "units fit the sealed split at every look",
            blocking=False,
            evidence="guardrails",
        ),
        Outcome(
            name="Guardrails",
            status="warned" if concerns else "passed",
            message="; ".join(concerns) or "no guardrail shows harm",
            blocking=False,
            evidence="guardrails",
        ),
    )


def _summary(context: Context, facts: RolloutFacts, seen: Health, why: str) -> str:
    units = sum(seen.state.tally.units().values()) if seen.state is not None else 0
    widest = max((move.to_bp for move in facts.moves), default=0)
    stages = len([move for move in facts.moves if move.stage not in {"killed", "revived"}])
    said = (
        f"{context.feature.key} went through {stages} stages up to {widest / 100:g}% of traffic; "
        f"{units:,} units met the difference. "
    )
    if facts.rolled_back:
        who = "Paribus rolled it back by itself, with nobody at the keyboard"
        who = who if facts.unattended else "It was rolled back"
        return said + f"{who}: {facts.stopped.rstrip('.')}."
    if facts.stopped:
        return said + f"It was stopped, because the experiment cannot be read any more: {facts.stopped.rstrip('.')}."
    ended = "the sealed rule has decided" if why.startswith("the sealed rule has decided") else why.rstrip(".")
    concerns = [each for each in seen.findings if not each.is_well]
    return said + f"It ended because {ended}{'' if concerns else '; no guardrail showed harm'}."
