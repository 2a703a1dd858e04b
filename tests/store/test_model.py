"""Long random histories beside a model that is a dictionary of lists."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.store.conftest import HandClock

from paribus.errors import InputError, NotFound
from paribus.store import Address, StaleWrite, Store, restore

KEYS = [Address("default", kind, key) for kind in ("flag", "metric") for key in ("a", "b", "c")]
Model = dict[Address, list[dict[str, Any] | None]]
REDACTED = {"redacted": True}


def step(store: Store, model: Model, chance: random.Random, i: int) -> None:
    address = chance.choice(KEYS)
    bodies = model[address]
    live = bool(bodies) and bodies[-1] is not None
    action = chance.choice(["put", "put", "put", "stale", "remove", "redact"])
    if action == "put":
        number = store.put(address, {"i": i}, author="ann", reason="r", expected=len(bodies)).number
        bodies.append({"i": i})
        assert number == len(bodies)
    elif action == "stale":
        wrong = chance.choice([n for n in range(len(bodies) + 2) if n != len(bodies) and (live or n != 0)])
        with pytest.raises(StaleWrite):
            store.put(address, {"i": i}, author="ann", reason="r", expected=wrong)
    elif action == "remove" and live:
        store.put(address, None, author="ann", reason="r", expected=len(bodies))
        bodies.append(None)
    elif action == "remove":
        with pytest.raises(NotFound):
            store.put(address, None, author="ann", reason="r", expected=len(bodies))
    elif bodies:
        number = chance.randrange(len(bodies))
        if number == len(bodies) - 1 or bodies[number] is None:
            with pytest.raises(InputError):
                store.redact(address, number + 1, author="dpo", reason="r")
        else:
            store.redact(address, number + 1, author="dpo", reason="r")
            bodies[number] = REDACTED


def agree(store: Store, model: Model) -> None:
    for address, bodies in model.items():
        told = [REDACTED if each.redacted else each.body for each in store.history(address)]
        assert told == bodies
        current = store.find(address)
        assert (current.body if current else None) == (bodies[-1] if bodies else None)
    for kind in ("flag", "metric"):
        live = [a for a, bodies in sorted(model.items()) if a.kind == kind and bodies and bodies[-1] is not None]
        assert [revision.address for revision in store.list("default", kind)] == live
    report = store.verify_chain("default")
    assert report.is_intact, report.sentences
    assert len(report.redacted) == sum(bodies.count(REDACTED) for bodies in model.values())
    assert report.revisions == store.position("default") == len(store.changes("default", 0))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_history_is_what_the_model_says(store: Store, seed: int, tmp_path: Path, clock: HandClock) -> None:
    chance = random.Random(seed)
    model: Model = {address: [] for address in KEYS}
    for i in range(80):
        clock.move(seconds=chance.choice([-5, 1, 60]))  # clocks go backward, too
        step(store, model, chance, i)
    agree(store, model)
    copy = restore(store.backup(tmp_path / "b.jsonl"), tmp_path / "copy.sqlite", clock=clock)
    agree(copy, model)
    copy.close()
