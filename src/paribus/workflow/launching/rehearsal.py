"""The kill switch, rehearsed for real: a client in staging sees the control, timed, and the treatment again."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.errors import TransientError
from paribus.workflow.context import Endpoint
from paribus.workflow.validation.staging import STAGING, Door, ask, key

Json = dict[str, Any]
Once = Callable[[str, Callable[[], Json]], Json]
SOURCE = "rehearsal"
UNITS = 200
ROUNDS = 3
PATIENCE_SECONDS = 30.0


def rehearse(endpoint: Endpoint, flag: str, control: str, attributes: Json, once: Once) -> Json:
    """Kills and revives the flag in staging, `ROUNDS` times; how long the client took to follow, each time.

    The flag ends revived. Each round is two revisions of the flag, which production does not feel. Everything runs
    through `once`, and an order given twice writes no second revision: a rehearsal that was cut off goes on. The time
    of an order that was given before the cut is not known: None.

    Raises:
        TransientError: the client did not follow.
    """
    once("rehearsal/begun", partial(_begun, endpoint, flag))
    with (
        key(endpoint, "server", SOURCE) as door,
        # a client that closed under load may still put its cache away
        TemporaryDirectory(prefix="paribus-rehearsal-", ignore_cleanup_errors=True) as folder,
    ):
        return _rounds(endpoint, door, Path(folder), flag, control, attributes, once)


def _rounds(
    endpoint: Endpoint, door: Door, folder: Path, flag: str, control: str, attributes: Json, once: Once
) -> Json:
    from paribus_sdk import Client

    units = [f"rehearsal-{number:03d}" for number in range(UNITS)]
    with Client(door.url, door.secret, cache_dir=folder) as client:
        if not client.ready(PATIENCE_SECONDS):
            raise TransientError("the client got no definitions", where=door.url, fix="see the server's log")

        def treated() -> Json:
            return {"units": sum(client.peek(flag, unit=unit, context=attributes).variant != control for unit in units)}

        def served() -> set[str | None]:
            return {client.peek(flag, unit=unit, context=attributes).variant for unit in units}

        def is_open() -> bool:
            return served() - {control} != set()

        def is_shut() -> bool:
            return served() == {control}

        before = once("rehearsal/before", treated)["units"]
        kills: list[float | None] = []
        revivals: list[float | None] = []
        for number in range(1, ROUNDS + 1):
            for order, times, has_followed in (("kill", kills, is_shut), ("revive", revivals, is_open)):
                took = once(f"rehearsal/{number}/{order}", partial(_timed, endpoint, flag, order, has_followed))
                times.append(took["seconds"])
        revision = int(ask(endpoint, "GET", f"/api/v1/flags/{flag}")["revision"])
        after = treated()["units"]
    return {
        "environment": STAGING,
        "rounds": ROUNDS,
        "units": UNITS,
        "treated_before": before,
        "treated_while_killed": 0,
        "treated_after": after,
        "kill_seconds": kills,
        "slowest_kill_seconds": max((each for each in kills if each is not None), default=PATIENCE_SECONDS),
        "revive_seconds": revivals,
        "revision": revision,
    }


def _begun(endpoint: Endpoint, flag: str) -> Json:
    _switch(endpoint, flag, "revive", "a rehearsal begins")
    return {}


def _timed(endpoint: Endpoint, flag: str, order: str, followed: Callable[[], bool]) -> Json:
    if followed():
        return {"seconds": None}
    began = time.monotonic()
    _switch(endpoint, flag, order, f"rehearsal of the kill switch: {order}")
    while not followed():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TransientError(
                f"{PATIENCE_SECONDS:g} s after {order}, the client has not followed",
                where=f"flag {flag}, {STAGING}",
                fix="see whether the client's stream reaches the server",
            )
        time.sleep(0.002)
    return {"seconds": round(time.monotonic() - began, 4)}


def _switch(endpoint: Endpoint, flag: str, order: str, reason: str) -> None:
    ask(endpoint, "POST", f"/api/v1/flags/{flag}/{order}", {"environment": STAGING, "reason": reason})
