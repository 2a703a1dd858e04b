"""The walk through the sixteen steps: make what is missing or stale, stop where a person or time is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paribus.workflow.artifact import Artifact
from paribus.workflow.context import Context, Feature
from paribus.workflow.dossier import Dossier, State, StepState
from paribus.workflow.roles.limits import refuse_foreign
from paribus.workflow.step import STEPS, Step, named
from paribus.workflow.waiting import Waiting

MakeContext = Callable[[Feature, Step], Context]
Ask = Callable[[StepState, Artifact], bool | None]
"""Asked where an approval is needed: True agrees, False rejects, None leaves it open."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a walk came to an end.

    kind     done: all sixteen · until: the step that was asked for · approval, rejected, blocked: a person is needed
             · waiting: time has to pass (`until`)
    """

    kind: Literal["done", "until", "approval", "rejected", "blocked", "waiting"]
    step: str
    message: str
    until: datetime | None = None


def next_stop(dossier: Dossier, key: str, until: str | None = None) -> Stop | StepState:
    """Where the walk stands: the step to make next, or why it stops. Reads only."""
    last = named(until).number if until else len(STEPS)
    for state in dossier.states(key):
        step = state.step
        if step.number > last:
            break
        if state.state in {State.OPEN, State.STALE}:
            return state
        if state.state is State.BLOCKED:
            return Stop("blocked", step.slug, state.reason)
        if state.state is State.REJECTED:
            return Stop("rejected", step.slug, state.reason)
        if state.state is State.APPROVAL:
            return Stop("approval", step.slug, f"the {step.artifact} waits for approval {state.reason}".rstrip())
    if until and last < len(STEPS):
        return Stop("until", until, f"the {named(until).artifact} is there")
    return Stop("done", STEPS[-1].slug, "all sixteen steps are done")


def make(dossier: Dossier, key: str, slug: str, context: MakeContext, *, author: str) -> str:
    """Makes a step's artifact unless it is there and current; its hash.

    Raises:
        Waiting: time has to pass first.
    """
    state = next(each for each in dossier.states(key) if each.step.slug == slug)
    if state.state not in {State.OPEN, State.STALE}:
        return state.hash
    feature, _ = dossier.feature(key)
    made = state.step.run(context(feature, state.step))
    refuse_foreign(made, state.step)
    return dossier.save(made, author=author)


def decide(dossier: Dossier, key: str, stop: Stop, *, auto: bool, ask: Ask | None, author: str) -> bool:
    """Whether the walk may go on past a stop for approval."""
    if stop.kind != "approval" or dossier.feature(key)[1].approvals.by_role.get(stop.step):
        return False  # roles are people: nobody agrees for them
    if auto:
        dossier.approve(key, stop.step, author=author, why="approved automatically")
        return True
    if ask is None:
        return False
    state = next(each for each in dossier.states(key) if each.step.slug == stop.step)
    answer = ask(state, dossier.artifact(key, stop.step))
    if answer is None:
        return False
    if answer:
        dossier.approve(key, stop.step, author=author, why="approved when asked")
    else:
        dossier.reject(key, stop.step, author=author, why="rejected when asked")
    return answer


def waiting(slug: str, error: Waiting) -> Stop:
    """The stop that a waiting step causes."""
    return Stop("waiting", slug, error.why, error.until)
