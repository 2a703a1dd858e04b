"""The whole loop on a simulated shop: history, sixteen steps, traffic through the SDK, and the truth at the end."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.feature import Workshop, workshop
from paribus.app.folder import is_demo
from paribus.app.simulated_history import ENVIRONMENT
from paribus.app.simulation import TRUTH, Simulation
from paribus.app.stage import AUTHOR, DATA
from paribus.errors import InputError
from paribus.experiments.hypothesis import checked_requirement

if TYPE_CHECKING:
    from datetime import datetime

    from paribus.app.replayed import Replayed
    from paribus.shop.scenario import Scenario
    from paribus.shop.truth import TrueEffect, Truth
    from paribus.workflow.config import Config
    from paribus.workflow.walk import Stop

Json = dict[str, Any]
Told = Callable[[str, Json], None]
"""Hears the story: begun, history, running, made, staging, traffic, stopped, truth; each with details."""
MOST_STOPS = 200
DEFAULT_CASE = "winner"
DOSSIER, RESULT = "dossier", "result.json"


@dataclass(slots=True)
class Demo:
    """One demo, as far as it is.

    case       name of the case, or of the scenario's file
    scenario   the shop
    out        the folder of everything it writes
    told       hears the story
    """

    case: str
    scenario: Scenario
    seed: int
    out: Path
    told: Told = lambda kind, details: None
    senders: int = 2

    def run(self) -> Json:
        """The case, its steps, verdict, truth, scorecard, seconds and dossier; everything stands in `out`."""
        began = time.monotonic()
        config = config_of(self.scenario)
        checked_requirement(self.scenario.feature.requirement)
        key = self.scenario.feature.key
        self.told(
            "begun",
            {
                "case": self.case,
                "title": self.scenario.title,
                "story": self.scenario.story.rstrip("."),
                "simulated": True,
            },
        )
        with Simulation(self.out, self.scenario, self.seed, senders=self.senders) as simulation:
            simulation.start()
            threading.Thread(target=_read_code, daemon=True).start()
            events = simulation.write_history()
            self.told("history", {"events": events, "days": self.scenario.calendar.history_days})
            simulation.begin_traffic()
            with workshop(simulation.settings, endpoint=simulation.endpoint, clock=simulation.clock) as shop:
                shop.is_demo, shop.seed = True, self.seed
                shop.new(
                    self.scenario.feature.requirement, config=config, environment=ENVIRONMENT, key=key, author=AUTHOR
                )
                stop = walk(shop, simulation, key, self.told)
                self.told("stopped", {"kind": stop.kind, "step": stop.step, "message": stop.message})
                dossier = shop.export(key, self.out / DOSSIER)
                steps = [{"step": each["step"], "status": each["state"]} for each in shop.show(key)["steps"]]
                artifacts = {slug: artifact.facts for slug, artifact in shop.dossier.artifacts(key).items()}
                scorecard = shop.scorecard(key)
            truth = self._truth(simulation, artifacts)
        verdict = str(artifacts["analyze"]["verdict"]) if "analyze" in artifacts else f"{stop.kind} at {stop.step}"
        result: Json = {
            "case": self.case,
            "seed": self.seed,
            "simulated": True,
            "steps": steps,
            "stop": {"kind": stop.kind, "step": stop.step, "message": stop.message},
            "verdict": verdict,
            "recommendation": artifacts.get("impact", {}).get("recommendation"),
            "named": list(artifacts.get("analyze", {}).get("named", ())),
            "truth": truth,
            "scorecard": scorecard,
            "events": {
                "history": events,
                "traffic": simulation.events + simulation.exposures,
                "exposures": simulation.exposures,
            },
            "seconds": round(time.monotonic() - began, 1),
            "dossier": str(dossier),
        }
        (self.out / RESULT).write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return result

    def _truth(self, simulation: Simulation, artifacts: Mapping[str, Json]) -> Json:
        """The true effect on every metric of the plan, beside what was estimated."""
        import numpy as np

        from paribus.shop.truth import Truth, enrolled_of

        paths = simulation.save_enrollment()
        if not paths:
            return {"metrics": [], "note": "no traffic was played: nobody was enrolled"}
        enrolled = enrolled_of([np.load(path)["enrolled"] for path in paths])
        truth = Truth(self.scenario, self.seed, enrolled, simulation.clock.microseconds)
        found: Json = {
            "units": len(truth.users),
            "metrics": _beside(truth, artifacts),
            "by_day_since_exposure": [_rounded(each) for each in truth.by_day()],
            "note": "both potential outcomes of every enrolled user, simulated; no process that analyzes saw them",
        }
        path = self.out / TRUTH / "truth.json"
        path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        self.told("truth", found)
        return found


def walk(shop: Workshop, world: Simulation | Replayed, key: str, told: Told) -> Stop:
    """Runs a feature to its end, every approval given; where it waits, time passes and customers come."""

    def step(slug: str, what: str, seconds: float) -> None:
        details: Json = {"step": slug, "seconds": seconds}
        if what != "running":
            details["summary"] = shop.dossier.artifact(key, slug).summary
        told(what, details)

    before: tuple[str, datetime] | None = None
    for _ in range(MOST_STOPS):
        stop = shop.run(key, auto=True, told=step, author=AUTHOR)
        if stop.kind != "waiting":
            return stop
        here = (stop.message, world.clock())
        if here == before:
            return stop
        before = here
        if stop.step == "validate" and stop.until is None and isinstance(world, Simulation):
            told("staging", {"events": world.rehearse(key)})
            continue
        if stop.until is None:
            return stop
        reached = world.play(stop.until, stop=lambda: _is_killed(shop, key))
        told("traffic", {"until": reached.isoformat(), "events": world.events, "exposures": world.exposures})
    return stop


def run_demo(
    case: str | Scenario = DEFAULT_CASE,
    *,
    seed: int = 7,
    out: Path,
    told: Told = lambda kind, details: None,
    name: str = "",
    senders: int = 2,
) -> Json:
    """Runs a case, or a scenario of one's own, from history to decision.

    Args:
        case: the name of a built-in case, or a scenario.
        seed: of all chance.
        out: a new folder.
        told: hears the story.
        name: what to call a scenario of one's own.
        senders: processes that send traffic.

    Raises:
        InputError: there is no such case, or the folder is not empty.
    """
    from paribus.shop.reading import case as built_in

    scenario = built_in(case) if isinstance(case, str) else case
    clear(out)
    called = case if isinstance(case, str) else name or scenario.title
    return Demo(called, scenario, seed, out, told, senders).run()


def clear(out: Path) -> None:
    """Makes the folder of a demo, in the place of an earlier demo.

    Raises:
        InputError: something else is in it.
    """
    if is_demo(out / DATA):
        shutil.rmtree(out)
    elif out.exists() and any(out.iterdir()):
        raise InputError(
            f"{out} is not empty",
            where="--out",
            rule="a demo begins in a new folder, or takes the place of an earlier demo",
            fix="name another folder",
        )
    out.mkdir(parents=True, exist_ok=True)


def _read_code() -> None:
    """Imports what the first steps need while the server reads the history: seconds that nobody waits for."""
    for name in ("paribus.workflow.durable", "scipy.special", "scipy.optimize", "paribus.warehouse.sql", "httpx"):
        import_module(name)


def config_of(scenario: Scenario) -> Config:
    """The feature's configuration that the scenario holds.

    Raises:
        DefinitionError: it is wrong.
    """
    import yaml

    from paribus.workflow.config_file import parsed

    # A demonstration has a minute: a browser goes through its page only where the scenario says so.
    implementation = {"page": "none", **scenario.config.get("implementation", {})}
    return parsed(yaml.safe_dump({**scenario.config, "implementation": implementation}), f"{scenario.title} (config)")


def _is_killed(shop: Workshop, key: str) -> bool:
    found = shop.operations.find("flag", key)
    body = found.body if found is not None else None
    return bool(body and body.get("environments", {}).get(ENVIRONMENT, {}).get("killed"))


def _beside(truth: Truth, artifacts: Mapping[str, Json]) -> list[Json]:
    document = artifacts.get("design", {}).get("document", {})
    estimates = {each["metric"]: each for each in artifacts.get("analyze", {}).get("effects", ())}
    found = []
    for metric in document.get("metrics", ()):
        effect = truth.effect(metric)
        if effect is None:
            continue
        told = estimates.get(metric["name"], {})
        scale = "relative" if (told.get("relative") or {}).get("value") is not None else "absolute"
        shown, true = told.get(scale) or {}, getattr(effect, scale)
        low, high = shown.get("low"), shown.get("high")
        covers = None
        if low is not None and high is not None and true is not None:
            covers = bool(low <= true <= high)
        found.append(
            {
                "metric": metric["name"],
                "role": metric.get("role", ""),
                **_rounded(effect),
                "scale": scale,
                "estimate": shown.get("value"),
                "low": low,
                "high": high,
                "interval_covers_truth": covers,
                "segments": {
                    name: {value: _rounded(each) for value, each in effects.items()}
                    for name, effects in truth.by_segment(metric).items()
                }
                if metric.get("role") == "success"
                else {},
            }
        )
    return found


def _rounded(effect: TrueEffect) -> Json:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in effect.to_dict().items()}
