"""What a decision costs, in process CPU, against a floor written by hand in the same run.

    python -m benchmarks.evaluation [--repeat N] [--json]

The floor is what somebody would write for one flag and nothing else: a closure for each condition, a loop over the
rules, mmh3 for the bucket, the name of the variant as the answer; no reason, no decision object, no other flag.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import mmh3
from paribus_sdk import Evaluator

CONTEXT = {"country": "SE", "plan": "pro", "age": 41, "version": "2.3.1", "email": "ann@example.org", "beta": False}
COUNTRIES = ["NO", "DK", "FI", "IS", "EE"]


def rollout(number: int, traffic_bp: int = 10_000) -> dict[str, Any]:
    return {
        "traffic_salt": f"traffic-{number}",
        "traffic_bp": traffic_bp,
        "split_salt": f"split-{number}",
        "epoch": 1,
        "split": [{"variant": "control", "weight_bp": 5_000}, {"variant": "treatment", "weight_bp": 5_000}],
    }


def flag(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "boolean",
        "revision": 1,
        "enabled": True,
        "killed": False,
        "unit_type": "user",
        "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
        "default_variant": "control",
        "client": True,
        "rules": rules,
    }


def compare(attribute: str, op: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": op, "value": value}


def five_rules(number: int = 0) -> dict[str, Any]:
    """The unit passes four rules that do not apply and ends in the split of the fifth."""
    return flag(
        [
            {"id": "r1", "when": compare("beta", "equals", True), "variant": "treatment"},
            {
                "id": "r2",
                "when": {"all": [compare("country", "in", COUNTRIES), compare("plan", "equals", "free")]},
                "variant": "control",
            },
            {
                "id": "r3",
                "when": {"any": [compare("email", "ends_with", "@paribus.dev"), compare("age", "less_than", 18)]},
                "variant": "treatment",
            },
            {"id": "r4", "when": {"not": compare("plan", "in", ["pro", "team"])}, "variant": "control"},
            {
                "id": "r5",
                "when": {"all": [compare("country", "equals", "SE"), compare("age", "at_least", 18)]},
                "rollout": rollout(number, 5_000),
            },
        ]
    )


def plain_split(number: int = 0) -> dict[str, Any]:
    return flag([{"id": "r1", "rollout": rollout(number)}])


def snapshot(flags: dict[str, Any]) -> dict[str, Any]:
    return {"format": 1, "revision": 1, "flags": flags, "audiences": {}, "layers": {}, "holdouts": {}}


def floor() -> Callable[[str, dict[str, Any]], str]:
    """The five rules by hand: closures and mmh3."""

    def equals(attribute: str, value: Any) -> Callable[[dict[str, Any]], bool]:
        return lambda context: context.get(attribute) == value

    def one_of(attribute: str, values: frozenset[Any]) -> Callable[[dict[str, Any]], bool]:
        return lambda context: context.get(attribute) in values

    def ends_with(attribute: str, suffix: str) -> Callable[[dict[str, Any]], bool]:
        return lambda context: context.get(attribute, "").endswith(suffix)

    def at_least(attribute: str, bound: float) -> Callable[[dict[str, Any]], bool]:
        return lambda context: context.get(attribute, 0) >= bound

    def less_than(attribute: str, bound: float) -> Callable[[dict[str, Any]], bool]:
        return lambda context: context.get(attribute, 0) < bound

    def both(first: Callable[..., bool], second: Callable[..., bool]) -> Callable[[dict[str, Any]], bool]:
        return lambda context: first(context) and second(context)

    def either(first: Callable[..., bool], second: Callable[..., bool]) -> Callable[[dict[str, Any]], bool]:
        return lambda context: first(context) or second(context)

    def negation(inner: Callable[..., bool]) -> Callable[[dict[str, Any]], bool]:
        return lambda context: not inner(context)

    def fixed(variant: str) -> Callable[[str], str]:
        return lambda unit: variant

    def split(traffic_salt: str, traffic_bp: int, split_salt: str) -> Callable[[str], str]:
        hash_of = mmh3.hash

        def choose(unit: str) -> str:
            if (hash_of(f"{traffic_salt}:{unit}", 0, False) * 10_000) >> 32 >= traffic_bp:
                return "control"
            place = (hash_of(f"{split_salt}:{unit}", 0, False) * 10_000) >> 32
            return "control" if place < 5_000 else "treatment"

        return choose

    rules = [
        (equals("beta", True), fixed("treatment")),
        (both(one_of("country", frozenset(COUNTRIES)), equals("plan", "free")), fixed("control")),
        (either(ends_with("email", "@paribus.dev"), less_than("age", 18)), fixed("treatment")),
        (negation(one_of("plan", frozenset(["pro", "team"]))), fixed("control")),
        (both(equals("country", "SE"), at_least("age", 18)), split("traffic-0", 5_000, "split-0")),
    ]

    def decide(unit: str, context: dict[str, Any]) -> str:
        for applies, give in rules:
            if applies(context):
                return give(unit)
        return "control"

    return decide


def microseconds(call: Callable[[str], Any], units: list[str], repeat: int) -> float:
    """The least process CPU of `repeat` rounds over the units, per call."""
    best = float("inf")
    for _ in range(repeat):
        started = time.process_time()
        for unit in units:
            call(unit)
        best = min(best, time.process_time() - started)
    empty = float("inf")
    for _ in range(repeat):
        started = time.process_time()
        for unit in units:
            _nothing(unit)
        empty = min(empty, time.process_time() - started)
    return (best - empty) / len(units) * 1e6


def _nothing(unit: str) -> None:
    return None


def import_milliseconds() -> float:
    """CPU that importing the evaluator adds to starting Python."""

    def cpu(code: str) -> float:
        timed = f"import time; started = time.process_time()\n{code}\nprint(time.process_time() - started)"
        return min(
            float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)
            for _ in range(5)
        )

    return cpu("from paribus_sdk import Evaluator, Decision") * 1e3


def measure(repeat: int) -> dict[str, float]:
    evaluator = Evaluator(snapshot({"five": five_rules(), "plain": plain_split()}))
    many = Evaluator(snapshot({f"flag-{n}": (five_rules if n % 4 == 0 else plain_split)(n) for n in range(200)}))
    by_hand = floor()
    units = [f"user-{number}" for number in range(20_000)]
    assert all(by_hand(unit, CONTEXT) == evaluator.evaluate("five", unit, CONTEXT).variant for unit in units)
    evaluate, evaluate_all = evaluator.evaluate, many.evaluate_all
    evaluate_all("warm", CONTEXT)
    return {
        "floor_us": microseconds(lambda unit: by_hand(unit, CONTEXT), units, repeat),
        "five_rules_us": microseconds(lambda unit: evaluate("five", unit, CONTEXT), units, repeat),
        "plain_split_us": microseconds(lambda unit: evaluate("plain", unit, CONTEXT), units, repeat),
        "all_200_flags_us": microseconds(lambda unit: evaluate_all(unit, CONTEXT), units[:200], repeat),
        "import_ms": import_milliseconds(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=9, help="rounds; the least counts")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    figures = measure(options.repeat)
    figures["five_rules_ratio"] = figures["five_rules_us"] / figures["floor_us"]
    figures["plain_split_ratio"] = figures["plain_split_us"] / figures["floor_us"]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"floor, closures and mmh3, five rules   {figures['floor_us']:8.2f} us")
    print(
        f"a decision, five rules                 {figures['five_rules_us']:8.2f} us"
        f"   {figures['five_rules_ratio']:.2f} x the floor (at most 2.0)"
    )
    print(
        f"a decision, plain split                {figures['plain_split_us']:8.2f} us"
        f"   {figures['plain_split_ratio']:.2f} x the floor (at most 0.7)"
    )
    print(f"all 200 flags for one unit             {figures['all_200_flags_us']:8.1f} us   (at most 300)")
    print(f"importing the evaluator                {figures['import_ms']:8.1f} ms   (at most 100)")


if __name__ == "__main__":
    main()
