"""How a feature is walked on for an agent: in this process, or in one of its own that outlives the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from paribus.app.feature import workshop
from paribus.app.feature_run import Runs
from paribus.errors import ParibusError

if TYPE_CHECKING:
    from paribus.settings import Settings

Json = dict[str, Any]
Tick = Callable[[], None]
PATIENCE_SECONDS = 45.0
"""An agent's call is answered after this long; the run goes on, and `show` tells how far it is."""


class Run(Protocol):
    """Walks a feature up to a step and says why it stopped, or that it goes on."""

    def __call__(self, key: str, until: str, author: str, tick: Tick) -> Json: ...


def here(settings: Settings) -> Run:
    """Runs in this process, until it stops; for steps that need no server."""

    def run(key: str, until: str, author: str, tick: Tick) -> Json:
        with workshop(settings, create=False) as shop:
            stop = shop.run(key, until=until, told=lambda slug, what, seconds: tick(), author=author)
        return {"stopped": stop.kind, "step": stop.step, "message": stop.message, "until": _iso(stop.until)}

    return run


def apart(runs: Runs, *, patience: float = PATIENCE_SECONDS) -> Run:
    """Runs in a process of its own."""

    def run(key: str, until: str, author: str, tick: Tick) -> Json:
        runs.start(key, until=until, author=author)
        state = runs.wait(key, patience, tick)
        if state is None or state.is_running:
            return {"running": True, "message": f"it goes on; show(feature={key!r}) tells how far it is"}
        if "error" in state.answer:
            raise _error(state.answer["error"])
        answer = state.answer
        return {"stopped": answer["kind"], **{name: answer[name] for name in ("step", "message", "until")}}

    return run


def _iso(time: Any) -> str | None:
    return time.isoformat() if time else None


def _error(fields: Json) -> ParibusError:
    error = ParibusError(
        str(fields.get("what", "the run failed")),
        where=fields.get("where"),
        rule=fields.get("rule"),
        fix=fields.get("fix"),
    )
    error.code = fields.get("code", error.code)  # type: ignore[misc]
    return error
