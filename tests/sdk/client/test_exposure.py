"""Exposures: one for each flag, unit, variant assigned, variant served and revision; in every arm by one condition."""

from __future__ import annotations

import threading
from collections import Counter

from paribus_sdk.decision import Outcome
from paribus_sdk.exposure import OUTCOMES, ExposureLog
from paribus_sdk.request import in_request
from paribus_sdk.testing import InMemoryClient, override
from tests.sdk.client.snapshots import flag, snapshot, split, treatment_to_all

FIELDS = {
    "flag", "assigned", "served", "reason", "revision", "epoch", "traffic_bp", "split_bp", "probability", "attributes",
    "environment", "sdk", "sequence", "unit_type", "unit",
}  # fmt: skip


def test_the_event_has_the_fields_of_the_contract() -> None:
    rules = [{"id": "far", "when": {"attribute": "country", "op": "equals", "value": "NZ"}, "variant": "control"}]
    client = InMemoryClient(snapshot(checkout=flag(rules=[*rules, split(control_bp=2500, traffic_bp=10000)])))
    decision = client.decide("checkout", unit="u1", context={"country": "DE", "age": 7})
    (event,) = client.events
    assert event["name"] == "$exposure"
    assert (event["unit"], event["unit_type"]) == ("u1", "user")
    exposure = event["properties"]
    assert set(exposure) == FIELDS
    assert exposure["assigned"] == exposure["served"] == decision.variant
    share = {"control": 2500, "treatment": 7500}[decision.assigned]
    assert (exposure["split_bp"], exposure["probability"]) == (share, share / 10000)
    assert (exposure["reason"], exposure["revision"], exposure["epoch"]) == ("SPLIT", 4, 2)
    assert exposure["traffic_bp"] == 10000
    assert exposure["attributes"] == {"country": "DE"}
    assert exposure["environment"] == "dev"
    assert exposure["sequence"] == event["sequence"] == 1


def test_each_method_exposes_or_not() -> None:
    client = InMemoryClient(snapshot())
    client.peek("checkout", unit="peeked")
    client.peek_all(unit="peeked")
    client.explain("checkout", unit="peeked")
    assert client.events == []
    client.variant("checkout", unit="a")
    client.value("checkout", False, unit="b")
    client.decide("checkout", unit="c")
    assert [exposure["unit"] for exposure in client.exposures()] == ["a", "b", "c"]


def test_both_arms_expose_by_the_same_condition() -> None:
    client = InMemoryClient(snapshot())
    variants = Counter(client.variant("checkout", unit=f"u{number}") for number in range(500))
    assert Counter(exposure["assigned"] for exposure in client.exposures()) == variants


def test_the_same_exposure_is_sent_once() -> None:
    client = InMemoryClient(snapshot())
    for _ in range(5):
        client.variant("checkout", unit="u")
    assert len(client.exposures()) == 1
    assert (client.stats.exposures, client.stats.exposures_deduplicated) == (1, 4)


def test_a_new_revision_or_variant_is_a_new_exposure() -> None:
    client = InMemoryClient(snapshot(1, checkout=treatment_to_all(revision=1)))
    client.variant("checkout", unit="u")
    client.apply(snapshot(2, checkout=treatment_to_all(revision=2)))
    client.variant("checkout", unit="u")
    with override(client, "checkout", "control"):
        client.variant("checkout", unit="u")
    seen = [(exposure["revision"], exposure["assigned"], exposure["reason"]) for exposure in client.exposures()]
    assert seen == [(1, "treatment", "SPLIT"), (2, "treatment", "SPLIT"), (2, "control", "OVERRIDE")]


def test_attributes_are_those_of_the_moment() -> None:
    rules = [{"id": "r", "when": {"attribute": "tags", "op": "contains", "value": "x"}, "variant": "treatment"}]
    client = InMemoryClient(snapshot(checkout=flag(rules=rules)))
    context = {"tags": ["x"]}
    client.variant("checkout", unit="u", context=context)
    context["tags"] = ["changed later"]
    assert client.exposures()[0]["attributes"] == {"tags": ["x"]}


def test_without_a_unit_there_is_nobody_to_expose() -> None:
    client = InMemoryClient(snapshot())
    assert client.variant("checkout") == "control"
    assert client.events == []
    assert client.stats.exposures_without_unit == 1


def test_the_request_gives_unit_and_context() -> None:
    rules = [{"id": "r", "when": {"attribute": "plan", "op": "equals", "value": "pro"}, "variant": "treatment"}]
    client = InMemoryClient(snapshot(checkout=flag(rules=rules)))
    with in_request("u7", {"plan": "pro"}) as request:
        assert client.variant("checkout") == "treatment"
        assert client.variant("checkout", context={"plan": "free"}) == "control"
        assert client.peek("checkout", unit="other").unit == "other"
        client.track("clicked")
    assert request.variants == {"checkout": "control"}
    assert client.events[-1]["unit"] == "u7"


def test_memory_is_bounded_and_keeps_what_is_met_again() -> None:
    log = ExposureLog(200)
    outcome = Outcome("checkout", True, "treatment", "SPLIT", "treatment", "treatment", revision=4)
    assert log.add(outcome, "regular")
    for number in range(1000):
        assert log.add(outcome, f"u{number}")
        assert not log.add(outcome, "regular")
    remembered = sum(not log.add(outcome, f"u{number}") for number in reversed(range(1000)))
    assert 99 <= remembered <= 200
    assert sum(len(units) for units in log.known.values()) <= 200


def test_outcomes_of_one_variant_share_their_exposures() -> None:
    log = ExposureLog(200)
    by_rule, by_other_rule = (
        Outcome("checkout", True, "treatment", reason, "treatment", "treatment", revision=4)
        for reason in ("SPLIT", "TARGETING_MATCH")
    )
    assert log.add(by_rule, "u")
    assert not log.add(by_other_rule, "u")
    assert log.known[id(by_rule)] is log.known[id(by_other_rule)]


def test_outcomes_made_for_one_call_do_not_pile_up() -> None:
    log = ExposureLog(1000)
    for _ in range(OUTCOMES + 5):
        log.add(Outcome("absent", 0, None, "ERROR"), "u")
    assert len(log.known) <= OUTCOMES


def test_a_race_exposes_once() -> None:
    client = InMemoryClient(snapshot())
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for number in range(300):
            client.variant("checkout", unit=f"u{number}")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(exposure["unit"] for exposure in client.exposures()).most_common(1)[0][1] == 1
    assert len(client.exposures()) == 300


def test_values_of_each_type_and_their_defaults() -> None:
    client = InMemoryClient(
        snapshot(
            text=treatment_to_all(type="string", variants=_values("a", "b")),
            count=treatment_to_all(type="integer", variants=_values(1, 2)),
            ratio=treatment_to_all(type="float", variants=_values(0.5, 1.5)),
            body=treatment_to_all(type="json", variants=_values({}, {"k": [1]})),
        )
    )
    assert client.value("text", "", unit="u") == "b"
    assert client.value("count", 0, unit="u") == 2
    assert client.value("ratio", 0.0, unit="u") == 1.5
    assert client.value("body", {}, unit="u") == {"k": [1]}
    assert client.value("text", None, unit="u") == "b"
    assert client.value("text", 7, unit="u") == 7
    assert client.value("absent", "fallback", unit="u") == "fallback"
    assert client.value("count", 0.0, unit="u") == 2.0


def test_overrides_of_one_unit_and_of_all() -> None:
    client = InMemoryClient(snapshot(checkout=treatment_to_all()))
    client.override("checkout", "tester", "control")
    assert client.variant("checkout", unit="tester") == "control"
    assert client.decide("checkout", unit="tester").reason == "OVERRIDE"
    assert client.variant("checkout", unit="other") == "treatment"
    client.override("checkout", "tester", None)
    assert client.variant("checkout", unit="tester") == "treatment"
    with override(client, "checkout", "control"), override(client, "checkout", "treatment"):
        assert client.decide("checkout", unit="anyone").reason == "OVERRIDE"
        assert client.variant("checkout", unit="anyone") == "treatment"
    assert client.decide("checkout", unit="anyone").reason == "SPLIT"
    with override(client, "checkout", "no such variant"):
        assert client.decide("checkout", unit="anyone").reason == "SPLIT"


def _values(control: object, treatment: object) -> list[dict[str, object]]:
    return [{"name": "control", "value": control}, {"name": "treatment", "value": treatment}]
