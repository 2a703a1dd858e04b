"""The one rule of the rollout, pure: state and evidence and now in, one move out.

In this order: a killed flag ends it; proven harm kills; an invalid or decided experiment ends it, as does its planned
end; a concern holds traffic where it is; else traffic widens one stage when the hold time is over and the evidence is
fresh and large enough. At the last stage it is read again after `State.look`, until the planned end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from paribus.errors import InputError
from paribus.rollout.state import Evidence, Kind, Move, State

RETRY = timedelta(hours=6)
"""How long a hold lasts at least when the evidence was too small or a level was broken."""


def next_move(state: State, evidence: Evidence, now: datetime) -> Move:
    """What is done next; widens by one stage at most.

    Raises:
        InputError: the plan's traffic falls from one stage to the next.
    """
    _refuse_falling(state)
    here = state.traffic_bp
    if state.is_killed:
        return Move(Kind.FINISH, 0, "the flag is killed")
    if evidence.harm:
        return Move(Kind.KILL, 0, evidence.harm)
    if state.at < 0:
        first = state.stages[0]
        return Move(Kind.WIDEN, first.traffic_bp, f"the rollout begins with {first.name}", first)
    if evidence.invalid:
        return Move(Kind.FINISH, here, evidence.invalid)
    if evidence.decided and state.following is None:
        return Move(Kind.FINISH, here, evidence.decided)
    if state.end is not None and now >= state.end:
        return Move(Kind.FINISH, here, "the planned end is reached")
    until, following = _held_until(state), state.following
    if following is None and state.end is not None:
        look = state.end if state.look is None else _earlier(now + state.look, state.end)
        return Move(Kind.HOLD, here, f"{_name(state)} runs to the planned end", until=look)
    if until is not None and now < until:
        return Move(Kind.HOLD, here, f"{_name(state)} is held", until=_earlier(until, state.end))
    if following is None:
        return Move(Kind.FINISH, here, "the last stage of the plan is over")
    missing = _missing(state, evidence, until)
    if missing:
        return Move(Kind.HOLD, here, missing, until=_again(now, state.end))
    stage = state.stage
    is_analyzed = stage is not None and stage.in_analysis
    seen = (
        f"no guardrail shows harm in at least {evidence.units:,} units per arm"
        if is_analyzed
        else "nothing speaks against it"
    )
    why = f"{_name(state)} was held for its time, and {seen}"
    return Move(Kind.WIDEN, following.traffic_bp, why, following)


def _missing(state: State, evidence: Evidence, until: datetime | None) -> str:
    """What keeps traffic from widening; "" when nothing does."""
    if evidence.concern:
        return evidence.concern
    if evidence.as_of is None or (until is not None and evidence.as_of < until):
        return f"the guardrails of {_name(state)} were not read to the end of its hold time"
    stage = state.stage
    if stage is not None and stage.in_analysis and evidence.units < stage.min_units:
        return f"{_name(state)} has {evidence.units:,} units in its smallest arm, {stage.min_units:,} are needed"
    return ""


def _held_until(state: State) -> datetime | None:
    stage = state.stage
    return None if stage is None or state.entered is None else state.entered + stage.hold


def _name(state: State) -> str:
    stage = state.stage
    return f"the stage {stage.name} ({state.traffic_bp / 100:g}% of traffic)" if stage else "the rollout"


def _again(now: datetime, end: datetime | None) -> datetime:
    """When a hold without a time of its own is looked at again: after a third of what is left."""
    return now + RETRY if end is None else min(now + max(RETRY, (end - now) / 3), end)


def _earlier(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else min(one, other)


def _refuse_falling(state: State) -> None:
    shares = [stage.traffic_bp for stage in state.stages]
    if not shares or shares != sorted(shares) or not all(0 <= share <= 10_000 for share in shares):
        raise InputError(
            f"the stages have traffic {', '.join(f'{share / 100:g}%' for share in shares) or 'none'}",
            where="rollout plan",
            rule="traffic is 0% to 100% and never falls from one stage to the next",
        )
