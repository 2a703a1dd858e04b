"""Explanations: sentences a person can follow from the unit to the variant."""

from __future__ import annotations

from typing import Any

import pytest
from paribus_sdk import Evaluator
from tests.sdk import reference
from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot

AUDIENCES = {"nordic": compare("country", "in", ["SE", "NO"])}
ADULT = {"all": [{"audience": "nordic"}, compare("age", "at_least", 18), {"not": compare("plan", "equals", "free")}]}


def told(definition: dict[str, Any], unit: object = "u1", context: dict[str, Any] | None = None) -> str:
    holdouts = {"q4": {"salt": "holdout", "share_bp": 10_000}, "none": {"salt": "holdout", "share_bp": 0}}
    flags = {"f": definition, "gate": flag(gives("treatment", compare("gate", "equals", "open")))}
    layers = {"checkout": {"salt": "layer"}}
    evaluator = Evaluator(snapshot(flags, audiences=AUDIENCES, holdouts=holdouts, layers=layers))
    return str(evaluator.explain("f", unit, context))


def test_an_unknown_comparison_says_why() -> None:
    text = told(flag(gives("treatment", ADULT)), "u1", {"country": "SE", "age": "41"})
    assert text.splitlines() == [
        "The unit is the user 'u1', from the targeting key.",
        "Rule 'r1' does not apply: its condition is unknown.",
        "  All of 3: unknown.",
        "    In the audience 'nordic': true.",
        "      'country' is one of ['SE', 'NO']: true; it is 'SE'.",
        "    'age' is at least 18: unknown, because it is text ('41'); needed is a number.",
        "    Not: unknown.",
        "      'plan' equals 'free': unknown, because it is missing.",
        "No rule applies: the default variant is used.",
        "So: variant 'control', False, reason DEFAULT.",
    ]


def test_a_split_names_the_buckets() -> None:
    layer = {"key": "checkout", "from_bp": 0, "to_bp": 10_000}
    text = told(flag(rolls({"control": 0, "treatment": 10_000}, 9_999, salt="s", layer=layer)))
    inside, place = reference.bucket("s-traffic", "u1"), reference.bucket("s-split", "u1")
    assert f"The unit is in the rollout: bucket {inside} of 10000, inside is below 9999." in text
    assert f"The split gives 'treatment': bucket {place} is in 0 to 10000, a share of 100%." in text
    assert f"bucket {reference.bucket('layer', 'u1')}, the part is 0 to 10000." in text


def test_prerequisites_are_explained_within() -> None:
    needing = flag(gives("treatment"), prerequisites=[{"flag": "gate", "variants": ["treatment"]}])
    text = told(needing, "u1", {"gate": "shut"})
    assert "Prerequisite 'gate' gives 'control'; needed is 'treatment'.\n  The unit is the user 'u1'" in text
    assert "\n    'gate' equals 'open': false; it is 'shut'." in text
    assert text.endswith("reason PREREQUISITE.")


@pytest.mark.parametrize(
    ("definition", "unit", "sentence"),
    [
        (flag(killed=True), "u1", "The flag is killed"),
        (flag(enabled=False), "u1", "The flag is not enabled here"),
        (flag(overrides={"u1": "treatment"}), "u1", "An override names the unit 'u1'"),
        (flag(sticky={"7": "treatment"}), 7, "The unit '7' keeps the variant it was given"),
        (flag(holdouts=["q4"]), "u1", "The unit is in the holdout 'q4'"),
        (flag(holdouts=["none"]), "u1", "The unit is not in the holdout 'none'"),
        (flag(holdouts=["q4"]), None, "Without a unit the holdout 'q4' is skipped"),
        (flag(rolls()), None, "A rollout needs a unit"),
        (flag(rolls(), unit_attribute="company"), "u1", "the attribute 'company' must be text or an integer"),
        (flag(gives("nothing")), "u1", "The flag is broken (rules[0].variant: there is no variant 'nothing')"),
        (flag(gives("treatment"), gives("control", None, "r2")), "u1", "Rule 'r1' is for everyone"),
    ],
)
def test_each_step_has_its_sentence(definition: dict[str, Any], unit: object, sentence: str) -> None:
    assert sentence in told(definition, unit)


def test_an_unknown_flag_is_explained_too() -> None:
    assert "There is no flag 'g'." in Evaluator(snapshot({})).explain("g", "u1").text


def test_long_values_are_cut() -> None:
    text = told(flag(gives("treatment", compare("it", "equals", "x" * 500))), "u1", {"it": "y" * 500})
    assert max(len(line) for line in text.splitlines()) < 250
