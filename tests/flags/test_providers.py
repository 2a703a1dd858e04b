"""A flag in other providers' JSON: targeting and shares are those of ours; what differs is said."""

from __future__ import annotations

from typing import Any

import pytest

from paribus.flags.document import check
from paribus.flags.providers import WRITERS, write

FLAG = check(
    "flag",
    "new",
    {
        "type": "boolean",
        "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
        "default_variant": "control",
        "environments": {
            "production": {
                "rules": [
                    {
                        "id": "experiment",
                        "when": {"audience": "mobile"},
                        "rollout": {
                            "traffic_salt": "t",
                            "split_salt": "s",
                            "traffic_bp": 2000,
                            "split": [
                                {"variant": "control", "weight_bp": 5000},
                                {"variant": "treatment", "weight_bp": 5000},
                            ],
                        },
                    }
                ]
            }
        },
    },
)
AUDIENCES = {
    "mobile": {
        "when": {
            "all": [
                {"attribute": "device", "op": "equals", "value": "mobile"},
                {"attribute": "age", "op": "at_least", "value": 18},
                {"attribute": "country", "op": "not_in", "value": ["US"]},
            ]
        }
    }
}


def written(provider: str, body: dict[str, Any] = FLAG) -> tuple[dict[str, Any], tuple[str, ...]]:
    made = write(provider, "new", body, "production", AUDIENCES)
    return made.document, made.differences


def test_launchdarkly_has_clauses_and_shares_of_a_hundred_thousand() -> None:
    document, _ = written("launchdarkly")
    rule = document["flags"]["new"]["rules"][0]
    assert [(c["attribute"], c["op"], c["values"], c["negate"]) for c in rule["clauses"]] == [
        ("device", "in", ["mobile"], False),
        ("age", "greaterThanOrEqual", [18], False),
        ("country", "in", ["US"], True),
    ]
    shares = rule["rollout"]["variations"]
    assert [(v["variation"], v["weight"], v["untracked"]) for v in shares] == [
        (0, 10_000, False), (0, 80_000, True), (1, 10_000, False),
    ]  # fmt: skip


def test_split_has_matchers_partitions_and_traffic_in_hundredths() -> None:
    document, differences = written("split")
    [flag] = document["ff"]["d"]
    assert flag["trafficAllocation"] == 20
    condition, last = flag["conditions"]
    assert condition["partitions"] == [{"treatment": "off", "size": 50}, {"treatment": "treatment", "size": 50}]
    kinds = [(each["matcherType"], each["negate"]) for each in condition["matcherGroup"]["matchers"]]
    assert kinds == [
        ("WHITELIST", False),
        ("GREATER_THAN_OR_EQUAL_TO", False),
        ("WHITELIST", True),
        ("MATCHES_STRING", False),
    ]
    assert last["partitions"] == [{"treatment": flag["defaultTreatment"], "size": 100}]
    assert any("control is called off" in each for each in differences)


def test_optimizely_has_ranges_and_typed_audiences() -> None:
    document, differences = written("optimizely")
    ranges = document["experiments"][0]["trafficAllocation"]
    names = {v["id"]: v["key"] for v in document["experiments"][0]["variations"]} | {"": ""}
    assert [(names[each["entityId"]], each["endOfRange"]) for each in ranges] == [
        ("control", 1000),
        ("", 9000),
        ("treatment", 10_000),
    ]
    assert document["typedAudiences"][0]["conditions"][1][0] == "and"
    assert document["featureFlags"][0]["variables"][0]["defaultValue"] == "false"
    assert not any("widening" in each for each in differences)


def test_unleash_has_a_strategy_with_constraints_and_variants_of_a_thousand() -> None:
    document, _ = written("unleash")
    strategy = document["features"][0]["strategies"][0]
    assert strategy["parameters"]["rollout"] == "20"
    assert [(c["contextName"], c["operator"], c["inverted"]) for c in strategy["constraints"]] == [
        ("device", "IN", False), ("age", "NUM_GTE", False), ("country", "IN", True), ("country", "STR_CONTAINS", False),
    ]  # fmt: skip
    assert strategy["constraints"][1]["value"] == "18"
    assert [v["weight"] for v in strategy["variants"]] == [500, 500]


@pytest.mark.parametrize("provider", sorted(WRITERS))
def test_every_provider_says_that_it_hashes_otherwise(provider: str) -> None:
    assert any("assigned anew" in each for each in written(provider)[1])


def ruled(when: dict[str, Any]) -> dict[str, Any]:
    rule = {"id": "odd", "when": when, "variant": "treatment"}
    return {**FLAG, "environments": {"production": {"rules": [rule]}}}


@pytest.mark.parametrize(
    ("provider", "when"),
    [
        ("launchdarkly", {"attribute": "x", "op": "exists", "value": False}),
        ("split", {"attribute": "x", "op": "before", "value": "2026-01-01T00:00:00Z"}),
        ("split", {"attribute": "x", "op": "at_least", "value": 0.5}),
        ("optimizely", {"attribute": "x", "op": "starts_with", "value": "a"}),
        ("unleash", {"attribute": "x", "op": "matches", "value": "a+"}),
        *((name, {"audience": "nobody-wrote-it"}) for name in WRITERS),
    ],
)
def test_a_condition_without_a_word_there_is_left_out_and_said(provider: str, when: dict[str, Any]) -> None:
    document, differences = written(provider, ruled(when))
    assert any(each.startswith("rule odd is left out") for each in differences)
    assert "treatment" not in [part["treatment"] for part in parts(document)]


def parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Split's partitions, wherever they stand; none of other providers' documents."""
    listed = document.get("ff", {}).get("d", [])
    return [part for flag in listed for condition in flag["conditions"] for part in condition["partitions"]]


@pytest.mark.parametrize("provider", sorted(WRITERS))
def test_alternatives_become_rules_and_what_always_holds_becomes_nothing(provider: str) -> None:
    known = {"any": [{"attribute": "y", "op": "exists", "value": value} for value in (True, False)]}
    one = {"attribute": "x", "op": "equals", "value": "a"}
    two = {"attribute": "z", "op": "equals", "value": "b"}
    plain, alone = (written(provider, ruled(when))[0] for when in ({"all": [one, known]}, one))
    assert plain == alone
    both = written(provider, ruled({"not": {"all": [{"not": one}, {"not": two}]}}))[0]
    assert both == written(provider, ruled({"any": [one, two]}))[0]


def test_what_no_file_carries_over_is_said() -> None:
    state = {
        **FLAG["environments"]["production"],
        "prerequisites": [{"flag": "other", "variants": ["on"]}],
        "holdouts": ["everybody"],
    }
    said = " ".join(written("unleash", {**FLAG, "environments": {"production": state}})[1])
    assert "prerequisites are left out: other" in said
    assert "holdouts are left out: everybody" in said
