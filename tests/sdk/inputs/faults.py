"""Broken definitions: each answers with its default and never with an exception."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot, strings


def _condition(condition: Any) -> dict[str, Any]:
    return flag(gives("treatment", condition))


def _rollout(**parts: Any) -> dict[str, Any]:
    rule = rolls()
    rule["rollout"] = {name: part for name, part in (rule["rollout"] | parts).items() if part != "REMOVED"}
    return flag(rule)


def suites() -> Iterator[dict[str, Any]]:
    yield _suite("broken conditions", _CONDITIONS, audiences=_AUDIENCES)
    yield _suite("broken flags", _FLAGS)
    yield _suite(
        "broken rollouts",
        _ROLLOUTS,
        layers={"good": {"salt": "s"}, "bad": {}, "worse": None},
        holdouts={"bad": {"salt": "s", "share_bp": 10001}, "worse": {"share_bp": 100}},
    )
    yield _suite("broken regular expressions", _EXPRESSIONS, browser=False)
    yield _suite("broken prerequisites", _PREREQUISITES)


def _suite(name: str, flags: dict[str, Any], browser: bool = True, **parts: Any) -> dict[str, Any]:
    cases = [
        {"name": key, "flag": key, "unit": "u1", "context": {"it": "x", "n": 5}, "default": "mine"} for key in flags
    ]
    if name == "broken flags":
        cases += [
            {
                "name": f"{key}, asked for a {kind}",
                "flag": key,
                "unit": "u1",
                "context": {},
                "kind": kind,
                "default": "mine",
            }
            for key in ("no default", "rule gives nothing", "no such type")
            for kind in ("boolean", "string")
        ]
    return {"name": name, "browser": browser, "snapshot": snapshot(flags, **parts), "cases": cases}


_AUDIENCES = {
    "itself": {"audience": "itself"},
    "egg": {"any": [{"audience": "hen"}, compare("it", "equals", "x")]},
    "hen": {"not": {"audience": "egg"}},
    "to-broken": {"all": [{"audience": "broken"}]},
    "broken": compare("it", "no such operator", 1),
    "good": compare("it", "equals", "x"),
}
_CONDITIONS = {
    "good": _condition({"audience": "good"}),
    "no such operator": _condition(compare("it", "equal", "x")),
    "operator missing": _condition({"attribute": "it", "value": "x"}),
    "value missing": _condition({"attribute": "it", "op": "equals"}),
    "attribute is a number": _condition(compare(5, "equals", "x")),  # type: ignore[arg-type]
    "no such audience": _condition({"audience": "nobody"}),
    "audience of itself": _condition({"audience": "itself"}),
    "cycle of audiences": _condition({"audience": "hen"}),
    "audience that is broken": _condition({"audience": "broken"}),
    "audience of one that is broken": _condition({"not": {"audience": "to-broken"}}),
    "audience by number": _condition({"audience": 5}),
    "no form": _condition({}),
    "two forms": _condition({"all": [], "any": []}),
    "a form and an attribute": _condition({"not": {"all": []}, **compare("it", "equals", "x")}),
    "unknown form": _condition({"none": []}),
    "all is no list": _condition({"all": {}}),
    "not is a list": _condition({"not": []}),
    "a list for a condition": _condition([]),
    "text for a condition": _condition("it = x"),
    "deep inside": _condition({"any": [compare("it", "equals", "x"), {"not": {"all": [compare("it", "like", "x")]}}]}),
    "equals null": _condition(compare("it", "equals", None)),
    "equals a list": _condition(compare("it", "equals", ["x"])),
    "in text": _condition(compare("it", "in", "x")),
    "in a list with null": _condition(compare("it", "in", ["x", None])),
    "in a list of lists": _condition(compare("it", "not_in", [["x"]])),
    "less_than text": _condition(compare("n", "less_than", "6")),
    "at_least a boolean": _condition(compare("n", "at_least", True)),
    "semver of two numbers": _condition(compare("it", "semver_at_least", "1.0")),
    "semver of a number": _condition(compare("it", "semver_equals", 1)),
    "before without an offset": _condition(compare("it", "before", "2026-01-01T00:00:00")),
    "before milliseconds": _condition(compare("n", "before", 1769860800000)),
    "after no such day": _condition(compare("it", "after", "2026-02-29T00:00:00Z")),
    "starts_with a number": _condition(compare("it", "starts_with", 5)),
    "contains a list of numbers": _condition(compare("it", "contains", [5])),
    "exists text": _condition(compare("it", "exists", "true")),
    "when is null": _condition(None) | {"rules": [{"id": "r1", "when": None, "variant": "treatment"}]},
}
_FLAGS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "no such type": flag(type="number"),
    "type missing": {name: part for name, part in flag().items() if name != "type"},
    "no variants": flag(variants=[]),
    "variants is an object": flag(variants={"control": False}),
    "a variant without name": flag(variants=[{"value": True}, {"name": "control", "value": False}]),
    "a variant without value": flag(variants=[{"name": "control"}]),
    "a name twice": flag(variants=[{"name": "control", "value": True}, {"name": "control", "value": False}]),
    "a value of another type": flag(variants=[{"name": "control", "value": "false"}]),
    "an integer with a fraction": flag(type="integer", variants=[{"name": "control", "value": 1.5}]),
    "a boolean for an integer": flag(type="integer", variants=[{"name": "control", "value": True}]),
    "no default": flag(gives("treatment"), default_variant="nothing"),
    "default missing": {name: part for name, part in flag(gives("treatment")).items() if name != "default_variant"},
    "default of another case": flag(default_variant="Control"),
    "enabled is text": flag(gives("treatment"), enabled="false"),
    "killed is a number": flag(gives("treatment"), killed=1),
    "broken and killed": flag(gives("no such variant"), killed=True),
    "broken and overridden": flag(gives("no such variant"), overrides={"u1": "treatment"}),
    "unit_attribute is a number": flag(gives("treatment"), unit_attribute=5),
    "unit_type is null": flag(gives("treatment"), unit_type=None),
    "broken with a unit attribute": flag(gives("no such variant"), unit_attribute="it"),
    "revision is text": flag(gives("treatment"), revision="3"),
    "rules is an object": flag(rules={}),
    "a rule is text": flag(rules=["r1"]),
    "rule gives nothing": flag(rules=[{"id": "r1"}]),
    "rule gives both": flag(rules=[rolls() | {"variant": "control"}]),
    "rule gives an unknown variant": flag(gives("no such variant")),
    "a rule after the deciding one is broken": flag(gives("treatment"), gives("no such variant", None, "r2")),
    "id is a number": flag(rules=[{"id": 1, "variant": "treatment"}]),
    "no id": flag(rules=[{"variant": "treatment"}]),
    "overrides is a list": flag(gives("treatment"), overrides=["u1"]),
    "sticky is text": flag(gives("treatment"), sticky="u1"),
    "an override to an unknown variant": flag(gives("treatment"), overrides={"u1": "nothing", "u2": "control"}),
    "sticky to an unknown variant": flag(gives("treatment"), sticky={"u1": "nothing"}),
    "unknown parts are ignored": flag(gives("treatment"), schema={"type": "boolean"}, owner="ann"),
    "only what is needed": {"type": "boolean", "variants": flag()["variants"], "default_variant": "treatment"},
}
_EVEN = [{"variant": "control", "weight_bp": 5000}, {"variant": "treatment", "weight_bp": 5000}]
_ROLLOUTS = {
    "split sums to 9999": flag(rolls({"control": 5000, "treatment": 4999})),
    "split sums to 10001": flag(rolls({"control": 5000, "treatment": 5001})),
    "empty split": _rollout(split=[]),
    "split missing": _rollout(split="REMOVED"),
    "unknown variant": flag(rolls({"control": 5000, "other": 5000})),
    "negative weight": flag(rolls({"control": -1, "treatment": 10001})),
    "weight with a fraction": _rollout(
        split=[{"variant": "control", "weight_bp": 0.5}, {"variant": "treatment", "weight_bp": 9999.5}]
    ),
    "weight is text": _rollout(split=[{"variant": "control", "weight_bp": "10000"}]),
    "a variant twice": _rollout(split=[{"variant": "control", "weight_bp": 5000}] * 2),
    "traffic above 10000": _rollout(traffic_bp=10001),
    "traffic missing": _rollout(traffic_bp="REMOVED"),
    "traffic salt missing": _rollout(traffic_salt="REMOVED"),
    "split salt is a number": _rollout(split_salt=5),
    "epoch missing": _rollout(epoch="REMOVED"),
    "bands is null": _rollout(bands=None),
    "no bands": _rollout(bands=[]),
    "bands is text": _rollout(bands="all"),
    "a band is a number": _rollout(bands=[7]),
    "a band without its end": _rollout(bands=[{"epoch": 1, "split": _EVEN}]),
    "a band of nobody": _rollout(bands=[{"below_bp": 0, "epoch": 1, "split": _EVEN}]),
    "bands out of order": _rollout(
        bands=[{"below_bp": 5000, "epoch": 1, "split": _EVEN}, {"below_bp": 5000, "epoch": 2, "split": _EVEN}]
    ),
    "a band's split sums to 5000": _rollout(bands=[{"below_bp": 5000, "epoch": 1, "split": _EVEN[:1]}]),
    "a band without an epoch": _rollout(bands=[{"below_bp": 5000, "split": _EVEN}]),
    "layer is null": _rollout(layer=None),
    "no such layer": _rollout(layer={"key": "nothing", "from_bp": 0, "to_bp": 10000}),
    "layer without salt": _rollout(layer={"key": "bad", "from_bp": 0, "to_bp": 10000}),
    "layer that is null": _rollout(layer={"key": "worse", "from_bp": 0, "to_bp": 10000}),
    "layer from above to": _rollout(layer={"key": "good", "from_bp": 5000, "to_bp": 4000}),
    "layer without end": _rollout(layer={"key": "good", "from_bp": 0}),
    "layer in order": _rollout(layer={"key": "good", "from_bp": 0, "to_bp": 10000}),
    "no such holdout": flag(gives("treatment"), holdouts=["nothing"]),
    "holdout above 10000": flag(gives("treatment"), holdouts=["bad"]),
    "holdout without salt": flag(gives("treatment"), holdouts=["worse"]),
    "holdouts is text": flag(gives("treatment"), holdouts="bad"),
}
_EXPRESSIONS = {
    "unclosed group": _condition(compare("it", "matches", "(x")),
    "lookahead": _condition(compare("it", "matches", "(?=x)")),
    "lookbehind": _condition(compare("it", "matches", "(?<!x)x")),
    "back-reference": _condition(compare("it", "matches", r"(x)\1")),
    "repetition of nothing": _condition(compare("it", "matches", "*x")),
    "a number": _condition(compare("it", "matches", 5)),
    "in order": _condition(compare("it", "matches", "^x$")),
}


def _needs(*keys: str, variant: str = "treatment") -> dict[str, Any]:
    return flag(gives("treatment"), prerequisites=[{"flag": key, "variants": [variant]} for key in keys])


_PREREQUISITES = {
    "itself": _needs("itself"),
    "left": _needs("right"),
    "right": _needs("left", variant="control"),
    "one": _needs("two"),
    "two": _needs("three"),
    "three": _needs("one"),
    "needs a cycle": _needs("left"),
    "needs a cycle's default": _needs("left", variant="control"),
    "no such flag": _needs("nothing"),
    "no such variant": _needs("good", variant="nothing"),
    "needs a broken one": _needs("broken"),
    "needs a broken one's default": _needs("broken", variant="control"),
    "needs one without default": flag(
        gives("treatment"), prerequisites=[{"flag": "no default", "variants": ["treatment"]}]
    ),
    "needs one without variants": _needs("no variants"),
    "prerequisite is text": flag(gives("treatment"), prerequisites=["good"]),
    "prerequisites is an object": flag(gives("treatment"), prerequisites={"flag": "good"}),
    "variants is text": flag(gives("treatment"), prerequisites=[{"flag": "good", "variants": "treatment"}]),
    "good": flag(gives("treatment")),
    "needs good": _needs("good"),
    "broken": flag(gives("no such variant")),
    "no default": flag(gives("treatment"), default_variant="nothing"),
    "no variants": flag(variants=[]),
    "three values": flag(type="string", variants=strings("a", "b"), default_variant="a"),
    "needs a string's variant": flag(gives("treatment"), prerequisites=[{"flag": "three values", "variants": ["a"]}]),
}
