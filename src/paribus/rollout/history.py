"""What happened to a flag's traffic in one environment, from its revisions: the record of moves, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from paribus.store import Revision


@dataclass(frozen=True, slots=True)
class Moved:
    """A revision that changed traffic, or killed or revived the flag."""

    time: datetime
    from_bp: int
    to_bp: int
    actor: str
    reason: str
    revision: int
    killed: bool
    """Whether the flag is killed after it."""
    was_killed: bool


def moves(history: Iterable[Revision], environment: str, *, after: int = 0) -> list[Moved]:
    """The moves of a flag after a revision, oldest first; a killed flag has no traffic."""
    found: list[Moved] = []
    traffic, killed = 0, False
    for revision in history:
        now_traffic, now_killed = _state(revision, environment)
        if revision.number > after and (now_traffic, now_killed) != (traffic, killed):
            found.append(
                Moved(
                    revision.time,
                    0 if killed else traffic,
                    0 if now_killed else now_traffic,
                    revision.author,
                    revision.reason,
                    revision.number,
                    now_killed,
                    killed,
                )
            )
        traffic, killed = now_traffic, now_killed
    return found


def _state(revision: Revision, environment: str) -> tuple[int, bool]:
    state = (revision.body or {}).get("environments", {}).get(environment, {})
    killed = bool(state.get("killed", False)) or not state.get("enabled", True) or revision.body is None
    shares = [rule["rollout"].get("traffic_bp", 0) for rule in state.get("rules", ()) if rule.get("rollout")]
    return max(shares, default=0), killed
