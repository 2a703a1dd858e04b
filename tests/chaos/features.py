"""Features on their way through the sixteen steps while the process that makes them is killed, and what they leave."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import MappingProxyType
from typing import Any

from tests.chaos.installation import ROOT
from tests.shop import small

from paribus.app.demo import config_of
from paribus.app.feature import workshop
from paribus.app.folder import CLOCK, definitions
from paribus.app.simulated_history import ENVIRONMENT
from paribus.app.simulation import Simulation
from paribus.app.stage import DATA
from paribus.clock import FileClock
from paribus.shop import Scenario
from paribus.store import DEFAULT_PROJECT, Address

Json = dict[str, Any]
AUTHOR = "ann"
MOST_RUNS = 120


def scenario(**config: Any) -> Scenario:
    """A shop of a few hundred visits a day, and a plan that asks for little."""
    return small.scenario(
        calendar={"history_days": 28},
        population={"known_users": 1500, "visits_per_week": 0.6},
        config={
            "experiment_config": {"min_sample_size": 100, "runtime_days": 7, "traffic_allocation": "fixed"},
            "minimum_detectable_effect": 0.5,
            **config,
        },
    )


def lived(out: Path, made: Scenario, seed: int, *, store_url: str = "") -> Simulation:
    """A shop whose history is in the lake, and its feature asked for; its server has stopped."""
    out.mkdir()
    simulation = Simulation(out, made, seed, senders=1, store_url=store_url)
    try:
        simulation.start()
        simulation.write_history()
    finally:
        simulation.close()
    with workshop(simulation.settings) as shop:
        feature = made.feature
        shop.new(feature.requirement, config=config_of(made), environment=ENVIRONMENT, key=feature.key, author=AUTHOR)
    return simulation


def twin(simulation: Simulation, out: Path) -> Simulation:
    """The same shop in a folder of its own."""
    shutil.copytree(simulation.out, out)
    other = copy.copy(simulation)
    other.out, other.settings = out, replace(simulation.settings, data=out / DATA)
    other.clock = FileClock(out / DATA / CLOCK)
    other._traffic = []
    return other


def environment_of(simulation: Simulation) -> dict[str, str]:
    """Of a process that works on the shop's folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARIBUS_")}
    if simulation.settings.store_url:
        environment["PARIBUS_STORE_URL"] = simulation.settings.store_url
    return environment


Moment = float | tuple[str, int]
"""When to kill: seconds after the step began, at its end at the latest; or once a document has so many revisions."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: the step that had said to run, what ran when the process died, seconds in between."""

    step: str
    during: str
    seconds: float


@dataclass
class Walk:
    """A feature's way from start to end, as far as the process outside can see it.

    seconds   of each step, how long it ran each time that it was not killed: it waits, or makes its artifact
    """

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    stops: list[Json] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def serving(simulation: Simulation) -> Iterator[Simulation]:
    """The shop with its server."""
    simulation.start()
    try:
        simulation.wait()
        yield simulation
    finally:
        simulation.close()


def walk(
    simulation: Simulation, kills: Mapping[tuple[str, int], Sequence[Moment]] = MappingProxyType({}), *, waits: int = 0
) -> Walk:
    """Runs the feature until it stops for good, or has waited for traffic so often.

    Args:
        simulation: the shop, its server running.
        kills: by step and by how often it has run before without being killed.
        waits: how often the feature waits for traffic before it is left as it is; 0: as often as it wants.

    Raises:
        AssertionError: a run that was not killed failed.
    """
    key = simulation.scenario.feature.key
    left = {place: list(delays) for place, delays in kills.items()}
    done = Walk()
    for _ in range(MOST_RUNS):
        done.runs += 1
        stop = _run(simulation, key, left, done)
        if stop is None:
            continue
        done.stops.append(stop)
        if stop["kind"] != "waiting" or (waits and sum(each["until"] is not None for each in done.stops) == waits):
            return done
        if stop["until"] is not None:
            simulation.play(datetime.fromisoformat(stop["until"]))
        else:
            assert stop["step"] == "validate", stop
            simulation.rehearse(key)
    raise AssertionError(f"it does not come to an end: {done.stops[-3:]}")


def moments(
    seconds: Mapping[str, Sequence[float]], steps: Iterable[str], number: int, seed: int
) -> dict[tuple[str, int], list[Moment]]:
    """When to kill each step: in one of its runs, at random within the time that it takes, and before that at once."""
    generator = random.Random(seed)
    found: dict[tuple[str, int], list[Moment]] = {}
    for step in steps:
        run = generator.randrange(len(seconds[step]))
        found[step, run] = [*[0.0] * (number - 1), generator.uniform(0, seconds[step][run])]
    return found


def _run(simulation: Simulation, key: str, left: dict[tuple[str, int], list[Moment]], done: Walk) -> Json | None:
    """One process; what it said at its end, None when it was killed."""
    log = simulation.out / "walking.log"
    command = [sys.executable, "-m", "tests.chaos.walking", str(simulation.settings.data), key]
    environment = environment_of(simulation)
    with (
        log.open("wb") as said,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        said_lines: SimpleQueue[str] = SimpleQueue()
        Thread(target=_listen, args=(process, said_lines), daemon=True).start()
        began, here = time.monotonic(), ""
        while line := said_lines.get():
            word, _, rest = line.strip().partition(" ")
            if word != "running":
                done.seconds.setdefault(here, []).append(time.monotonic() - began)
            if word == "stopped":
                stop: Json = json.loads(rest)
                assert process.wait(60) == 0, log.read_text()[-3000:]
                return stop
            if word != "running":
                continue
            began, here = time.monotonic(), rest
            moments_left = left.get((here, len(done.seconds.get(here, ()))))
            if moments_left:
                early = _wait_for(moments_left.pop(0), simulation, key, process, said_lines)
                process.kill()
                seconds = time.monotonic() - began
                died_in = here
                for line in [*([early] if early else []), *iter(said_lines.get, "")]:  # what it did before it died
                    word, _, rest = line.strip().partition(" ")
                    if word == "running":
                        died_in = rest
                    else:
                        done.seconds.setdefault(died_in.removeprefix("after "), []).append(seconds)
                        died_in = f"after {died_in}"
                process.wait()
                done.kills.append(Kill(here, died_in, round(seconds, 2)))
                return None
        process.wait(60)
    raise AssertionError(f"a run ended in {here} with {process.returncode}: {log.read_text()[-3000:]}")


def _listen(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    """Every line that the process says, then an empty one."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _wait_for(
    moment: Moment, simulation: Simulation, key: str, process: subprocess.Popen[str], lines: SimpleQueue[str]
) -> str:
    """Waits for the moment; the line that came first, "" otherwise."""
    if isinstance(moment, float):
        with suppress(Empty):
            return lines.get(timeout=moment) if moment else ""
        return ""
    kind, number = moment
    with definitions(simulation.settings) as store:
        while process.poll() is None:
            found = store.find(Address(DEFAULT_PROJECT, kind, key))
            if found is not None and found.number >= number:
                break
    return ""
