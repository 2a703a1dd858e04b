"""The sixteen steps on real customers of 1997, for whom nothing was changed: an experiment whose truth is zero."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paribus.app.demo import DOSSIER, RESULT, Told, clear, walk
from paribus.app.feature import workshop
from paribus.app.replayed import BEGIN, HISTORY_DAYS, Replayed
from paribus.app.simulated_history import ENVIRONMENT
from paribus.app.stage import AUTHOR

Json = dict[str, Any]
CASE = "cdnow"
TITLE = "Real customers of CDNOW, 1997"
STORY = (
    "23,570 people who bought music for the first time in the first quarter of 1997, with every later order. The "
    "feature was never built: both variants are the same past, so the true effect is zero"
)
REQUIREMENT = "a voucher for the second order after a first order (replayed from 1997: nobody is shown it)"
KEY = "second-order-voucher"
CONFIG = """\
experiment_config:
  min_sample_size: 1000
  runtime_days: 28
exploration:
  funnel_window_hours: 168
implementation:
  page: none
minimum_detectable_effect: 0.25
"""
NOTE = "zero by construction: both variants are the same past, on real behavior"


def run_real_demo(*, seed: int = 7, out: Path, told: Told = lambda kind, details: None) -> Json:
    """Takes a feature through the steps on real orders; the result as `run_demo` gives it.

    Args:
        seed: of whatever is simulated on the history: the plan's operating characteristics, the clusters.
        out: a new folder.
        told: hears the story.

    Raises:
        InputError: the folder is not empty.
    """
    from paribus.workflow.config_file import parsed

    began = time.monotonic()
    clear(out)
    told("begun", {"case": CASE, "title": TITLE, "story": STORY, "simulated": False})
    with Replayed(out, KEY) as world:
        world.start()
        events = world.write_history()
        told("history", {"events": events, "days": HISTORY_DAYS, "begin": BEGIN.isoformat()})
        with workshop(world.settings, endpoint=world.endpoint, clock=world.clock) as shop:
            shop.is_demo, shop.seed = False, seed
            shop.new(
                REQUIREMENT,
                config=parsed(CONFIG, "the demo's configuration"),
                key=KEY,
                environment=ENVIRONMENT,
                author=AUTHOR,
            )
            stop = walk(shop, world, KEY, told)
            told("stopped", {"kind": stop.kind, "step": stop.step, "message": stop.message})
            dossier = shop.export(KEY, out / DOSSIER)
            steps = [{"step": each["step"], "status": each["state"]} for each in shop.show(KEY)["steps"]]
            artifacts = {slug: artifact.facts for slug, artifact in shop.dossier.artifacts(KEY).items()}
            scorecard = shop.scorecard(KEY)
        truth = {"metrics": _beside_zero(artifacts), "note": NOTE}
        told("truth", truth)
    analyzed = artifacts.get("analyze", {})
    result: Json = {
        "case": CASE,
        "seed": seed,
        "simulated": False,
        "steps": steps,
        "stop": {"kind": stop.kind, "step": stop.step, "message": stop.message},
        "verdict": str(analyzed["verdict"]) if analyzed else f"{stop.kind} at {stop.step}",
        "recommendation": artifacts.get("impact", {}).get("recommendation"),
        "named": list(analyzed.get("named", ())),
        "truth": truth,
        "scorecard": scorecard,
        "events": {"history": events, "traffic": world.events + world.exposures, "exposures": world.exposures},
        "seconds": round(time.monotonic() - began, 1),
        "dossier": str(dossier),
    }
    (out / RESULT).write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return result


def _beside_zero(artifacts: Mapping[str, Json]) -> list[Json]:
    """What was estimated for every metric of the plan, beside the effect that nothing has."""
    estimates = {each["metric"]: each for each in artifacts.get("analyze", {}).get("effects", ())}
    found = []
    for metric in artifacts.get("design", {}).get("document", {}).get("metrics", ()):
        relative = estimates.get(metric["name"], {}).get("relative") or {}
        low, high = relative.get("low"), relative.get("high")
        found.append(
            {
                "metric": metric["name"],
                "role": metric.get("role", ""),
                "control": None,
                "treatment": None,
                "relative": 0.0,
                "estimate": relative.get("value"),
                "low": low,
                "high": high,
                "interval_covers_truth": None if low is None or high is None else bool(low <= 0.0 <= high),
                "segments": {},
            }
        )
    return found
