"""The rollout's rule: what it must never do, whatever stands in state and evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.errors import InputError
from paribus.rollout.next_move import next_move
from paribus.rollout.state import Evidence, Kind, Move, Stage, State

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
HOURS = st.integers(0, 400).map(lambda hours: BEGIN + timedelta(hours=hours))
WORDS = st.sampled_from(["", "", "", "said so"])


@st.composite
def plans(draw: st.DrawFn) -> tuple[Stage, ...]:
    shares = sorted(draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=5)))
    return tuple(
        Stage(
            f"stage {place}",
            share,
            timedelta(hours=draw(st.integers(0, 72))),
            draw(st.booleans()),
            draw(st.integers(0, 200)),
        )
        for place, share in enumerate(shares)
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    stages = draw(plans())
    at = draw(st.integers(-1, len(stages) - 1))
    return State(
        stages,
        at,
        None if at < 0 else draw(HOURS),
        0 if at < 0 else stages[at].traffic_bp,
        draw(st.none() | HOURS),
        draw(st.booleans()),
        draw(st.none() | st.just(timedelta(days=1))),
    )


evidences = st.builds(
    Evidence,
    as_of=st.none() | HOURS,
    units=st.integers(0, 300),
    harm=WORDS,
    invalid=WORDS,
    concern=WORDS,
    decided=WORDS,
)


@settings(max_examples=150, deadline=None)
@given(states(), evidences, HOURS)
def test_it_widens_by_one_stage_of_the_plan_and_never_beyond(state: State, evidence: Evidence, now: datetime) -> None:
    move = next_move(state, evidence, now)
    assert 0 <= move.traffic_bp <= max(stage.traffic_bp for stage in state.stages)
    if move.kind is Kind.WIDEN:
        assert move.stage is state.stages[state.at + 1]
        assert move.traffic_bp == move.stage.traffic_bp >= state.traffic_bp
    elif move.kind is Kind.HOLD:
        assert move.traffic_bp == state.traffic_bp


@settings(max_examples=150, deadline=None)
@given(states(), evidences, HOURS)
def test_it_never_widens_without_evidence(state: State, evidence: Evidence, now: datetime) -> None:
    move = next_move(state, evidence, now)
    if move.kind is not Kind.WIDEN:
        return
    assert not state.is_killed
    assert not evidence.harm
    if state.at < 0:
        return
    stage, entered = state.stages[state.at], state.entered
    assert entered is not None
    assert not evidence.invalid
    assert not evidence.concern
    assert now >= entered + stage.hold
    assert evidence.as_of is not None
    assert evidence.as_of >= entered + stage.hold
    assert not stage.in_analysis or evidence.units >= stage.min_units
    assert state.end is None or now < state.end


@settings(max_examples=150, deadline=None)
@given(states(), evidences, HOURS)
def test_harm_kills_before_anything_else(state: State, evidence: Evidence, now: datetime) -> None:
    move = next_move(state, replace(evidence, harm="it errs"), now)
    assert move.kind is (Kind.FINISH if state.is_killed else Kind.KILL)
    assert move.traffic_bp == 0


@settings(max_examples=150, deadline=None)
@given(states(), evidences, HOURS)
def test_it_is_pure_and_a_hold_ends_in_the_future(state: State, evidence: Evidence, now: datetime) -> None:
    move = next_move(state, evidence, now)
    assert next_move(state, evidence, now) == move
    if move.kind is Kind.HOLD and move.until is not None:
        assert move.until > now


@settings(max_examples=150, deadline=None)
@given(plans(), evidences)
def test_waiting_as_long_as_it_says_always_comes_to_an_end(plan: tuple[Stage, ...], evidence: Evidence) -> None:
    """With evidence that is fresh and large enough, every plan runs through its stages to its planned end."""
    state = State(plan, -1, None, 0, BEGIN + timedelta(days=40))
    now = BEGIN
    seen: list[Move] = []
    for _ in range(100):
        move = next_move(state, Evidence(now, 1000), now)
        seen.append(move)
        if move.kind is Kind.FINISH:
            break
        if move.kind is Kind.WIDEN:
            state = State(plan, state.at + 1, now, move.traffic_bp, state.end)
        else:
            assert move.until is not None
            now = move.until
    assert seen[-1].kind is Kind.FINISH
    assert [move.stage for move in seen if move.kind is Kind.WIDEN] == list(plan)


def test_a_plan_whose_traffic_falls_is_refused() -> None:
    stages = (Stage("a", 1000, timedelta()), Stage("b", 500, timedelta()))
    with pytest.raises(InputError, match="10%, 5%"):
        next_move(State(stages, -1, None, 0), Evidence(None), BEGIN)


def test_the_last_stage_runs_to_the_end_unless_the_rule_decides() -> None:
    stages = (Stage("a", 1000, timedelta(hours=24)), Stage("b", 10_000, timedelta(hours=24)))
    end = BEGIN + timedelta(days=14)
    state = State(stages, 1, BEGIN, 10_000, end, look=timedelta(days=7))
    assert next_move(state, Evidence(BEGIN, 500), BEGIN).until == BEGIN + timedelta(days=7)
    decided = Evidence(BEGIN, 500, decided="ship")
    assert next_move(state, decided, BEGIN).kind is Kind.FINISH
    early = State(stages, 0, BEGIN, 1000, end)
    assert next_move(early, decided, BEGIN).kind is Kind.HOLD
    assert next_move(state, Evidence(end, 500), end).why == "the planned end is reached"
