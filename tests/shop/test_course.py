"""One course of time: determinism, strides, the two ways of sending, the real evaluator."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from paribus_sdk.evaluator import Evaluator
from paribus_sdk.testing import InMemoryClient
from tests.shop import small

from paribus.shop import CASES, Course, World, case
from paribus.shop.course import NEVER
from paribus.shop.sending import Letters, Shopkeeper, send

BROKEN = {
    "defects": [
        {"kind": "event_missing", "event": "payment_submitted", "share": 0.5},
        {"kind": "property_mistyped", "event": "order_completed", "property": "revenue", "share": 0.5},
        {"kind": "property_missing", "event": "cart_item_added", "property": "price", "share": 0.5},
        {"kind": "event_doubled", "event": "product_viewed", "share": 0.1},
    ],
}


def test_a_seed_says_everything() -> None:
    made = small.scenario(effects=[{"on": "payment_submitted", "relative": 0.1}])
    first, again, other = (small.texts(small.lived(made, seed=seed, days=3)[1]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("after", ["session_started", "product_viewed", "checkout_started"])
def test_strides_change_nothing(after: str) -> None:
    made = small.scenario(
        decision={"after": after},
        effects=[
            {"on": "product_viewed", "relative": -0.3},
            {"on": "payment_submitted", "relative": 0.2, "fades_half_life_days": 2},
        ],
        stock_per_day=80,
        late={"share": 0.2},
    )
    whole, pieces = (small.lived(made, days=4, strides=strides) for strides in (1, 8))
    until = whole[0].time
    leaving = [[each for each in small.texts(found[1]) if each[6] < until] for found in (whole, pieces)]
    assert leaving[0] == leaving[1]
    assert np.array_equal(whole[0].users.enrolled, pieces[0].users.enrolled)


def test_both_ways_of_sending_say_the_same() -> None:
    """Through `Client.track` and as history's texts: names, times, units, properties and contexts agree."""
    made = small.scenario(**BROKEN, late={"share": 0.2}, requests={"error_rate": 0.1})
    world = World(made, 1)
    course = Course(world)
    groups = course.advance(world.midnight(9))
    client = InMemoryClient(small.snapshot())
    send(client, groups, course.contexts)
    written = [json.loads(text) for text in Letters(world, course.contexts).write(groups)]
    assert len(written) == len(client.events) > 5_000

    def said(event: dict) -> str:
        kept = {name: value for name, value in event.items() if name not in {"event_id", "sequence", "context"}}
        around = {name: value for name, value in event["context"].items() if name != "process"}
        return json.dumps({**kept, "context": around}, sort_keys=True)

    assert Counter(map(said, written)) == Counter(map(said, client.events))
    assert len({event["event_id"] for event in written}) == len(written)


def test_everything_says_that_it_is_simulated() -> None:
    made = small.scenario()
    world = World(made, 1)
    course = Course(world)
    written = [json.loads(text) for text in Letters(world, course.contexts).write(course.advance(world.midnight(2)))]
    assert all(event["context"].get("simulated") for event in written if not event["name"].startswith("$"))


def test_assignment_is_the_evaluators() -> None:
    course, _, client = small.lived(small.scenario(), days=3)
    evaluator = Evaluator(small.snapshot())
    exposures = client.exposures()
    assert len(exposures) == int((course.users.enrolled < NEVER).sum()) > 300
    for each in exposures:
        assert evaluator.evaluate(small.KEY, each["unit"]).assigned == each["assigned"]
        assert course.users.treated[int(each["unit"][1:])] == (each["served"] == "treatment")


def test_exposures_carry_the_time_of_the_decision() -> None:
    course, groups, client = small.lived(small.scenario(late={"share": 0}), days=2)
    begin = course.world.midnight(7)
    checkouts = {
        (f"u{user:06d}", time // 1000)
        for group in groups
        if group.name == "checkout_started"
        for user, time in zip(group.user.tolist(), group.time.tolist(), strict=True)
        if time >= begin
    }
    from datetime import datetime

    for event in client.named("$exposure"):
        milliseconds = round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
        assert (event["unit"], milliseconds - 50) in checkouts


def test_lost_exposures_are_served_and_not_said() -> None:
    made = small.scenario(defects=[{"kind": "lost_exposures", "arm": "treatment", "share": 0.3}])
    course, _, client = small.lived(made, days=5)
    arms = Counter(each["assigned"] for each in client.exposures())
    enrolled = course.users.enrolled < NEVER
    treated = int((course.users.treated & enrolled).sum())
    assert arms["treatment"] < 0.85 * treated
    assert arms["control"] == pytest.approx(int(enrolled.sum()) - treated, rel=0.02)


def test_the_local_breaker_is_told_only_where_the_shop_has_one() -> None:
    for has_one in (False, True):
        made = small.scenario(
            requests={"local_breaker": has_one, "error_rate": 0.0},
            defects=[{"kind": "errors", "arm": "treatment", "rate": 0.6}],
        )
        _, _, client = small.lived(made, days=5)
        assert bool(client.named("$breaker")) is has_one


def test_a_request_says_which_variants_were_in_force() -> None:
    course, groups, _ = small.lived(small.scenario(), days=2)
    begin = course.world.midnight(7)
    for group in groups:
        if group.name == "$request":
            variants = group.columns["variants"].tolist()
            for time, each in zip(group.time.tolist(), variants, strict=True):
                assert (each == {}) == (time < begin) or each == {}
    said = Counter(
        each.get(small.KEY)
        for group in groups
        if group.name == "$request"
        for each in group[group.time >= begin + 3_600_000_000].columns["variants"].tolist()
    )
    assert set(said) == {"control", "treatment"}


def test_nobody_is_treated_before_there_is_a_flag() -> None:
    made = small.scenario(effects=[{"on": "payment_submitted", "relative": 0.5}])
    world = World(made, 1)
    course = Course(world)
    client = InMemoryClient({**small.snapshot(), "flags": {}})
    course.policy = Shopkeeper(client, world, course.contexts)
    groups = course.advance(world.midnight(10))
    plain = Course(World(small.scenario(), 1)).advance(world.midnight(10))
    assert small.texts(groups) == small.texts(plain)
    assert client.events == []


@pytest.mark.parametrize("name", CASES)
def test_cases_have_the_default_shop_and_one_story(name: str) -> None:
    made = case(name)
    assert made.story
    assert made.feature.key == "one-click-checkout"
    harmful = {each.kind for each in made.defects}
    expected = {
        "srm": {"lost_exposures"},
        "error": {"errors"},
        "latency": {"latency"},
        "broken": {"event_missing", "property_mistyped"},
    }
    assert harmful == expected.get(name, set())
    assert (made.stock_per_day is not None) is (name == "inventory")
    assert any(each.fades_half_life_days for each in made.effects) is (name == "novelty")
    signs = {each.relative > 0 for each in made.effects}
    assert signs == {"null": set(), "latency": set(), "simpson": {True, False}}.get(name, {True})
