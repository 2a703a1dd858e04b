"""Features on their way through the sixteen steps while the process that makes them is killed, and what they leave."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import signal
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


def scenario(known_users: int = 1500, **config: Any) -> Scenario:
    """A shop of a few hundred visits a day, and a plan that asks for little."""
    return small.scenario(
        calendar={"history_days": 28},
        population={"known_users": known_users, "visits_per_week": 0.6},
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
    other._traffic, other._passing = [], []
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
    left = {place: list(delays) for place, delays in kills.items()}
    done = Walk()
    runner = Runner(simulation)
    try:
        for _ in range(MOST_RUNS):
            done.runs += 1
            stop = _run(runner, left, done)
            if stop is None:
                continue
            done.stops.append(stop)
            if stop["kind"] != "waiting" or (waits and sum(each["until"] is not None for each in done.stops) == waits):
                return done
            if stop["until"] is not None:
                simulation.play(datetime.fromisoformat(stop["until"]))
            else:
                assert stop["step"] == "validate", stop
                simulation.rehearse(runner.key)
    finally:
        runner.close()
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


class Runner:
    """Processes that run one feature, forked from one that has imported everything."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self.key = simulation, simulation.scenario.feature.key
        self.log = simulation.out / "walking.log"
        self.pid = 0
        self._lines: SimpleQueue[str] = SimpleQueue()
        with self.log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.walking", str(simulation.settings.data), self.key],
                cwd=ROOT,
                env=environment_of(simulation),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                bufsize=1,
            )
        Thread(target=self._listen, daemon=True).start()

    def start(self) -> None:
        """Starts a run."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        word, rest = self.hear()
        assert word == "began", (word, rest, self.said())
        self.pid = int(rest)

    def kill(self) -> None:
        """Kills the run that was started, as nothing can be caught."""
        os.kill(self.pid, signal.SIGKILL)

    def hear(self, seconds: float | None = None) -> tuple[str, str]:
        """The next line: its first word, and the rest.

        Raises:
            Empty: there was none within the seconds.
        """
        word, _, rest = self._lines.get(timeout=seconds).strip().partition(" ")
        return word, rest

    def is_over(self) -> bool:
        """Whether something was said that nobody has heard yet: the run has gone on, or ended."""
        return not self._lines.empty()

    def said(self) -> str:
        """The end of what runs wrote to standard error."""
        return self.log.read_text()[-3000:]

    def close(self) -> None:
        """Ends the process that forks, and a run with it."""
        self._process.kill()
        self._process.communicate()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("gone")


def _run(runner: Runner, left: dict[tuple[str, int], list[Moment]], done: Walk) -> Json | None:
    """One process; what it said at its end, None when it was killed."""
    runner.start()
    began, here = time.monotonic(), ""
    stop: Json | None = None
    while True:
        word, rest = runner.hear()
        if word in {"ended", "gone"}:
            assert stop is not None, f"a run ended in {here} with {rest}: {runner.said()}"
            assert rest == "0", runner.said()
            return stop
        if word != "running" and here:
            done.seconds.setdefault(here, []).append(time.monotonic() - began)
            here = ""  # it waited, or was made: what is said next is of no step
        if word == "stopped":
            stop = json.loads(rest)
        if word != "running":
            continue
        began, here = time.monotonic(), rest
        moments_left = left.get((here, len(done.seconds.get(here, ()))))
        if moments_left:
            early = _wait_for(moments_left.pop(0), runner)
            runner.kill()
            seconds = time.monotonic() - began
            died_in = here
            word, rest = early or runner.hear()
            while word not in {"ended", "gone"}:  # what it did before it died
                if word == "running":
                    died_in = rest
                elif not died_in.startswith("after "):
                    done.seconds.setdefault(died_in, []).append(seconds)
                    died_in = f"after {died_in}"
                word, rest = runner.hear()
            done.kills.append(Kill(here, died_in, round(seconds, 2)))
            return None


def _wait_for(moment: Moment, runner: Runner) -> tuple[str, str] | None:
    """Waits for the moment; the line that came first, None otherwise."""
    if isinstance(moment, float):
        with suppress(Empty):
            return runner.hear(moment) if moment else None
        return None
    kind, number = moment
    with definitions(runner.simulation.settings) as store:
        while not runner.is_over():
            found = store.find(Address(DEFAULT_PROJECT, kind, runner.key))
            if found is not None and found.number >= number:
                break
    return None
