"""The hands of the rollout: each move is one revision of the flag, with its reason; doing it twice writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from paribus.flags import change
from paribus.store import Revision, Store

AUTHOR = "paribus"
Json = dict[str, Any]


class Change(Protocol):
    """Writes a document after one pure step, as `Operations.change` and the installation do."""

    def __call__(self, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision: ...


def kill(write: Change, flag: str, environment: str, *, reason: str, author: str = AUTHOR) -> Revision:
    """Everyone gets the control from the next evaluation on; a flag that is killed already keeps its revision."""
    return write("flag", flag, lambda body: change.killed(flag, body, environment), author=author, reason=reason)


def ramp(
    write: Change,
    flag: str,
    environment: str,
    traffic_bp: int,
    *,
    reason: str,
    author: str = AUTHOR,
    rule: str | None = None,
) -> Revision:
    """Another share of traffic; the split stays, so that no unit changes its variant."""
    return write(
        "flag",
        flag,
        lambda body: change.ramped(flag, body, environment, traffic_bp, rule),
        author=author,
        reason=reason,
    )


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
