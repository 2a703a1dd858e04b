"""The star model kept from new files equals the one built anew, and both equal what plain Python makes of them."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import InputError
from paribus.lake import Lake
from paribus.lake.star import TABLES, Measure, StarDefinition, StarModel

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DEFINITION = StarDefinition(
    attributes=("device", "country"),
    properties=(("revenue", "number"), ("items", "integer")),
    measures=(Measure("order_completed"), Measure("order_completed", "revenue")),
)


def some_events(source: random.Random, first: int, count: int) -> list[dict[str, Any]]:
    """Events of ten users in random order of time: exposures of two flags, orders, views; some are sent twice."""
    found: list[dict[str, Any]] = []
    for i in range(first, first + count):
        unit = f"u{source.randrange(10)}"
        at = START + timedelta(minutes=source.randrange(6000))
        context = {"device": source.choice(["mobile", "desktop"])} if source.random() < 0.7 else {}
        if source.random() < 0.5:
            context["country"] = source.choice(["NO", "DE"])
        kind = source.random()
        if kind < 0.3:
            properties = {
                "flag": source.choice(["f", "g"]), "environment": "prod", "epoch": 1, "revision": 3,
                "assigned": "treatment" if hash_of(unit) else "control", "reason": source.choice(["SPLIT", "OVERRIDE"]),
                "served": "control", "probability": 0.5,
            }  # fmt: skip
            if source.random() < 0.03:
                properties["assigned"] = source.choice(["control", "treatment"])
            found.append(event(f"e{i}", "$exposure", at=at, unit=unit, properties=properties, context=context))
        elif kind < 0.6:
            order = {"revenue": float(source.randrange(100)), "items": source.randrange(1, 4)}
            found.append(event(f"e{i}", "order_completed", at=at, unit=unit, properties=order, context=context))
        else:
            found.append(event(f"e{i}", "product_viewed", at=at, unit=unit, context=context))
    return [*found, *source.sample(found, max(count // 10, 1))]


def hash_of(unit: str) -> bool:
    return sum(map(ord, unit)) % 2 == 0


def send(lake: Lake, clock: HandClock, events: list[dict[str, Any]]) -> None:
    clock.advance(minutes=1)
    sent = clock.now.isoformat()
    lake.landing.append([request([{**each, "sent": sent} for each in events], received=clock.now)])
    lake.drain()


def rows(model: StarModel, table: str) -> list[tuple[Any, ...]]:
    return sorted(model.query(f"SELECT * FROM {table}"), key=repr)


@pytest.mark.parametrize("seed", [1, 2])
def test_kept_from_new_files_equals_built_anew(tmp_path: Path, seed: int) -> None:
    source, clock = random.Random(seed), HandClock(START + timedelta(days=6))
    kept, anew = StarModel(tmp_path / "kept", threads=1), StarModel(tmp_path / "anew", threads=1)
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        sent: list[dict[str, Any]] = []
        for batch in range(4):
            fresh = some_events(source, 100 * batch, 60)
            again = source.sample(sent, min(5, len(sent)))  # copies that arrive in a later file
            send(lake, clock, fresh + again)
            sent += fresh
            kept.refresh(lake, DEFINITION)
            if batch == 2:
                lake.compact()
        anew.build(lake.snapshot(), DEFINITION)
        for table in (*TABLES, "stg_observation"):
            assert rows(kept, table) == rows(anew, table), table
        assert kept.state() == anew.state()
        assert kept.differences(lake.snapshot(), DEFINITION) == dict.fromkeys(TABLES, 0)
        if seed == 1:
            with kept._connection(kept.path) as connection:
                connection.execute("DELETE FROM fct_exposure WHERE flag = 'f'")
                connection.execute("UPDATE obt_experiment SET n_order_completed = n_order_completed + 1")
            found = kept.differences(lake.snapshot(), DEFINITION)
            assert found["fct_exposure"] > 0
            assert found["obt_experiment"] == 2 * kept.state().rows["obt_experiment"]  # type: ignore[union-attr]
            assert found["fct_event"] == 0
            kept.build(lake.snapshot(), DEFINITION)
    check_against_python(kept, sent)


def check_against_python(model: StarModel, sent: list[dict[str, Any]]) -> None:
    """The same tables from lists and dictionaries."""
    distinct = {each["event_id"]: each for each in sent}.values()
    facts = [each for each in distinct if each["name"] != "$exposure"]
    assert model.query("SELECT count(*) FROM fct_event") == [(len(facts),)]
    revenue = sum(each["properties"]["revenue"] for each in facts if each["name"] == "order_completed")
    assert model.query("SELECT sum(p_revenue) FROM fct_event")[0][0] == pytest.approx(revenue)
    first: dict[tuple[str, str], tuple[str, str]] = {}
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in distinct:
        if each["name"] == "$exposure" and each["properties"]["reason"] == "SPLIT":
            key = (each["properties"]["flag"], each["unit"])
            first[key] = min(first.get(key, ("9", "")), (each["at"], each["properties"]["assigned"]))
            arms[key].add(each["properties"]["assigned"])
    wide = model.query("SELECT flag, user_key, exposed_at, is_mixed, n_order_completed FROM obt_experiment")
    assert len(wide) == len(first)
    for flag, unit, exposed_at, is_mixed, orders in wide:
        assert exposed_at == datetime.fromisoformat(first[flag, unit][0])
        assert is_mixed == (len(arms[flag, unit]) > 1)
        after = [e for e in facts if e["unit"] == unit and e["name"] == "order_completed"
                 and datetime.fromisoformat(e["at"]) >= exposed_at]  # fmt: skip
        assert orders == len(after)
    for unit in {each["unit"] for each in distinct}:
        known: dict[str, str | None] = {"device": None, "country": None}
        history: list[tuple[str | None, str | None]] = []
        moments: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for each in distinct:
            if each["unit"] == unit:
                moments[each["at"]].append(each)
        if any(len(each) > 1 for each in moments.values()):
            continue  # two events at once: which one is last is decided by their keys
        for at in sorted(moments):
            known = {name: moments[at][0]["context"].get(name, known[name]) for name in known}
            if not history or history[-1] != tuple(known.values()):
                history.append((known["device"], known["country"]))
        found = model.query(
            f"SELECT device, country, is_current, valid_to IS NULL FROM dim_user WHERE user_key = '{unit}' "
            "ORDER BY valid_from"
        )
        assert [row[:2] for row in found] == history
        assert [row[2] for row in found] == [False] * (len(history) - 1) + [True]
        assert all(row[2] == row[3] for row in found)


def test_erasure_leads_to_a_model_without_the_person(tmp_path: Path) -> None:
    source, clock = random.Random(5), HandClock(START + timedelta(days=6))
    model = StarModel(tmp_path, threads=1)
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        lake.erase_also.append(model.erase)
        send(lake, clock, some_events(source, 0, 80))
        model.refresh(lake, DEFINITION)
        assert model.query("SELECT count(*) FROM dim_user WHERE user_key = 'u3'")[0][0] > 0
        lake.erase(["u3"])
        assert not model.path.exists()
        model.refresh(lake, DEFINITION)
        for table in TABLES:
            assert model.query(f"SELECT count(*) FROM {table} WHERE user_key = 'u3'") == [(0,)]


def test_another_definition_is_built_anew_and_an_update_refuses_it(tmp_path: Path) -> None:
    source, clock = random.Random(6), HandClock(START + timedelta(days=6))
    model = StarModel(tmp_path, threads=1)
    with pytest.raises(InputError, match="no star model"):
        model.query("SELECT 1")
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        send(lake, clock, some_events(source, 0, 30))
        model.refresh(lake, DEFINITION)
        bare = StarDefinition()
        with pytest.raises(InputError, match="build it first"):
            model.update(lake.snapshot(), (), bare)
        model.refresh(lake, bare)
        assert [row[0] for row in model.query("DESCRIBE obt_experiment")][-1] == "first_seen"
        exported = model.export(tmp_path / "out")
        assert [path.stem for path in exported] == list(TABLES)
