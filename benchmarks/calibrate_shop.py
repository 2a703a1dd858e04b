"""Does the sealed plan keep its promise on whole shops? `python -m benchmarks.calibrate_shop --seed N --seeds 200`.

One plan is made by steps 1 to 3 on a shop's history, and sealed. Then many shops with an effect of exactly the plan's
minimum detectable effect, and as many without any effect, are simulated, written as files of the lake and analyzed by
the engine, without doors. The share that ships must be what the plan promised, within 3.3 standard errors, and novelty
or a segment against the whole may be named for at most 5% of shops without effect.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from paribus_sdk.decision import Reason
from paribus_sdk.evaluator import Evaluator

from paribus.app.feature import workshop
from paribus.app.simulated_history import ENVIRONMENT, history
from paribus.app.simulation import Simulation
from paribus.experiments.document import Document
from paribus.experiments.plan import Seal
from paribus.flags import change
from paribus.metrics.definition import Covariate
from paribus.shop import Course, Scenario, Truth, World, case
from paribus.shop.course import NEVER, Decided, Place
from paribus.shop.group import Contexts, Group, joined
from paribus.shop.outcome import Outcome
from paribus.shop.sending import user_id
from paribus.shop.world import DAY
from paribus.workflow.facts.design import DesignFacts

RESULTS = Path(__file__).parent / "results"
Z = 3.3
WORLDS = {"winner": "the effect is as planned", "null": "there is no effect"}
LEAST_ERROR = 0.01  # of a promise that no simulated plan broke
MOST_NAMED = 0.05
SECONDS_EACH = 5.0
TUNING_SEEDS, TUNING_STEPS = 2, 2
SALTS = 1_000_003  # a stream of chance that no day of the world draws from


@dataclass(frozen=True, slots=True)
class Sealed:
    """The plan that all shops are read by, and what it promises."""

    facts: DesignFacts
    document: Document
    seal: Seal
    flag: dict[str, Any]
    effect: float
    """Relative effect on the payment step whose effect on orders is the plan's minimum detectable effect."""

    def promise(self, kind: str) -> tuple[float, float]:
        """The share that ships in the world of that kind, and its standard error: it was simulated too."""
        found = next(each for each in self.facts.operating["worlds"] if each["words"] == WORLDS[kind])
        return float(found["ship"]), max(float(found["ship_error"]), LEAST_ERROR)


def plan(seed: int, folder: Path) -> Sealed:
    """The plan of steps 1 to 3 on the history of a shop, its effect tuned to the plan's minimum detectable effect."""
    from paribus.app.live import Installation
    from paribus.experiments.registry import stored_seal

    scenario = case("winner")
    simulation = Simulation(folder, scenario, seed)
    with Installation(simulation.settings) as live:
        for _, rows, _ in history(scenario, seed, simulation.settings):
            live.landing.append(rows)
            simulation.clock.set(datetime.fromtimestamp(rows[-1].received_time / 1e6, UTC))
        live.lake.drain()
    with workshop(simulation.settings, clock=simulation.clock) as shop:
        key = scenario.feature.key
        from paribus.app.demo import config_of

        shop.new(
            scenario.feature.requirement,
            config=config_of(scenario),
            environment=ENVIRONMENT,
            key=key,
            author="calibrate",
        )
        stop = shop.run(key, until="design", auto=True, author="calibrate")
        if stop.kind not in {"until", "done"}:
            raise RuntimeError(f"{stop.kind} at {stop.step}: {stop.message}")
        facts = DesignFacts.model_validate(shop.dossier.artifact(key, "design").facts)
        document = shop.operations.experiment(facts.experiment)
        seal = stored_seal(shop.operations.store, facts.experiment)
    assert seal is not None
    flag = change.create(facts.flag, environment=ENVIRONMENT)
    if facts.audience:
        flag["environments"][ENVIRONMENT]["rules"][0]["when"] = facts.audience
    sealed = Sealed(facts, document, seal, flag, float(facts.minimum_detectable_effect.value or 0))
    return _tuned(sealed, seed)


def read(sealed: Sealed, kind: str, seed: int) -> dict[str, Any]:
    """One shop: simulated, written, analyzed."""
    from paribus.experiments.on_lake import Snapshot, analyze_on_lake
    from paribus.workflow.steps.analyze import named

    began, cpu = time.monotonic(), time.process_time()
    course, groups, ledger = lived(sealed, scenario_of(sealed, kind), seed)
    end = datetime.fromtimestamp(course.time / 1e6, UTC)
    calendar = case("winner").calendar
    begin = calendar.begin + timedelta(days=calendar.history_days)
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        file = write(groups, ledger, sealed, Path(folder) / "events.parquet")
        result = analyze_on_lake(
            sealed.document,
            Snapshot(Path(folder), f"shop-{seed}", 1, (file,), watermark=end, lateness_p99_seconds=3600.0),
            registered=sealed.seal,
            killed_at=begin + timedelta(days=float(sealed.facts.runtime_days.value or 14)),
            threads=1,
            since_exposure=True,
        )
    return {
        "seed": seed,
        "verdict": result.verdict.value.value,
        "rule": result.verdict.rule,
        "named": [each.partition(":")[0] for each in named(result, sealed.facts)],
        "units": sum(result.units.values()),
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
    }


def scenario_of(sealed: Sealed, kind: str) -> Scenario:
    """The winner with the tuned effect, or the same shop without one."""
    scenario = case("winner")
    effects = [] if kind == "null" else [scenario.effects[0].model_copy(update={"relative": sealed.effect})]
    return scenario.model_copy(update={"effects": effects})


def lived(sealed: Sealed, scenario: Scenario, seed: int) -> tuple[Course, list[Group], Ledger]:
    """History and the plan's runtime with its windows, all traffic in from the first day."""
    world = World(scenario, seed)
    course = Course(world)
    begin = world.midnight(scenario.calendar.history_days)
    groups = course.advance(begin)
    salts = np.random.default_rng([seed, SALTS])
    flag = _salted(sealed.flag, lambda: bytes(salts.integers(0, 256, 8, dtype=np.uint8)).hex())
    ledger = Ledger(Evaluator(_snapshot(sealed.facts.flag, flag)), sealed.facts.flag, course.contexts)
    course.policy = ledger
    days = int(sealed.facts.runtime_days.value or 14) + _window(sealed.document) + 1
    for day in range(days):
        groups += course.advance(begin + (day + 1) * DAY)
    reached = begin - DAY * (1 + max((each.days or 0 for each in _covariates(sealed.document)), default=0))
    return course, [group[group.time >= reached] for group in groups], ledger


def write(groups: Sequence[Group], ledger: Ledger, sealed: Sealed, file: Path) -> Path:
    """The events that the plan's metrics read, and the exposures, as a file of the lake's table."""
    import duckdb

    wanted = {str(metric.get("event")) for metric in sealed.facts.document["metrics"]}
    wanted |= {f"${name}" for name in wanted}
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        if group.name in wanted and len(group):
            by_name.setdefault(group.name, []).append(group)
    with duckdb.connect() as connection:
        parts = []
        for number, found in enumerate(by_name.values()):
            connection.register(f"group_{number}", _columns(joined(found)))
            parts.append(f"SELECT * FROM group_{number}")
        connection.register("exposures", ledger.columns(sealed.document.design.key))
        parts.append("SELECT * FROM exposures")
        connection.execute(TABLE.format(events=" UNION ALL BY NAME ".join(parts), environment=ENVIRONMENT, file=file))
    return file


TABLE = """COPY (
    SELECT * EXCLUDE (who), printf('u%06d', who) AS unit, printf('u%06d', who) AS user_id,
        received_time AS sent_time, original_time AS corrected_time, corrected_time::DATE AS event_date,
        row_number() OVER () AS sequence, sequence::VARCHAR AS event_id, 'user' AS unit_type,
        NULL::VARCHAR AS anonymous_id, NULL::VARCHAR AS session_id, '{environment}' AS environment,
        'paribus:calibrate' AS source, '{{}}' AS properties, '{{}}' AS context, 1 AS plan_revision, true AS planned
    FROM ({events}) ORDER BY name, original_time
) TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 8192)"""


class Ledger:
    """Decides by the SDK's evaluator, and notes whom it enrolled when: the exposures, without a client around it."""

    def __init__(self, evaluator: Evaluator, flag: str, contexts: Contexts) -> None:
        self._evaluator = evaluator
        self._flag = flag
        self._contexts = contexts
        self._known: dict[int, tuple[bool, bool]] = {}
        self.enrolled: list[tuple[int, int, int, str]] = []
        """User, microseconds, code of the context, variant."""

    def decide(self, place: Place) -> Decided:
        """What the evaluator says for each row."""
        count, many = len(place.rows), len(self._contexts)
        treated, enrolled = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        user, time, context = (each.tolist() for each in (place.visits.user[place.rows], place.time, place.context))
        for i in range(count):
            key = user[i] * many + context[i]
            known = self._known.get(key)
            if known is None:
                decision = self._evaluator.evaluate(self._flag, user_id(user[i]), self._contexts[context[i]])
                known = self._known[key] = (decision.served == "treatment", decision.reason == Reason.SPLIT)
                lost = place.lost_in_control if decision.served == "control" else place.lost_in_treatment
                if known[1] and not lost[i]:
                    self.enrolled.append((user[i], time[i], context[i], str(decision.assigned)))
            treated[i], enrolled[i] = known
        return Decided(treated, enrolled)

    def told(self, place: Place, decided: Decided, out: Outcome) -> None:
        """Nothing is learned."""

    def columns(self, flag: str) -> pd.DataFrame:
        """The exposures as the lake's typed columns."""
        user, time, context, variant = zip(*self.enrolled, strict=True)
        attributes = [json.dumps(self._contexts[code]) for code in range(len(self._contexts))]
        at = pd.to_datetime(np.array(time, np.int64), unit="us", utc=True)
        return pd.DataFrame(
            {
                "name": "$exposure",
                "who": user,
                "original_time": at,
                "received_time": at,
                "p_flag": flag,
                "p_environment": ENVIRONMENT,
                "p_assigned": variant,
                "p_served": variant,
                "p_reason": "SPLIT",
                "p_epoch": 1,
                "p_revision": 1,
                "p_attributes": [attributes[code] for code in context],
            }
        )


def _columns(group: Group) -> pd.DataFrame:
    numbers = {f"p_{name}": column for name, column in group.columns.items() if column.dtype.kind in "fib"}
    return pd.DataFrame(
        {
            "name": group.name,
            "who": group.user,
            "original_time": pd.to_datetime(group.time, unit="us", utc=True),
            "received_time": pd.to_datetime(group.due, unit="us", utc=True),
            **numbers,
        }
    )


def _tuned(sealed: Sealed, seed: int) -> Sealed:
    """The effect on the payment step that moves orders of enrolled users by the minimum detectable effect."""
    target = float(sealed.facts.minimum_detectable_effect.value or 0)
    effect = target
    for _ in range(TUNING_STEPS):
        tried = Sealed(sealed.facts, sealed.document, sealed.seal, sealed.flag, effect)
        found = []
        for number in range(TUNING_SEEDS):
            scenario = scenario_of(tried, "winner")
            course, _, _ = lived(tried, scenario, seed + number)
            enrolled = course.users.enrolled
            assert (enrolled < NEVER).any()
            truth = Truth(scenario, seed + number, enrolled, course.time).effect(_success(sealed))
            assert truth is not None
            found.append(truth.relative or 0.0)
        effect *= target / float(np.mean(found))
    return Sealed(sealed.facts, sealed.document, sealed.seal, sealed.flag, effect)


def _success(sealed: Sealed) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in sealed.facts.document["metrics"] if each["role"] == "success")
    return found


def _covariates(document: Document) -> list[Covariate]:
    return [each for metric in document.design.metrics for each in metric.covariates]


def _window(document: Document) -> int:
    return int(max((metric.window_days or 0 for metric in document.design.metrics), default=0))


def _salted(flag: dict[str, Any], salt: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(flag))
    rollout = found["environments"][ENVIRONMENT]["rules"][0]["rollout"]
    rollout["traffic_salt"], rollout["split_salt"] = salt(), salt()
    return found


def _snapshot(key: str, flag: dict[str, Any]) -> dict[str, Any]:
    from paribus.flags.snapshot import build

    return build(
        project="default",
        environment=ENVIRONMENT,
        revision=1,
        flags={key: (1, flag)},
        audiences={},
        layers={},
        holdouts={},
        placements={},
    )


def summary(kind: str, runs: Sequence[dict[str, Any]], promise: tuple[float, float]) -> dict[str, Any]:
    """Ship rate against the promise, what was named, and the time that a shop takes."""
    n, (promised, error) = len(runs), promise
    ships = sum(each["verdict"] == "ship" for each in runs)
    named = sum(any(name in {"novelty", "simpson"} for name in each["named"]) for each in runs)
    reach = Z * float(np.sqrt(promised * (1 - promised) / n + error**2))
    verdicts = {value: sum(each["verdict"] == value for each in runs) for value in {each["verdict"] for each in runs}}
    return {
        "kind": kind,
        "shops": n,
        "ship_rate": ships / n,
        "promised": promised,
        "allowed": [max(promised - reach, 0.0), min(promised + reach, 1.0)],
        "ship_rate_holds": abs(ships / n - promised) <= reach,
        "named": named / n,
        "named_holds": kind != "null"
        or named / n <= MOST_NAMED + Z * float(np.sqrt(MOST_NAMED * 0.95 / n)) * (n < 200),
        "verdicts": dict(sorted(verdicts.items())),
        "units": float(np.mean([each["units"] for each in runs])),
        "cpu_seconds": float(np.median([each["cpu"] for each in runs])),
        "time_holds": float(np.median([each["cpu"] for each in runs])) <= SECONDS_EACH,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--seeds", type=int, default=200, help="shops of each kind")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="shop-plan-") as folder:
        sealed = plan(chosen.seed % 100_000, Path(folder) / "plan")
    print(
        f"plan after {time.monotonic() - began:.0f} s: promises {[sealed.promise(kind) for kind in WORLDS]}, effect {sealed.effect:.4f}",
        flush=True,
    )
    found = []
    with ProcessPoolExecutor(chosen.workers) as pool:
        for number, kind in enumerate(WORLDS):
            seeds = [chosen.seed % 100_000 + 1000 * (number + 1) + i for i in range(chosen.seeds)]
            runs = list(pool.map(partial(read, sealed, kind), seeds))
            found.append(summary(kind, runs, sealed.promise(kind)))
            print(json.dumps(found[-1]), flush=True)
    holds = all(each["ship_rate_holds"] and each["named_holds"] and each["time_holds"] for each in found)
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"calibrate-shop-{now:%Y-%m-%d}-seed{chosen.seed}.json"
    told = {
        "time": now.isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.calibrate_shop", *sys.argv[1:]]),
        "minimum_detectable_effect": sealed.facts.minimum_detectable_effect.value,
        "effect_on_payment": sealed.effect,
        "method": sealed.facts.chosen_method,
        "seconds": round(time.monotonic() - began, 1),
        "holds": holds,
        "kinds": found,
    }
    path.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{'holds' if holds else 'DOES NOT HOLD'}: {path}")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
