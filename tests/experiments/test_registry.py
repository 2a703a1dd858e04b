"""Experiments and seals in a store, and the kill that closes enrollment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.experiments.lake_files import START, Shop

from paribus.errors import Conflict, DefinitionError, NotFound, PlanError, ProofError
from paribus.experiments.drafting import draft
from paribus.experiments.on_lake import Snapshot, analyze_on_lake
from paribus.experiments.registry import created_at, killed_at, save, seal_stored, stored, stored_seal
from paribus.flags.change import create, killed
from paribus.store import Address, Store, open_store

FLAG = create("new-checkout", environment="prod", salt=lambda: "s")
BODY = draft("new-checkout", "new-checkout", FLAG, "prod", success=["order_completed"], guardrails=["error:-5%"]).body


@dataclass
class Watch:
    time: datetime = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(tmp_path: Path, watch: Watch) -> Iterator[Store]:
    opened = open_store(tmp_path / "definitions.sqlite", clock=watch)
    yield opened
    opened.close()


def test_an_experiment_is_stored_found_and_checked(store: Store) -> None:
    revision = save(store, BODY, author="ada", reason="new", expected=0)
    assert (revision.number, str(revision.address.key)) == (1, "new-checkout")
    assert stored(store, "new-checkout").design.metrics[0].source == "order_completed"
    assert created_at(store, "new-checkout") == START
    with pytest.raises(Conflict):
        save(store, BODY, author="ada", reason="again", expected=0)
    with pytest.raises(DefinitionError, match="metrics"):
        save(store, {**BODY, "metrics": []}, author="ada", reason="wrong", expected=1)
    with pytest.raises(NotFound) as caught:
        stored(store, "new-checkot")
    assert "new-checkout" in (caught.value.fix or "")


def test_a_seal_in_the_store_says_what_was_readable(store: Store, watch: Watch, tmp_path: Path) -> None:
    save(store, BODY, author="ada", reason="new", expected=0)
    first = seal_stored(store, "new-checkout", clock=watch, author="ada")
    assert (first.timing, first.rows_readable, first.watermark) == ("sealed before data", 0, None)
    assert stored_seal(store, "new-checkout") == first
    with pytest.raises(PlanError, match="was sealed"):
        seal_stored(store, "new-checkout", clock=watch, author="ada")

    shop = Shop(tmp_path)
    shop.day(0, 60)
    shop.write()
    lake = Snapshot(tmp_path, "t", 3, tuple(shop.files), START + timedelta(days=9))
    found = analyze_on_lake(stored(store, "new-checkout"), lake, registered=first)
    assert found.registered
    assert found.deviations == ()

    wider = {**BODY, "plan": {"method": "anytime", "confidence_level": 0.9}}
    save(store, wider, author="ada", reason="wider", expected=1)
    deviating = analyze_on_lake(stored(store, "new-checkout"), lake, registered=first)
    assert any("confidence_level" in sentence for sentence in deviating.deviations)
    assert deviating.confidence_level == 0.95
    amended = seal_stored(store, "new-checkout", clock=watch, snapshot=lake, author="eve", amend="fewer users")
    exposures = sum(r["name"] == "$exposure" for r in shop.rows)
    assert (amended.timing, amended.rows_readable) == ("sealed after data", exposures)
    assert amended.watermark == lake.watermark
    assert [a.reason for a in amended.amendments] == ["fewer users"]


def test_an_edited_seal_is_found(store: Store, watch: Watch) -> None:
    save(store, BODY, author="ada", reason="new", expected=0)
    seal_stored(store, "new-checkout", clock=watch, author="ada")
    address = Address("default", "seal", "new-checkout")
    body = dict(store.get(address).body or {})
    body["entries"][0]["plan"]["plan"]["confidence_level"] = 0.5
    store.put(address, body, author="eve", reason="nothing", expected=1)
    with pytest.raises(ProofError, match="confidence_level"):
        stored_seal(store, "new-checkout")


def test_the_first_kill_closes_enrollment_and_a_revival_opens_none(store: Store, watch: Watch) -> None:
    address = Address("default", "flag", "new-checkout")
    body, number = FLAG, 0

    def put(day: int, new: dict[str, object]) -> None:
        nonlocal number
        watch.time = START + timedelta(days=day)
        number = store.put(address, new, author="ada", reason="x", expected=number).number

    put(0, body)
    assert killed_at(store, "new-checkout", "prod") is None
    put(1, killed("new-checkout", body, "prod"))
    put(2, body)
    put(5, killed("new-checkout", body, "prod"))
    put(6, body)
    assert killed_at(store, "new-checkout", "prod") == START + timedelta(days=1)
    assert killed_at(store, "new-checkout", "prod", since=START + timedelta(days=3)) == START + timedelta(days=5)
    assert killed_at(store, "new-checkout", "prod", since=START + timedelta(days=7)) is None
    assert killed_at(store, "new-checkout", "dev") is None
    assert killed_at(store, "absent", "prod") is None
