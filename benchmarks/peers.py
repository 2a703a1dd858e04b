"""What one decision of the five-rule flag costs in the SDKs of others, against the floor in the same process.

    .cache/bench/bin/python -m benchmarks.peers [--repeat N] [--json]

Every client has the flag of `benchmarks.evaluation` in its own words, decides locally, and sends nothing. All of them
give a unit control or treatment by their own hash, so that only the share of treatment is compared: a quarter.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.evaluation import CONTEXT, COUNTRIES, five_rules, floor, microseconds, snapshot

UNITS = [f"user-{number}" for number in range(5_000)]
Decide = Callable[[str], Any]


def paribus() -> Decide:
    from paribus_sdk import Evaluator

    evaluate = Evaluator(snapshot({"five": five_rules()})).evaluate
    return lambda unit: evaluate("five", unit, CONTEXT).variant == "treatment"


def paribus_exposing() -> Decide:
    """Each unit's exposure was sent before, as for all but its first decision."""
    from paribus_sdk.testing import InMemoryClient

    variant = InMemoryClient(snapshot({"five": five_rules()})).variant
    return lambda unit: variant("five", unit, CONTEXT) == "treatment"


def growthbook() -> Decide:
    from growthbook import GrowthBook

    rules = [
        {"condition": {"beta": True}, "force": "treatment"},
        {"condition": {"country": {"$in": COUNTRIES}, "plan": "free"}, "force": "control"},
        {
            "condition": {"$or": [{"email": {"$regex": "@paribus\\.dev$"}}, {"age": {"$lt": 18}}]},
            "force": "treatment",
        },
        {"condition": {"plan": {"$nin": ["pro", "team"]}}, "force": "control"},
        {
            "condition": {"country": "SE", "age": {"$gte": 18}},
            "key": "five",
            "seed": "split-0",
            "hashVersion": 2,
            "coverage": 0.5,
            "weights": [0.5, 0.5],
            "variations": ["control", "treatment"],
        },
    ]
    client = GrowthBook(features={"five": {"defaultValue": "control", "rules": rules}}, sticky_bucket_service=None)

    def decide(unit: str) -> bool:
        client.set_attributes({"id": unit, **CONTEXT})
        return bool(client.eval_feature("five").value == "treatment")

    return decide


def launchdarkly() -> Decide:
    import ldclient
    from ldclient.config import Config
    from ldclient.integrations import Files

    def clause(attribute: str, op: str, values: list[Any], negate: bool = False) -> dict[str, Any]:
        return {"contextKind": "user", "attribute": attribute, "op": op, "values": values, "negate": negate}

    rules = [
        {"clauses": [clause("beta", "in", [True])], "variation": 1},
        {"clauses": [clause("country", "in", COUNTRIES), clause("plan", "in", ["free"])], "variation": 0},
        {"clauses": [clause("email", "endsWith", ["@paribus.dev"])], "variation": 1},
        {"clauses": [clause("plan", "in", ["pro", "team"], negate=True)], "variation": 0},
        {
            "clauses": [clause("country", "in", ["SE"]), clause("age", "greaterThanOrEqual", [18])],
            "rollout": {
                "contextKind": "user",
                "variations": [{"variation": 0, "weight": 75_000}, {"variation": 1, "weight": 25_000}],
            },
        },
    ]
    flag = {
        "key": "five",
        "version": 1,
        "on": True,
        "salt": "split-0",
        "variations": ["control", "treatment"],
        "offVariation": 0,
        "fallthrough": {"variation": 0},
        "rules": [{"id": str(number), **rule} for number, rule in enumerate(rules)],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.json"
        path.write_text(json.dumps({"flags": {"five": flag}}))
        source = Files.new_data_source(paths=[str(path)])
        client = ldclient.LDClient(Config("none", update_processor_class=source, send_events=False), start_wait=10)

    def decide(unit: str) -> bool:
        builder = ldclient.Context.builder(unit)
        for name, value in CONTEXT.items():
            builder.set(name, value)
        return bool(client.variation("five", builder.build(), "none") == "treatment")

    return decide


def unleash() -> Decide:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    def strategy(constraints: list[dict[str, Any]], variant: str | None, rollout: str = "100") -> dict[str, Any]:
        names = ["control", "treatment"] if variant is None else [variant]
        return {
            "name": "flexibleRollout",
            "parameters": {"rollout": rollout, "stickiness": "userId", "groupId": "five"},
            "constraints": constraints,
            "variants": [
                {"name": name, "weight": 1000 // len(names), "stickiness": "userId", "overrides": []} for name in names
            ],
        }

    def constraint(name: str, operator: str, inverted: bool = False, **values: Any) -> dict[str, Any]:
        return {"contextName": name, "operator": operator, "inverted": inverted, **values}

    strategies = [
        strategy([constraint("beta", "IN", values=["True"])], "treatment"),
        strategy([constraint("country", "IN", values=COUNTRIES), constraint("plan", "IN", values=["free"])], "control"),
        strategy([constraint("email", "STR_ENDS_WITH", values=["@paribus.dev"])], "treatment"),
        strategy([constraint("plan", "NOT_IN", values=["pro", "team"])], "control"),
        strategy(
            [constraint("country", "IN", values=["SE"]), constraint("age", "NUM_GTE", value="18")], None, rollout="50"
        ),
    ]
    feature = {"name": "five", "type": "experiment", "enabled": True, "strategies": strategies, "variants": []}
    folder = tempfile.mkdtemp()
    cache = FileCache("bench", directory=folder)
    cache.bootstrap_from_dict({"version": 2, "features": [feature]})
    client = UnleashClient(
        "http://127.0.0.1:9",
        "bench",
        cache=cache,
        disable_metrics=True,
        disable_registration=True,
        experimental_mode=None,
    )
    client.initialize_client(fetch_toggles=False)

    def decide(unit: str) -> bool:
        return bool(client.get_variant("five", {"userId": unit, "properties": CONTEXT})["name"] == "treatment")

    return decide


def eppo(log: bool = False) -> Decide:
    import eppo_client
    from eppo_client import ClientConfig, Configuration
    from eppo_client.assignment_logger import AssignmentLogger

    class Logger(AssignmentLogger):  # type: ignore[misc]
        def log_assignment(self, event: Any) -> None:
            return None

    def allocation(number: int, rules: list[list[tuple[str, str, Any]]], splits: list[Any]) -> dict[str, Any]:
        listed = [
            {"conditions": [{"attribute": name, "operator": op, "value": value} for name, op, value in each]}
            for each in rules
        ]
        return {"key": f"a{number}", "rules": listed, "splits": splits, "doLog": log}

    def split(variant: str, *ranges: tuple[str, int, int]) -> dict[str, Any]:
        shards = [{"salt": salt, "ranges": [{"start": start, "end": end}]} for salt, start, end in ranges]
        return {"variationKey": variant, "shards": shards}

    traffic = ("traffic-0", 0, 5_000)
    allocations = [
        allocation(1, [[("beta", "ONE_OF", ["true"])]], [split("treatment")]),
        allocation(2, [[("country", "ONE_OF", COUNTRIES), ("plan", "ONE_OF", ["free"])]], [split("control")]),
        allocation(3, [[("email", "MATCHES", "@paribus\\.dev$")], [("age", "LT", 18)]], [split("treatment")]),
        allocation(4, [[("plan", "NOT_ONE_OF", ["pro", "team"])]], [split("control")]),
        allocation(
            5,
            [[("country", "ONE_OF", ["SE"]), ("age", "GTE", 18)]],
            [split("control", traffic, ("split-0", 0, 5_000)), split("treatment", traffic, ("split-0", 5_000, 10_000))],
        ),
    ]
    flag = {
        "key": "five",
        "enabled": True,
        "variationType": "STRING",
        "variations": {name: {"key": name, "value": name} for name in ("control", "treatment")},
        "allocations": allocations,
        "totalShards": 10_000,
    }
    body = {
        "createdAt": "2026-01-01T00:00:00.000Z",
        "format": "SERVER",
        "environment": {"name": "bench"},
        "flags": {"five": flag},
    }
    client = eppo_client.init(
        ClientConfig(
            api_key="none",
            assignment_logger=Logger(),
            initial_configuration=Configuration(flags_configuration=json.dumps(body).encode()),
            poll_interval_seconds=None,
        )
    )
    return lambda unit: client.get_string_assignment("five", unit, CONTEXT, "none") == "treatment"


CONTESTANTS: dict[str, Callable[[], Decide]] = {
    "Paribus": paribus,
    "Paribus, with exposures": paribus_exposing,
    "Eppo": eppo,
    "Eppo, with exposures": lambda: eppo(log=True),
    "GrowthBook": growthbook,
    "LaunchDarkly": launchdarkly,
    "Unleash": unleash,
}


def measure(repeat: int) -> dict[str, Any]:
    """Microseconds of process CPU per decision by contestant; who did not run, and why.

    Contestants take turns, round after round, as the speed of a machine changes while they run.
    """
    by_hand = floor()
    ready: dict[str, Decide] = {"floor": lambda unit: by_hand(unit, CONTEXT)}
    failed: dict[str, str] = {}
    for name, prepare in CONTESTANTS.items():
        try:
            decide = prepare()
            share = sum(map(bool, map(decide, UNITS))) / len(UNITS)
            if not 0.22 < share < 0.28:
                raise ValueError(f"treatment for {share:.1%} of the units, not for a quarter")
            ready[name] = decide
        except Exception as failure:  # noqa: BLE001 - a peer that changed its interface is named in the report
            failed[name] = f"{type(failure).__name__}: {failure}"
    figures = dict.fromkeys(ready, float("inf"))
    for _ in range(repeat):
        for name, decide in ready.items():
            figures[name] = min(figures[name], microseconds(decide, UNITS, 1))
    return {"microseconds": figures, "failed": failed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=9, help="rounds; the least counts")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    logging.disable()
    found = measure(options.repeat)
    if options.json:
        json.dump(found, sys.stdout)
        return
    figures = found["microseconds"]
    for name, each in figures.items():
        print(f"{name:<26}{each:8.2f} us{each / figures['floor']:8.2f} x the floor")
    for name, why in found["failed"].items():
        print(f"{name:<26} did not run: {why}")


if __name__ == "__main__":
    main()
