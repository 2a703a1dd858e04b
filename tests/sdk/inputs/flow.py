"""The order of evaluation, units, types, rollouts, layers, holdouts and prerequisites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot, strings

UNITS = [f"user-{number}" for number in range(12)]


def suites() -> Iterator[dict[str, Any]]:
    yield _order()
    yield _units()
    yield _types()
    yield _rollouts()
    yield _layers()
    yield _holdouts()
    yield _prerequisites()


def _case(name: str, key: str, unit: Any = "u1", context: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "flag": key, "unit": unit, "context": context or {}, **more}


def _order() -> dict[str, Any]:
    lists = {
        "overrides": {"tester": "treatment", "both": "treatment"},
        "sticky": {"old": "treatment", "both": "control"},
    }
    lists["overrides"]["gone"] = lists["sticky"]["gone"] = "no such variant"
    needs = {"prerequisites": [{"flag": "gate", "variants": ["treatment"]}]}
    everyone = {"holdouts": ["everyone"]}
    flags = {
        "gate": flag(gives("treatment", compare("gate", "equals", "open"))),
        "lists": flag(gives("control"), **lists),
        "killed": flag(gives("treatment"), killed=True, **lists),
        "disabled": flag(gives("treatment"), enabled=False, **lists),
        "killed-and-disabled": flag(gives("treatment"), enabled=False, killed=True),
        "gated": flag(gives("treatment"), **needs, **lists, **everyone),
        "held": flag(gives("treatment"), **lists, **everyone),
        "no-rules": flag(default_variant="treatment"),
    }
    contexts = {"closed": {}, "open": {"gate": "open"}}
    cases = [
        _case(f"{key}, {unit}, gate {gate}", key, unit, context)
        for key in flags
        for unit in ("tester", "old", "both", "gone", "u1")
        for gate, context in contexts.items()
        if key != "gate" and (gate == "closed" or key == "gated")
    ]
    cases += [_case("no such flag", "nothing", default="mine"), _case("no such flag, no unit", "nothing", None)]
    cases += [_case("no such flag, asked for a type", "nothing", kind="integer", default=7)]
    return {
        "name": "order of evaluation",
        "snapshot": snapshot(flags, holdouts={"everyone": {"salt": "everyone", "share_bp": 10000}}),
        "cases": cases,
    }


def _units() -> dict[str, Any]:
    flags = {
        "split": flag(rolls()),
        "fixed": flag(gives("treatment")),
        "company": flag(
            rolls(salt="company"), unit_type="company", unit_attribute="company", overrides={"c9": "treatment"}
        ),
        "key": flag(gives("treatment", compare("targetingKey", "equals", "7")), overrides={"42": "treatment"}),
        "key-as-attribute": flag(rolls(), unit_attribute="targetingKey"),
        "held": flag(gives("treatment"), holdouts=["everyone"]),
    }
    given: dict[str, Any] = {
        "text": "u1",
        "an integer": 1234567890,
        "its digits": "1234567890",
        "zero": 0,
        "a negative integer": -7,
        "the largest safe integer": 9007199254740991,
        "a float": 1.5,
        "true": True,
        "false": False,
        "empty text": "",
        "none": None,
        "a list": ["u1"],
        "an object": {"id": "u1"},
        "a space": " ",
        "emoji": "👩‍👩‍👧‍👦",
        "composed": "\u00e9",
        "decomposed": "e\u0301",
        "Chinese": "用户一",
    }
    cases = [_case(f"split: {what}", "split", unit) for what, unit in given.items()]
    cases += [_case(f"company: {what}", "company", "u1", {"company": unit}) for what, unit in given.items()]
    cases += [
        _case("an integer beyond 2^53", "split", 12345678901234567890, browser=False),
        _case("no company", "company", "u1"),
        _case("an override by company", "company", "u1", {"company": "c9"}),
        _case("an override is by company, not by user", "company", "c9", {"company": "c1"}),
        _case("a fixed variant needs no unit", "fixed", None),
        _case("the targeting key is the unit given", "key", "7", {"targetingKey": "8"}),
        _case("the targeting key is not the context's", "key", "8", {"targetingKey": "7"}),
        _case("an integer targeting key is text", "key", 7),
        _case("an integer finds its override", "key", 42),
        _case("the targeting key as unit attribute", "key-as-attribute", "u1", {"targetingKey": "u2"}),
        _case("a holdout is skipped without a unit", "held", None),
        _case("a holdout with a unit", "held", "u1"),
    ]
    return {
        "name": "units",
        "snapshot": snapshot(flags, holdouts={"everyone": {"salt": "e", "share_bp": 10000}}),
        "cases": cases,
    }


def _types() -> dict[str, Any]:
    values: dict[str, list[Any]] = {
        "boolean": [False, True],
        "string": ["", "hello, världen 👋"],
        "integer": [0, -9007199254740991],
        "float": [0.1, 3],
        "json": [None, {"list": [1, 2.5, "three", None, {"deep": True}], "empty": {}}],
    }
    flags = {
        key: flag(
            gives("on", compare("on", "equals", True)),
            type=key,
            variants=[{"name": name, "value": value} for name, value in zip(("off", "on"), pair, strict=True)],
            default_variant="off",
        )
        for key, pair in values.items()
    }
    flags["killed"] = flag(gives("treatment"), killed=True)
    kinds = (None, *values, "object")
    cases = [
        _case(f"{key}, asked for {kind}", key, "u1", {"on": True}, kind=kind, default="mine")
        for key in values
        for kind in kinds
    ]
    cases += [_case(f"{key}, default", key, "u1", {"on": False}) for key in values]
    cases += [_case("killed, asked for another type", "killed", kind="string", default="mine")]
    return {"name": "types", "snapshot": snapshot(flags), "cases": cases}


def _rollouts() -> dict[str, Any]:
    three = strings("a", "b", "c", "d")
    uneven = {"a": 1, "b": 3333, "c": 0, "d": 6666}
    typed = {"type": "string", "variants": three, "default_variant": "c"}
    flags = {f"at-{share}": flag(rolls(traffic_bp=share, salt="ramp")) for share in (0, 1, 1000, 5000, 9999, 10000)}
    flags |= {
        "uneven": flag(rolls(uneven, salt="uneven"), **typed),
        "all-to-one": flag(rolls({"b": 10000}), **typed),
        "reversed": flag(rolls({"treatment": 5000, "control": 5000}, salt="ramp")),
        "second-epoch": flag(rolls(salt="ramp", epoch=2)),
        "two-rollouts": flag(
            rolls(traffic_bp=2000, salt="first", when=compare("country", "equals", "SE"), rule="sweden"),
            rolls(salt="second", rule="others"),
        ),
        "banded": flag(_banded(traffic_bp=8000)),
        "banded, stepped back": flag(_banded(traffic_bp=1500)),
        "banded, all in traffic": flag(_banded(traffic_bp=10000)),
    }
    cases = [_case(f"{key}, {unit}", key, unit) for key in flags if key != "two-rollouts" for unit in UNITS[:6]]
    cases += [_case(f"bands, {unit}", "banded", unit) for unit in (f"member-{number}" for number in range(40))]
    for unit in UNITS[:6]:
        cases.append(_case(f"outside of a rule's traffic decides, {unit}", "two-rollouts", unit, {"country": "SE"}))
        cases.append(_case(f"another rule, {unit}", "two-rollouts", unit, {"country": "NO"}))
    cases.append(_case("a rollout in a rule without a unit", "two-rollouts", None, {"country": "SE"}))
    return {"name": "rollouts", "snapshot": snapshot(flags), "cases": cases}


def _banded(traffic_bp: int) -> dict[str, Any]:
    rule = rolls({"control": 1000, "treatment": 9000}, traffic_bp=traffic_bp, salt="banded", epoch=3)
    all_to_one = [{"variant": "treatment", "weight_bp": 10000}]
    even = [{"variant": "control", "weight_bp": 5000}, {"variant": "treatment", "weight_bp": 5000}]
    bands = [{"below_bp": 2000, "epoch": 1, "split": even}, {"below_bp": 5000, "epoch": 2, "split": all_to_one}]
    return {**rule, "rollout": {**rule["rollout"], "bands": bands}}


def _layers() -> dict[str, Any]:
    def part(start: int, end: int) -> dict[str, Any]:
        return flag(rolls(salt=f"part-{start}", layer={"key": "checkout", "from_bp": start, "to_bp": end}))

    flags = {"first": part(0, 3000), "second": part(3000, 10000), "nobody": part(5000, 5000), "whole": part(0, 10000)}
    return {
        "name": "layers",
        "snapshot": snapshot(flags, layers={"checkout": {"salt": "layer-checkout"}, "unused": {"salt": ""}}),
        "cases": [_case(f"{key}, {unit}", key, unit) for key in flags for unit in UNITS[:8]]
        + [_case("no unit", "first", None)],
    }


def _holdouts() -> dict[str, Any]:
    holdouts = {"q4": {"salt": "holdout-q4", "share_bp": 3000}, "none": {"salt": "holdout-none", "share_bp": 0}}
    flags = {
        "one": flag(rolls(salt="one"), holdouts=["q4"]),
        "two": flag(rolls(salt="two"), holdouts=["none", "q4"]),
        "empty": flag(rolls(salt="three"), holdouts=["none"]),
        "sticky": flag(rolls(salt="four"), holdouts=["q4"], sticky={UNITS[0]: "treatment", UNITS[3]: "treatment"}),
    }
    return {
        "name": "holdouts",
        "snapshot": snapshot(flags, holdouts=holdouts),
        "cases": [_case(f"{key}, {unit}", key, unit) for key in flags for unit in UNITS[:8]],
    }


def _prerequisites() -> dict[str, Any]:
    def needs(key: str, *variants: str, **parts: Any) -> dict[str, Any]:
        return flag(gives("treatment"), prerequisites=[{"flag": key, "variants": list(variants)}], **parts)

    flags = {
        "base": flag(gives("treatment", compare("base", "equals", 1))),
        "split-base": flag(rolls(salt="base")),
        "killed-base": flag(gives("treatment"), killed=True),
        "by-company": flag(rolls(salt="base"), unit_attribute="company"),
        "needs-base": needs("base", "treatment"),
        "needs-needs-base": needs("needs-base", "treatment"),
        "needs-either": needs("base", "treatment", "control"),
        "needs-nothing-possible": needs("base"),
        "needs-split": needs("split-base", "treatment"),
        "needs-killed": needs("killed-base", "control"),
        "needs-company": needs("by-company", "treatment"),
        "needs-two": flag(
            gives("treatment"),
            prerequisites=[
                {"flag": "base", "variants": ["treatment"]},
                {"flag": "split-base", "variants": ["treatment"]},
            ],
        ),
        "diamond": flag(
            gives("treatment"),
            prerequisites=[{"flag": key, "variants": ["treatment"]} for key in ("needs-base", "needs-needs-base")],
        ),
        "overridden-base": flag(gives("control"), overrides={"tester": "treatment"}),
        "needs-overridden": needs("overridden-base", "treatment"),
        "needs-and-overrides": needs(
            "base", "treatment", overrides={"tester": "treatment"}, sticky={"old": "treatment"}
        ),
    }
    cases = [
        _case(f"{key}: base {what}", key, "u1", context)
        for key in (
            "needs-base",
            "needs-needs-base",
            "needs-either",
            "needs-nothing-possible",
            "needs-killed",
            "diamond",
        )
        for what, context in {"met": {"base": 1}, "not met": {"base": 0}, "unknown": {}}.items()
    ]
    cases += [
        _case(f"{key}, {unit}", key, unit, {"base": 1}) for key in ("needs-split", "needs-two") for unit in UNITS[:4]
    ]
    cases += [_case(f"by company {unit}", "needs-company", "u1", {"company": unit}) for unit in UNITS[:4]]
    cases += [_case("by company without one", "needs-company", "u1"), _case("no unit", "needs-split", None)]
    cases += [
        _case(f"{key}, {unit}", key, unit)
        for key in ("needs-overridden", "needs-and-overrides")
        for unit in ("tester", "old", "u1")
    ]
    return {"name": "prerequisites", "snapshot": snapshot(flags), "cases": cases}
