"""Running state: the same counts however often and in whatever order events come."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.lake.record import Record
from paribus.monitoring.tally import Tally
from paribus.monitoring.watch import Watch, guards_of
from paribus.monitoring.watched import Watched

ARMS = ("control", "treatment")
WEIGHTS = {"control": 0.5, "treatment": 0.5}


SECOND = 1_000_000


def record(name: str, unit: str, seconds: int, properties: str) -> Record:
    time = seconds * SECOND
    return Record("paribus:main", f"{name}-{unit}-{time}", name, time, time, time, "user", unit, properties=properties)


@st.composite
def happenings(draw: st.DrawFn) -> list[Record]:
    found = []
    for number in range(draw(st.integers(1, 12))):
        unit, arm = f"u{number}", draw(st.sampled_from(ARMS))
        begin = draw(st.integers(10, 20))
        exposure = f'{{"flag":"f","assigned":"{arm}","served":"{arm}","reason":"SPLIT","epoch":1,"probability":0.5}}'
        found.append(record("$exposure", unit, begin, exposure))
        found += [record("$error", unit, draw(st.integers(0, 40)), "{}") for _ in range(draw(st.integers(0, 2)))]
        found += [
            record("$request", unit, draw(st.integers(0, 40)), '{"status":503,"seconds":0.1}')
            for _ in range(draw(st.integers(0, 2)))
        ]
    return found


def by_hand(events: list[Record]) -> tuple[dict[str, int], dict[str, int]]:
    begun = {each.unit: (each.corrected_time, each.properties) for each in events if each.name == "$exposure"}
    failed = {
        each.unit
        for each in events
        if each.name != "$exposure" and each.corrected_time >= begun[each.unit][0] - 5 * SECOND
    }
    units = {arm: sum(f'"assigned":"{arm}"' in text for _, text in begun.values()) for arm in ARMS}
    bad = {arm: sum(f'"assigned":"{arm}"' in begun[unit][1] for unit in failed) for arm in ARMS}
    return units, bad


@settings(max_examples=60, deadline=None)
@given(happenings(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_count_the_same(events: list[Record], chance: random.Random) -> None:
    watch = Watch(experiment="f", flag="f", environment="", control="control", weights=WEIGHTS, guards=guards_of(()))
    delivered = events + chance.sample(events, chance.randint(0, len(events)))
    chance.shuffle(delivered)
    state = Watched(watch)
    state.take(delivered)
    counts = state.tally.counts(0)[1]
    assert (dict(counts.units), dict(counts.failed)) == by_hand(events)


def test_a_unit_of_two_arms_counts_for_neither() -> None:
    tally = Tally(ARMS, WEIGHTS, 1)
    tally.expose("a", "control", 5)
    tally.fail("a", 0, 6)
    tally.expose("b", "treatment", 5)
    tally.expose("a", "treatment", 7)
    tally.expose("c", "unknown", 7)
    counts = tally.counts(0)[1]
    assert (dict(counts.units), dict(counts.failed)) == ({"control": 0, "treatment": 1}, {"control": 0, "treatment": 0})
    assert (tally.mixed, tally.strays, tally.arm_of("a"), tally.first) == (1, 1, None, 5)


def test_an_epoch_keeps_the_probabilities_that_its_exposures_state() -> None:
    tally = Tally(ARMS, WEIGHTS, 1)
    tally.expose("a", "control", 1, epoch=2, probability=0.9)
    tally.expose("b", "treatment", 1, epoch=2, probability=0.1)
    tally.expose("c", "control", 1, epoch=1)
    assert tally.counts(0)[2].weights == {"control": 0.9, "treatment": 0.1}
    assert tally.counts(0)[1].weights == WEIGHTS


def test_forgotten_units_leave_their_counts() -> None:
    tally = Tally(ARMS, WEIGHTS, 1)
    tally.expose("a", "control", 1)
    tally.fail("a", 0, 2)
    tally.forget(["a", "nobody"])
    assert "a" not in tally
    assert tally.counts(0)[1].failed["control"] == 1
