"""Three-valued logic, audiences, and which attributes a decision reports."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot

# `a` and `b` are true with 1, false with 0, unknown when missing.
A, B = compare("a", "equals", 1), compare("b", "equals", 1)
STATES = {"true": {1}, "false": {0}, "unknown": set[int]()}


def suites() -> Iterator[dict[str, Any]]:
    forms = {"all": {"all": [A, B]}, "any": {"any": [A, B]}, "not-all": {"not": {"all": [A, B]}}}
    forms |= {
        "not-any": {"not": {"any": [A, B]}},
        "all-not": {"all": [{"not": A}, B]},
        "any-not": {"any": [A, {"not": B}]},
    }
    forms |= {
        "one-not": {"not": A},
        "two-nots": {"not": {"not": A}},
        "exclusive": {"any": [{"all": [A, {"not": B}]}, {"all": [{"not": A}, B]}]},
    }
    yield {
        "name": "Kleene's tables",
        "snapshot": snapshot({key: flag(gives("treatment", form)) for key, form in forms.items()}),
        "cases": [
            {
                "name": f"{key}: a {a}, b {b}",
                "flag": key,
                "unit": "u1",
                "context": {name: value for name, state in (("a", a), ("b", b)) for value in STATES[state]},
            }
            for key in forms
            for a, b in product(STATES, repeat=2)
        ],
    }
    empty = {"all-of-none": {"all": []}, "any-of-none": {"any": []}, "not-all-of-none": {"not": {"all": []}}}
    empty |= {"all-with-empty-any": {"all": [A, {"any": []}]}, "any-with-empty-all": {"any": [A, {"all": []}]}}
    yield {
        "name": "empty groups",
        "snapshot": snapshot({key: flag(gives("treatment", form)) for key, form in empty.items()}),
        "cases": [{"name": key, "flag": key, "unit": "u1", "context": {}} for key in empty],
    }
    yield _audiences()
    yield _attributes()
    yield _order()


def _audiences() -> dict[str, Any]:
    audiences = {
        "nordic": compare("country", "in", ["SE", "NO", "DK", "FI", "IS"]),
        "paying": {"any": [compare("plan", "equals", "pro"), compare("plan", "equals", "team")]},
        "nordic-paying": {"all": [{"audience": "nordic"}, {"audience": "paying"}]},
        "broken-and-unused": {"attribute": "x", "op": "no such operator", "value": 1},
    }
    flags = {
        "for-nordic": flag(gives("treatment", {"audience": "nordic"})),
        "for-others": flag(gives("treatment", {"not": {"audience": "nordic-paying"}})),
        "for-both": flag(gives("treatment", {"audience": "nordic-paying"})),
    }
    contexts = {
        "both": {"country": "SE", "plan": "pro"},
        "one": {"country": "SE", "plan": "free"},
        "none": {"country": "DE", "plan": "free"},
        "country only": {"country": "SE"},
        "another country only": {"country": "DE"},
        "nothing known": {},
    }
    return {
        "name": "audiences, an unused one broken",
        "snapshot": snapshot(flags, audiences=audiences),
        "cases": [
            {"name": f"{key}: {what}", "flag": key, "unit": "u1", "context": context}
            for key in flags
            for what, context in contexts.items()
        ],
    }


def _attributes() -> dict[str, Any]:
    rules = (
        gives("treatment", {"all": [compare("first", "equals", 1), compare("second", "equals", 1)]}, "r1"),
        gives("treatment", {"any": [compare("third", "equals", 1), compare("second", "equals", 2)]}, "r2"),
        rolls(when=compare("targetingKey", "starts_with", "u"), rule="r3"),
        gives("treatment", compare("fifth", "exists", True), "r4"),
    )
    everything = {"first": 0, "second": 0, "third": 0, "fourth": 0, "fifth": None, "targetingKey": "not this one"}
    return {
        "name": "attributes of a decision",
        "snapshot": snapshot({"f": flag(*rules), "s": flag(*rules, sticky={"u7": "treatment"})}),
        "cases": [
            {
                "name": "decided by the first rule",
                "flag": "f",
                "unit": "u1",
                "context": everything | {"first": 1, "second": 1},
            },
            {"name": "decided by the second rule", "flag": "f", "unit": "u1", "context": everything | {"third": 1}},
            {"name": "decided by a split", "flag": "f", "unit": "u1", "context": everything},
            {"name": "decided by no rule", "flag": "f", "unit": "x1", "context": everything},
            {"name": "missing ones are left out", "flag": "f", "unit": "u1", "context": {"second": 3}},
            {"name": "without a unit", "flag": "f", "unit": None, "context": everything | {"fifth": 2}},
            {"name": "an integer unit is text", "flag": "f", "unit": 7, "context": {}},
            {"name": "sticky read none", "flag": "s", "unit": "u7", "context": everything},
        ],
    }


def _order() -> dict[str, Any]:
    both = flag(
        gives("a", compare("x", "at_least", 1), "first"),
        gives("b", compare("x", "at_least", 0), "second"),
        gives("c", None, "everyone"),
        gives("a", compare("x", "less_than", -5), "never reached"),
        type="string",
        variants=[{"name": name, "value": name} for name in "abc"],
        default_variant="a",
    )
    return {
        "name": "the first rule that is true decides",
        "snapshot": snapshot({"f": both}),
        "cases": [
            {"name": f"x is {x!r}", "flag": "f", "unit": "u1", "context": {} if x is None else {"x": x}}
            for x in (2, 0, -9, None, "2")
        ],
    }
