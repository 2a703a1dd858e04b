"""Moves read back from a flag's revisions, and the hands that make them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paribus.flags import change
from paribus.rollout import act
from paribus.rollout.history import moves
from paribus.store import Address, Revision, open_store

Json = dict[str, Any]
FLAG = Address("default", "flag", "f")


def test_each_move_is_one_revision_and_reads_back(tmp_path: Path) -> None:
    now = [datetime(2026, 6, 1, tzinfo=UTC)]
    store = open_store(tmp_path / "definitions.sqlite", clock=lambda: now[0])
    store.put(FLAG, change.create("f", environment="prod", traffic_bp=0), author="a", reason="made", expected=0)

    def write(
        kind: str, key: str, step: Callable[[dict[str, Any]], dict[str, Any]], *, author: str, reason: str
    ) -> Revision:
        current = store.get(Address("default", kind, key))
        body = step(dict(current.body or {}))
        now[0] += timedelta(hours=1)
        if body == current.body:
            return current
        return store.put(current.address, body, author=author, reason=reason, expected=current.number)

    staff = {"id": "dogfood", "when": {"attribute": "staff", "op": "equals", "value": True}, "variant": "treatment"}
    act.enter(write, "f", "prod", 0, reason="dogfood", first=staff)
    act.enter(write, "f", "prod", 0, reason="dogfood", first=staff)  # made again, nothing is written
    act.enter(write, "f", "prod", 500, reason="beta", remove=["dogfood"])
    act.kill(write, "f", "prod", reason="errors")
    act.kill(write, "f", "prod", reason="errors")
    act.revive(write, "f", "prod", reason="it was the network", author="kari")
    history = store.history(FLAG)
    assert [revision.reason for revision in history] == ["made", "dogfood", "beta", "errors", "it was the network"]
    assert [rule["id"] for rule in (history[1].body or {})["environments"]["prod"]["rules"]] == ["dogfood", "everyone"]
    assert [rule["id"] for rule in (history[2].body or {})["environments"]["prod"]["rules"]] == ["everyone"]
    found = moves(history, "prod", after=1)
    assert [(each.from_bp, each.to_bp, each.actor, each.revision, each.killed) for each in found] == [
        (0, 500, "paribus", 3, False),
        (500, 0, "paribus", 4, True),
        (0, 500, "kari", 5, False),
    ]
    assert not act.is_killed(store, "f", "prod")
    store.close()
