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
        (0, 10_000, False), (1, 10_000, False), (0, 80_000, True),
    ]  # fmt: skip


def test_split_has_matchers_partitions_and_traffic_in_hundredths() -> None:
    document, _ = written("split")
    assert document["trafficAllocation"] == 20
    condition = document["conditions"][0]
    assert [part["size"] for part in condition["partitions"]] == [50, 50]
    kinds = [each["matcherType"] for each in condition["matcherGroup"]["matchers"]]
    assert kinds == ["WHITELIST", "GREATER_THAN_OR_EQUAL_TO", "WHITELIST"]
    assert document["defaultTreatment"] == "control"


def test_optimizely_has_ranges_and_typed_audiences() -> None:
    document, differences = written("optimizely")
    ranges = document["experiments"][0]["trafficAllocation"]
    assert [each["endOfRange"] for each in ranges] == [1000, 2000, 10_000]
    assert ranges[2]["entityId"] == ""
    names = {v["id"]: v["key"] for v in document["experiments"][0]["variations"]}
    assert [names[each["entityId"]] for each in ranges[:2]] == ["control", "treatment"]
    assert document["typedAudiences"][0]["conditions"][0] == "and"
    assert any("widening" in each for each in differences)


def test_unleash_has_a_strategy_with_constraints_and_variants_of_a_thousand() -> None:
    document, _ = written("unleash")
    strategy = document["features"][0]["strategies"][0]
    assert strategy["parameters"]["rollout"] == "20"
    assert [(c["contextName"], c["operator"], c["inverted"]) for c in strategy["constraints"]] == [
        ("device", "IN", False), ("age", "NUM_GTE", False), ("country", "IN", True),
    ]  # fmt: skip
    assert strategy["constraints"][1]["value"] == "18"
    assert [v["weight"] for v in strategy["variants"]] == [500, 500]


@pytest.mark.parametrize("provider", sorted(WRITERS))
def test_every_provider_says_that_it_hashes_otherwise(provider: str) -> None:
    assert any("assigned anew" in each for each in written(provider)[1])


@pytest.mark.parametrize("provider", sorted(WRITERS))
def test_a_condition_without_a_word_there_is_left_out_and_said(provider: str) -> None:
    body = {**FLAG, "environments": {"production": {"rules": [
        {"id": "odd", "when": {"not": {"attribute": "x", "op": "equals", "value": 1}}, "variant": "treatment"}
    ]}}}  # fmt: skip
    assert any(each.startswith("rule odd") for each in written(provider, body)[1])
