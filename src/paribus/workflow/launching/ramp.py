"""The ramp of a feature: its plan, where it stands, and the moves that were made, by whomever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from paribus.rollout import act
from paribus.rollout.beta import Standing, open_beta, standing
from paribus.rollout.history import Moved, moves
from paribus.rollout.record import ENTERED, Entered
from paribus.rollout.state import Move, Stage, State
from paribus.store import DEFAULT_PROJECT, Address
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import Stage as Planned
from paribus.workflow.facts.launch import SetupFacts

Json = dict[str, Any]
LEAST_UNITS = 100
"""Units that each arm has before traffic widens, where the stage was expected to bring so many."""
LOOK = timedelta(days=7)


def plan(planned: Sequence[Planned], arms: int) -> tuple[Stage, ...]:
    """The stages as the rollout's rule reads them."""
    return tuple(
        Stage(
            each.name,
            each.traffic_bp,
            timedelta(hours=each.hold_hours),
            each.in_analysis,
            _least(each, arms) if each.in_analysis else 0,
        )
        for each in planned
    )


class Ramp:
    """The rollout of one experiment, as the store knows it."""

    def __init__(self, context: Context, setup: SetupFacts, planned: Sequence[Planned], round_: int) -> None:
        self.context = context
        self.setup = setup
        self.planned = tuple(planned)
        self.stages = plan(planned, len(setup.arms))
        self._round = round_
        self._records = context.store.records(ENTERED)

    @property
    def entered(self) -> list[Entered]:
        """The stages entered so far, in order."""
        found = self._records.scan(DEFAULT_PROJECT, self.setup.experiment, self._round)
        return sorted(found, key=lambda each: each.place)

    def state(self, end: datetime | None, *, look: bool) -> State:
        """Where it stands now."""
        entered = self.entered
        last = entered[-1] if entered else None
        return State(
            self.stages,
            last.place if last is not None else -1,
            datetime.fromisoformat(last.time) if last is not None else None,
            self._traffic(),
            end,
            act.is_killed(self.context.store, self.setup.flag, self.setup.environment),
            LOOK if look else None,
        )

    def widen(self, move: Move, health: Json, author: str) -> None:
        """Enters the move's stage by one revision of the flag, and writes it down."""
        place = self.stages.index(move.stage) if move.stage is not None else 0
        stage = self.planned[place]
        reason = f"stage {stage.name}: {move.why}"
        if stage.cap_units:
            open_beta(
                self.context.store,
                self.setup.environment,
                self.setup.flag,
                clock=self.context.clock,
                author=author,
            )
        revision = act.enter(
            self.context.operations.change,
            self.setup.flag,
            self.setup.environment,
            stage.traffic_bp,
            reason=reason,
            first=stage.rule,
            remove=[each.rule["id"] for each in self.planned if each.rule and each.name != stage.name],
            author=author,
        )
        mine = revision.reason == reason
        time = revision.time if mine else self.context.clock()
        self._records.upsert(
            Entered(
                DEFAULT_PROJECT,
                self.setup.experiment,
                self._round,
                place,
                stage.name,
                time.isoformat(),
                stage.traffic_bp,
                revision.number,
                reason,
                health,
            )
        )

    @property
    def beta(self) -> Standing | None:
        """The volunteers; None where the beta is randomized."""
        if not any(each.cap_units for each in self.planned):
            return None
        return standing(self.context.store, self.setup.environment, self.setup.flag)

    def kill(self, why: str, author: str) -> None:
        """Everyone gets the control, by one revision."""
        act.kill(self.context.operations.change, self.setup.flag, self.setup.environment, reason=why, author=author)

    def moves(self) -> list[Moved]:
        """What happened to traffic since the first stage was entered."""
        entered = self.entered
        after = (entered[0].revision - 1) if entered else 1 << 60
        history = self.context.store.history(Address(DEFAULT_PROJECT, "flag", self.setup.flag))
        return moves(history, self.setup.environment, after=after)

    def _traffic(self) -> int:
        from paribus.flags.change import rollout_of

        found = self.context.operations.find("flag", self.setup.flag)
        body = dict((found.body if found is not None else None) or {})
        return rollout_of(self.setup.flag, body, self.setup.environment)[1].traffic_bp


def _least(stage: Planned, arms: int) -> int:
    """A hundred units per arm, or a quarter of those that the stage should bring where that is less."""
    if stage.units_per_day is None:
        return LEAST_UNITS
    expected = stage.units_per_day * stage.hold_hours / 24 / max(arms, 1)
    return min(LEAST_UNITS, int(expected / 4))
