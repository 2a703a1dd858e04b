"""Random definitions and contexts: the compiled function, the walk and the reference decide alike."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paribus_sdk import Evaluator
from tests.sdk import reference
from tests.sdk.vectors import EXPECTED

VARIANTS = ("control", "treatment", "third")
ATTRIBUTES = ("a", "b", "c", "targetingKey")
WORDS = ("", "a", "A", "ab", "ba", "1", "true", "é", "1.0.0", "v1.0.0-rc.1", "2.0.0", "2026-01-01T00:00:00Z")
WORDS += ("2025-12-31T23:30:00-00:30", "2026-01-01", "u1", "u2")
NUMBERS = (-1, 0, 1, 2, 1.0, 0.5, 1e9, 1767225600000)
UNITS = ("u1", "u2", "u3", "用户", 1, -7, 0, None, True, 1.5, "", ["u1"])
SPLITS = (
    {"control": 5000, "treatment": 5000},
    {"treatment": 1, "third": 9998, "control": 1},
    {"control": 0, "treatment": 10000},
    {"third": 10000},
)
GROUPS = {
    ("equals", "not_equals"): "scalar",
    ("in", "not_in"): "scalars",
    ("less_than", "at_most", "greater_than", "at_least"): "number",
    ("semver_equals", "semver_at_least", "semver_less_than", "semver_at_most", "semver_greater_than"): "version",
    ("before", "after"): "time",
    ("starts_with", "ends_with", "contains"): "texts",
    ("matches",): "expression",
    ("exists",): "boolean",
}
OPERANDS = {op: group for ops, group in GROUPS.items() for op in ops}
FIXED = {
    "version": ("1.0.0", "v1.0.0-rc.1", "1.0.0-rc.2", "2.0.0+b"),
    "time": ("2026-01-01T00:00:00Z", "2025-12-31T23:00:00.5-01:00"),
    "expression": ("^a", "b$", "[0-9]+", "", "(?i)A", "."),
    "boolean": (True, False),
    "number": NUMBERS,
}


class Maker:
    """Random definitions, now and then with a fault in them."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def scalar(self) -> Any:
        return self.random.choice((self.random.choice(WORDS), self.random.choice(NUMBERS), self.often(0.5)))

    def several(self, make: Any, most: int = 3) -> list[Any]:
        return [make() for _ in range(self.random.randint(0, most))]

    def value(self) -> Any:
        return self.random.choice((self.scalar, self.scalar, lambda: None, lambda: self.several(self.scalar), dict))()

    def operand(self, op: str) -> Any:
        group = OPERANDS[op]
        if self.often(0.01):
            return self.several(self.value) if group != "expression" else "(?=x)"
        if group in FIXED:
            return self.random.choice(FIXED[group])
        if group == "scalar":
            return self.scalar()
        if group == "scalars":
            return self.several(self.scalar)
        word = lambda: self.random.choice(WORDS)  # noqa: E731
        return word() if self.often(0.5) else self.several(word)

    def condition(self, level: int = 0) -> dict[str, Any]:
        form = self.random.choice(("compare", "compare", "compare", "all", "any", "not", "audience"))
        if form in {"all", "any"} and level < 4:
            return {form: self.several(lambda: self.condition(level + 1))}
        if form == "not" and level < 4:
            return {"not": self.condition(level + 1)}
        if form == "audience" and level < 4:
            return {"audience": "nobody" if self.often(0.02) else self.random.choice("xy")}
        op = self.random.choice(tuple(OPERANDS))
        return {"attribute": self.random.choice(ATTRIBUTES), "op": op, "value": self.operand(op)}

    def audience(self, others: str) -> dict[str, Any]:
        written = self.condition(3)
        return {"any": [written, {"audience": self.random.choice(others)}]} if others and self.often(0.3) else written

    def variant(self) -> str:
        return "unknown" if self.often(0.01) else self.random.choice(VARIANTS)

    def basis_points(self) -> int:
        return self.random.choice((0, 1, 2500, 5000, 9999, 10000))

    def rule(self, number: int) -> dict[str, Any]:
        rule: dict[str, Any] = {"id": f"r{number}"}
        if self.often(0.8):
            rule["when"] = self.condition()
        if self.often(0.4):
            return rule | {"variant": self.variant()}
        shares = self.random.choice(SPLITS)
        rollout: dict[str, Any] = {
            "traffic_salt": self.random.choice(("t", "")),
            "traffic_bp": self.basis_points(),
            "split_salt": self.random.choice(("s", "t")),
            "epoch": self.random.randint(1, 3),
            "split": [{"variant": name, "weight_bp": weight} for name, weight in shares.items()],
            "bands": [
                {"below_bp": below, "epoch": epoch, "split": [{"variant": name, "weight_bp": 10_000}]}
                for epoch, below in enumerate(
                    sorted(self.random.sample((1, 900, 4000, 9999), self.random.randint(0, 3)))
                )
                for name in (self.random.choice(list(shares)),)
            ],
        }
        if self.often(0.3):
            ends = sorted((self.basis_points(), self.basis_points()))
            rollout["layer"] = {"key": "l", "from_bp": ends[0], "to_bp": ends[1]}
        return rule | {"rollout": rollout}

    def flag(self, others: str) -> dict[str, Any]:
        needed = [{"flag": self.random.choice(others), "variants": [self.variant(), self.variant()]}] if others else []
        return {
            "type": "string",
            "revision": self.random.randint(1, 9),
            "variants": [{"name": name, "value": name.upper()} for name in VARIANTS],
            "default_variant": self.random.choice(VARIANTS),
            "rules": [self.rule(number) for number in range(self.random.randint(0, 4))],
            "enabled": not self.often(0.03),
            "killed": self.often(0.03),
            "unit_attribute": self.random.choice((None, None, None, "a", "targetingKey")),
            "prerequisites": needed if self.often(0.4) else [],
            "holdouts": ["none" if self.often(0.05) else "q"] if self.often(0.3) else [],
            "overrides": {self.random.choice(("u1", "1")): self.variant()} if self.often(0.2) else {},
            "sticky": {self.random.choice(("u2", "-7")): self.variant()} if self.often(0.2) else {},
        }

    def snapshot(self) -> dict[str, Any]:
        is_circular = self.often(0.05)
        return {
            "format": 1,
            "flags": {"f": self.flag("gh"), "g": self.flag("h"), "h": self.flag("fg" if is_circular else "")},
            "audiences": {"x": self.audience("y"), "y": self.audience("xy" if is_circular else "")},
            "layers": {"l": {"salt": "layer"}},
            "holdouts": {"q": {"salt": "holdout", "share_bp": 3000}},
        }

    def context(self) -> dict[str, Any]:
        return {name: self.value() for name in ATTRIBUTES if self.often(0.6)}


@pytest.mark.parametrize("seed", range(3))
def test_compiled_walked_and_reference_decide_alike(seed: int) -> None:
    maker = Maker(Random(seed))
    seen: Counter[str] = Counter()
    for _ in range(200):
        snapshot = maker.snapshot()
        evaluator = Evaluator(snapshot)
        for _ in range(3):
            unit, context = maker.random.choice(UNITS), maker.context()
            together = evaluator.evaluate_all(unit, context)
            assert together == [evaluator.evaluate(key, unit, context) for key in snapshot["flags"]]
            for key in snapshot["flags"]:
                expected = reference.decide(snapshot, key, unit, context, None, "mine")
                seen[expected["reason"]] += 1
                compiled = evaluator.evaluate(key, unit, context, default="mine").to_dict()
                walked = evaluator._decide_carefully(key, unit, context, None, "mine").to_dict()
                assert {name: compiled[name] for name in EXPECTED} == expected, (snapshot, key, unit, context)
                assert {name: walked[name] for name in EXPECTED} == expected, (snapshot, key, unit, context)
    reasons = {"SPLIT", "TARGETING_MATCH", "DEFAULT", "OVERRIDE", "STICKY", "PREREQUISITE", "HOLDOUT", "INVALID_UNIT"}
    assert all(seen[reason] >= 8 for reason in reasons | {"KILLED", "DISABLED", "ERROR"}), seen
    assert seen["ERROR"] < sum(seen.values()) / 3


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_conditions_are_weighed_alike(random: Random) -> None:
    maker = Maker(random)
    condition = maker.condition()
    definition = {
        "type": "string",
        "variants": [{"name": name, "value": name} for name in VARIANTS],
        "default_variant": "control",
        "rules": [
            {"id": "is", "when": condition, "variant": "treatment"},
            {"id": "is-not", "when": {"not": condition}, "variant": "third"},
        ],
    }
    snapshot = {
        "format": 1,
        "flags": {"f": definition},
        "audiences": {"x": maker.audience(""), "y": maker.audience("x")},
    }
    evaluator = Evaluator(snapshot)
    for _ in range(4):
        context = maker.context()
        expected = reference.decide(snapshot, "f", "u1", context)
        decision = evaluator.evaluate("f", "u1", context)
        assert (decision.variant, decision.attributes) == (expected["variant"], expected["attributes"])
