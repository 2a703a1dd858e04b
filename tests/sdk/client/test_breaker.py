"""The circuit breaker: quick where a variant fails, silent where it does not, and it lets a variant come back."""

from __future__ import annotations

import random
from typing import Any

import pytest
from paribus_sdk.breaker import Breaker, BreakerPolicy
from paribus_sdk.testing import InMemoryClient
from tests.sdk.client.snapshots import snapshot, treatment_to_all


class Watch:
    """A breaker with its clock and what it said."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self.now = 0.0
        self.said: list[dict[str, Any]] = []
        self.breaker = Breaker(lambda flag, variant, news: self.said.append(news), policy, lambda: self.now)

    def call(self, variant: str, failed: bool, seconds: float | None = None) -> None:
        self.breaker.report("checkout", variant, "control", failed, seconds)

    def fail_until_tripped(self) -> None:
        before = len(self.said)
        while len(self.said) == before:
            self.call("treatment", True)

    def refuses(self) -> bool:
        return self.breaker.refuses("checkout", "treatment")


def calls_until_trip(seed: int, treatment_rate: float, control_rate: float, calls: int = 2000) -> int | None:
    draw = random.Random(seed)
    watch = Watch()
    treatment_calls = 0
    for _ in range(calls):
        if draw.random() < 0.5:
            treatment_calls += 1
            watch.call("treatment", draw.random() < treatment_rate)
            if watch.said:
                return treatment_calls
        else:
            watch.call("control", draw.random() < control_rate)
    return None


@pytest.mark.parametrize("first", [True, False])
def test_trips_within_twenty_calls_when_every_second_one_fails(first: bool) -> None:
    watch = Watch()
    for number in range(20):
        watch.call("control", False)
        watch.call("treatment", (number % 2 == 0) is first)
    assert watch.said[0]["state"] == "open"
    assert watch.said[0]["calls"] <= 20


def test_trips_within_twenty_calls_when_half_fail_at_random() -> None:
    needed = [calls_until_trip(seed, 0.5, 0.002) for seed in range(1000)]
    late = sum(1 for calls in needed if calls is None or calls > 20)
    # four failures or fewer in twenty calls happen by chance in 0.6% of runs; nobody can act on those
    assert late <= 25
    assert None not in needed


def test_trips_after_a_long_good_record() -> None:
    watch = Watch()
    for _ in range(20_000):
        watch.call("control", False)
        watch.call("treatment", False)
    for number in range(20):
        watch.call("control", False)
        watch.call("treatment", number % 2 == 0)
    assert watch.said


def test_a_million_calls_at_the_base_rate_trip_at_most_once() -> None:
    assert _false_trips(1, 1_000_000) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_million_calls_at_the_base_rate_many_seeds(seed: int) -> None:
    assert _false_trips(seed, 1_000_000) <= 1


def test_a_control_that_fails_as_much_is_no_reason() -> None:
    tripped = sum(calls_until_trip(seed, 0.1, 0.1) is not None for seed in range(100))
    assert tripped <= 10


def test_both_arms_failing_after_a_good_record_rarely_trips() -> None:
    tripped = 0
    for seed in range(50):
        draw, watch = random.Random(seed), Watch()
        for _ in range(500):
            watch.call("control", False)
            watch.call("treatment", False)
        for _ in range(500):
            watch.call(draw.choice(["control", "treatment"]), draw.random() < 0.5)
        tripped += bool(watch.said)
    assert tripped <= 12


def test_slow_against_control() -> None:
    draw, watch = random.Random(3), Watch()
    for _ in range(100):
        watch.call("control", False, draw.uniform(0.05, 0.15))
        watch.call("treatment", False, draw.uniform(0.05, 0.15))
    assert watch.said == []
    for _ in range(30):
        watch.call("control", False, draw.uniform(0.05, 0.15))
        watch.call("treatment", False, draw.uniform(0.5, 1.5))
    assert watch.said[0]["cause"] == "latency"


@pytest.mark.parametrize("seed", range(5))
def test_equal_latencies_do_not_trip(seed: int) -> None:
    draw, watch = random.Random(seed), Watch()
    for _ in range(20_000):
        watch.call(draw.choice(["control", "treatment"]), False, draw.lognormvariate(-2, 1))
    assert watch.said == []


def test_cool_down_doubles_and_the_third_trip_holds() -> None:
    watch = Watch()
    watch.fail_until_tripped()
    assert watch.said[-1]["cool_down_seconds"] == 60
    watch.now = 59.9
    assert watch.refuses()
    watch.now = 60.0
    assert not watch.refuses()
    assert watch.said[-1]["state"] == "half_open"
    watch.fail_until_tripped()
    assert (watch.said[-1]["state"], watch.said[-1]["cool_down_seconds"]) == ("open", 120)
    watch.now += 119
    assert watch.refuses()
    watch.now += 1
    assert not watch.refuses()
    watch.fail_until_tripped()
    assert watch.said[-1]["state"] == "held"
    watch.now += 1e9
    assert watch.refuses()
    watch.breaker.reset("checkout")
    assert not watch.refuses()
    watch.fail_until_tripped()
    assert (watch.said[-1]["trips"], watch.said[-1]["cool_down_seconds"]) == (1, 60)


def test_a_variant_that_recovered_is_served_again() -> None:
    watch = Watch()
    watch.fail_until_tripped()
    watch.now = 60
    assert not watch.refuses()
    for _ in range(50):
        watch.call("treatment", False)
    assert watch.said[-1]["state"] == "closed"
    assert not any(watch.refuses() for _ in range(1000))


def test_a_retry_lets_twenty_a_second_through() -> None:
    watch = Watch()
    watch.fail_until_tripped()
    watch.now = 60
    assert sum(not watch.refuses() for _ in range(1000)) == 20
    watch.now = 60.5
    assert sum(not watch.refuses() for _ in range(1000)) == 10
    assert watch.breaker.refuses("checkout", "treatment", retry=False)


def test_a_tripped_variant_is_served_as_control_and_stays_assigned() -> None:
    client = InMemoryClient(snapshot(checkout=treatment_to_all()))
    assert client.variant("checkout", unit="u") == "treatment"
    for _ in range(20):
        client.report("checkout", "control", error=False)
        client.report("checkout", "treatment", error=True)
    decision = client.decide("checkout", unit="u")
    assert (decision.variant, decision.value, decision.reason) == ("control", False, "BREAKER")
    assert (decision.assigned, decision.served) == ("treatment", "control")
    assert client.peek("checkout", unit="u").reason == "BREAKER"
    exposures = client.exposures()
    assert [(it["assigned"], it["served"], it["reason"]) for it in exposures] == [
        ("treatment", "treatment", "SPLIT"),
        ("treatment", "control", "BREAKER"),
    ]
    (event,) = client.named("$breaker")
    assert event["properties"]["flag"] == "checkout"
    assert event["properties"]["variant"] == "treatment"
    assert event["properties"]["state"] == "open"
    assert event["properties"]["cause"] == "errors"
    client.reset_breaker("checkout")
    assert client.variant("checkout", unit="u") == "treatment"


def test_latencies_that_are_no_time_are_ignored() -> None:
    watch = Watch()
    for seconds in (float("nan"), float("inf"), -1.0):
        for _ in range(500):
            watch.call("control", False, seconds)
            watch.call("treatment", False, 10.0)
    assert watch.said == []


def test_reports_of_unknown_flags_are_ignored() -> None:
    client = InMemoryClient(snapshot())
    for _ in range(100):
        client.report("absent", "treatment", error=True)
    assert client.events == []


def _false_trips(seed: int, calls: int) -> int:
    draw = random.Random(seed).random
    watch = Watch()
    report, said = watch.breaker.report, watch.said
    for _ in range(calls):
        report("checkout", "treatment", "control", draw() < 0.002, None)
        if draw() < 0.1:
            report("checkout", "control", "control", draw() < 0.002, None)
        if said and said[-1]["state"] != "closed":
            watch.breaker.reset("checkout")
    return len(said)
