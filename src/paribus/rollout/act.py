"""The hands of the rollout: each move is one revision of the flag, with its reason; doing it twice writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from paribus.flags import change
from paribus.flags.document import check
from paribus.store import Revision, Store

AUTHOR = "paribus"
Json = dict[str, Any]


class Change(Protocol):
    """Writes a document after one pure step, as `Operations.change` and the installation do."""

    def __call__(self, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision: ...


def kill(write: Change, flag: str, environment: str, *, reason: str, author: str = AUTHOR) -> Revision:
    """Everyone gets the control from the next evaluation on; a flag that is killed already keeps its revision."""
    return write("flag", flag, lambda body: change.killed(flag, body, environment), author=author, reason=reason)


def enter(
    write: Change,
    flag: str,
    environment: str,
    traffic_bp: int,
    *,
    reason: str,
    first: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    author: str = AUTHOR,
) -> Revision:
    """A stage: its share of traffic, and the rule that it puts first; one revision. The split stays as it is.

    Args:
        write: writes the revision.
        flag, environment: where.
        traffic_bp: of the randomized share.
        reason: why traffic moves.
        first: a rule that stands before all others while the stage lasts.
        remove: ids of rules that earlier stages put first.
        author: who moves.
    """

    def step(body: Json) -> Json:
        moved = change.ramped(flag, body, environment, traffic_bp)
        state = dict(moved["environments"][environment])
        gone = {*remove, *((first["id"],) if first else ())}
        kept = [rule for rule in state.get("rules", ()) if rule["id"] not in gone]
        state["rules"] = [*((dict(first),) if first else ()), *kept]
        return check("flag", flag, {**moved, "environments": {**moved["environments"], environment: state}})

    return write("flag", flag, step, author=author, reason=reason)


def revive(write: Change, flag: str, environment: str, *, reason: str, author: str = AUTHOR) -> Revision:
    """Undoes a kill."""
    return write(
        "flag", flag, lambda body: change.killed(flag, body, environment, revive=True), author=author, reason=reason
    )


def is_killed(store: Store, flag: str, environment: str, *, project: str = "default") -> bool:
    """Whether the flag is killed there now."""
    from paribus.store import Address

    found = store.find(Address(project, "flag", flag))
    body = (found.body if found else None) or {}
    return bool(body.get("environments", {}).get(environment, {}).get("killed", False))
