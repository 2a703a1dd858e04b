"""Where a rollout stands, what is known, and what is done next: values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the plan: `traffic_bp` of the audience, held at least `hold`.

    Attributes:
        in_analysis: whether its units are randomized ones; a stage of staff or volunteers asks for none.
        min_units: units that each arm must have before traffic widens beyond it.
    """

    name: str
    traffic_bp: int
    hold: timedelta
    in_analysis: bool = True
    min_units: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Where the rollout stands.

    Attributes:
        stages: the plan, traffic never falling.
        at: place of the current stage; -1 before the first.
        entered: when the current stage began.
        traffic_bp: traffic in force.
        end: the planned end of the experiment; None has none.
        is_killed: the flag is killed, by whomever.
        look: how often the last stage is read before its end; None: at the end only.
    """

    stages: tuple[Stage, ...]
    at: int
    entered: datetime | None
    traffic_bp: int
    end: datetime | None = None
    is_killed: bool = False
    look: timedelta | None = None

    @property
    def stage(self) -> Stage | None:
        """The current stage."""
        return self.stages[self.at] if 0 <= self.at < len(self.stages) else None

    @property
    def following(self) -> Stage | None:
        """The next stage of the plan; None at the last."""
        return self.stages[self.at + 1] if self.at + 1 < len(self.stages) else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the guardrails say, as of a time up to which everything that arrived was read.

    Attributes:
        as_of: the time of reading; None: nothing was read.
        units: fewest units of an arm since the experiment began.
        harm: why harm is shown against control; "" when it is not.
        invalid: why the experiment cannot be read any more, such as its sample ratio; "" when it can.
        concern: why traffic must not widen though nothing is proven; "" for none.
        decided: why the plan's own rule has decided; "" while it has not. It ends the last stage only.
    """

    as_of: datetime | None
    units: int = 0
    harm: str = ""
    invalid: str = ""
    concern: str = ""
    decided: str = ""


class Kind(StrEnum):
    """What is done."""

    KILL = "kill"
    WIDEN = "widen"
    HOLD = "hold"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Move:
    """What is done next.

    Attributes:
        kind: kill the flag · widen to `stage` · hold until `until` (None: until the evidence changes) · finish.
        traffic_bp: traffic after the move.
        why: one sentence.
    """

    kind: Kind
    traffic_bp: int
    why: str
    stage: Stage | None = None
    until: datetime | None = None
