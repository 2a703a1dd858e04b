"""Would the tests notice? Mutants of the metric compiler, each run against the tests of metrics on DuckDB and SQLite.

    python -m benchmarks.mutate [--seed N] [--mutants N] [--minutes M] [--modules sums funnel] [--again RESULT.json]

Each mutant is one small change in one module: a comparison, a condition, a number, an operator, a builder of SQL (`less`
for `at_most`), a statement left out. A child process runs the tests with it until one fails. Golden files, which notice
any other text, stay out unless asked for: what counts is whether a number changes.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib.abc
import importlib.util
import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutations import Mutant, changed, mutants

ROOT = Path(__file__).parent.parent
PACKAGE = "paribus.metrics"
SOURCE = ROOT / "src/paribus/metrics"
TESTS = "tests/metrics"
KEPT_ENGINES = {"duckdb", "sqlite"}
ENGINES = {"duckdb", "duckdb_file", "parquet", "csv", "jsonl", "sqlite", "chdb", "postgres", "mariadb"}
# Only definitions, or what is read from other rooms.
LEFT_OUT = {"__init__", "definition", "cells"}
TIMEOUT = 120.0
SURVIVED, KILLED, TIMED_OUT, UNREACHED = "survived", "killed", "timed out", "not reached"
NOTICED = {KILLED, TIMED_OUT}
Test = pytest.Item


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant; `by` is the test that failed."""

    module: str
    line: int
    change: str
    outcome: str
    by: str = ""


@dataclass(slots=True, eq=False)
class Chosen:
    """A pytest plugin: the tests of two engines in an order, and the name of the first that fails.

    order   the tests to run, by name; all when None
    traced  also notes which lines of the package each test reaches
    """

    golden: bool
    order: list[str] | None = None
    traced: bool = False
    failed: str = ""
    ran: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[str, set[str]] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[Test]) -> None:
        """Keeps and orders."""
        kept = [item for item in items if self._is_kept(item)]
        if self.order is not None:
            place = {name: i for i, name in enumerate(self.order)}
            kept = sorted((item for item in kept if item.nodeid in place), key=lambda item: place[item.nodeid])
        items[:] = kept

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Test) -> Iterator[None]:
        """Notes the lines that a test reaches, its fixtures included."""
        if not self.traced:
            return (yield)
        reached = self.reached.setdefault(item.nodeid, set())

        def line(frame: Any, event: str, _: Any) -> Any:
            if event == "line":
                reached.add(f"{Path(frame.f_code.co_filename).stem}:{frame.f_lineno}")
            return line

        def call(frame: Any, _event: str, _: Any) -> Any:
            return line if frame.f_code.co_filename.startswith(str(SOURCE)) else None

        sys.settrace(call)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remembers times and the first failure."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        self.ran += report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is noticed, too."""
        if report.failed and not self.failed:
            self.failed = f"import for {report.nodeid}"

    def _is_kept(self, item: Test) -> bool:
        if item.get_closest_marker("slow") is not None or ("golden" in item.nodeid and not self.golden):
            return False
        parameters = item.nodeid.partition("[")[2].rstrip("]").split("-")
        named = ENGINES.intersection(parameters)
        return named <= KEPT_ENGINES


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, tree: ast.Module, path: Path) -> None:
        self.name, self.tree, self.path = name, tree, path

    def find_spec(self, fullname: str, path: object, target: object = None) -> Any:
        """The changed module's spec; None for all others."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def exec_module(self, module: Any) -> None:
        """Runs the changed tree."""
        module.__file__ = str(self.path)
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def run_tests(chosen: Chosen, *, stop: bool) -> Chosen:
    """The chosen tests in this process, which says nothing from then on."""
    quiet = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no"]
    sys.stdout.flush()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        pytest.main([*(["-x"] if stop else []), *quiet, str(ROOT / TESTS)], plugins=[chosen])
    return chosen


def in_child(work: Any, timeout: float) -> Any:
    """What `work()` returns in a forked process, as JSON; None when it took too long or died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setpgid(0, 0)
        answer = b"null"
        try:
            answer = json.dumps(work()).encode()
        finally:
            os.write(writing, answer)
            os._exit(0)
    os.close(writing)
    deadline, text = time.monotonic() + timeout, b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(deadline - time.monotonic(), 0.0))[0]:
            part = pipe.read(1 << 16)
            if not part:
                break
            text += part
        else:
            os.killpg(child, signal.SIGKILL)
            text = b""
    os.waitpid(child, 0)
    return json.loads(text) if text else None


@dataclass(frozen=True, slots=True)
class Baseline:
    """How long each test takes without any mutant, and which of them reach a line; kills so far by test."""

    seconds: dict[str, float]
    reached: dict[str, list[str]]
    kills: Counter[str] = field(default_factory=Counter)

    def order(self, mutant: Mutant) -> list[str]:
        """The tests that reach the mutant, those first that noticed most for their time."""
        lines = [f"{mutant.module}:{line}" for line in range(mutant.line, mutant.last_line + 1)]
        tests = {test for line in lines for test in self.reached.get(line, ())}
        return sorted(tests, key=lambda test: (self.seconds.get(test, 0.0) + 0.05) / (1 + self.kills[test]))


def baseline(*, golden: bool) -> Baseline:
    """The tests without any mutant, with nothing remembered between them, so that each reaches all that it needs.

    Raises:
        SystemExit: a test fails without one.
    """

    def work() -> list[Any]:
        functools.cache = lambda f: f  # type: ignore[assignment, return-value]
        chosen = run_tests(Chosen(golden, traced=True), stop=False)
        by_line: dict[str, list[str]] = {}
        for test, lines in chosen.reached.items():
            for line in lines:
                by_line.setdefault(line, []).append(test)
        return [chosen.failed or ("" if chosen.ran else "the collection"), chosen.seconds, by_line]

    failed, seconds, reached = in_child(work, 900) or ("the run itself", {}, {})
    if failed:
        raise SystemExit(f"{failed} fails without any mutant")
    return Baseline(seconds, reached)


def judged(mutant: Mutant, known: Baseline, *, golden: bool) -> Outcome:
    """The mutant's outcome."""
    path = SOURCE / f"{mutant.module}.py"
    order = known.order(mutant)
    if not order and not mutant.at_import:
        return Outcome(mutant.module, mutant.line, mutant.change, UNREACHED)

    def work() -> str:
        sys.meta_path.insert(0, Mutated(f"{PACKAGE}.{mutant.module}", changed(path.read_text(), mutant), path))
        return run_tests(Chosen(golden, None if mutant.at_import else order), stop=True).failed

    failed = in_child(work, TIMEOUT)
    if failed:
        known.kills[failed] += 1
    outcome = TIMED_OUT if failed is None else KILLED if failed else SURVIVED
    return Outcome(mutant.module, mutant.line, mutant.change, outcome, failed or "")


def sampled(modules: Sequence[str], count: int, seed: int) -> tuple[list[Mutant], int]:
    """A random sample of all mutants, and how many there are."""
    found = [each for name in modules for each in mutants(name, (SOURCE / f"{name}.py").read_text())]
    random.Random(seed).shuffle(found)
    return found[:count], len(found)


def place(of: Mutant | Outcome) -> tuple[str, int, str]:
    """What names a mutant from run to run."""
    return of.module, of.line, of.change


def earlier(path: Path | None) -> dict[tuple[str, int, str], Outcome]:
    """The outcomes in a result's file, by mutant; none without one."""
    if path is None:
        return {}
    found = [Outcome(**each) for each in json.loads(path.read_text())]
    return {place(each): each for each in found}


def modules() -> Iterator[str]:
    """Names of the modules that are changed."""
    for path in sorted(SOURCE.glob("*.py")):
        if path.stem not in LEFT_OUT:
            yield path.stem


def report(outcomes: Sequence[Outcome], *, seed: int, all_mutants: int, golden: bool, seconds: float) -> str:
    """The result as Markdown: the score, by module, and every survivor."""
    by = Counter(each.outcome for each in outcomes)
    noticed = by[KILLED] + by[TIMED_OUT]
    lines = [
        "# Mutation score of the metric compiler",
        "",
        f"`python -m benchmarks.mutate --seed {seed} --mutants {len(outcomes)}`: {len(outcomes)} of {all_mutants:,} "
        f"mutants of `src/paribus/metrics`, against `{TESTS}` on DuckDB and SQLite"
        f"{'' if golden else ', without the golden files of SQL'}; {seconds / 60:.0f} minutes.",
        "",
        f"**{noticed} of {len(outcomes)} noticed ({noticed / len(outcomes):.1%})**: {by[KILLED]} by a test that fails, "
        f"{by[TIMED_OUT]} by time; {by[SURVIVED]} survived, and no test reaches {by[UNREACHED]} more.",
        "",
        "| module | mutants | noticed |",
        "|---|---|---|",
    ]
    for name in sorted({each.module for each in outcomes}):
        own = [each for each in outcomes if each.module == name]
        lines.append(f"| {name} | {len(own)} | {sum(each.outcome in NOTICED for each in own)} |")
    lines += ["", "| survivor | change |", "|---|---|"]
    for each in sorted(outcomes, key=lambda o: (o.module, o.line)):
        if each.outcome not in NOTICED:
            lines.append(f"| {each.module}.py:{each.line} | `{each.change.replace('|', chr(92) + '|')}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the mutants and writes benchmarks/results/mutation-DATE.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--mutants", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=40, help="stop after this time, with what was judged")
    parser.add_argument("--modules", nargs="*", default=list(modules()))
    parser.add_argument("--golden", action="store_true", help="also compare the texts of SQL")
    parser.add_argument("--list", action="store_true", help="only show the mutants")
    parser.add_argument("--again", type=Path, help="only what survived there; the rest is taken over")
    parser.add_argument("--out", type=Path, help="where results go; nowhere when only some modules are changed")
    given = parser.parse_args()
    chosen, all_mutants = sampled(given.modules, given.mutants, given.seed)
    if given.list:
        for each in chosen:
            print(f"{each.module}.py:{each.line} {each.change}")
        return
    os.chdir(ROOT)
    for heavy in ("duckdb", "hypothesis", "pandas", "polars", "scipy.special", "sqlalchemy", "sqlglot"):
        importlib.import_module(heavy)
    known = baseline(golden=given.golden)
    started = time.monotonic()
    outcomes: list[Outcome] = []
    before = earlier(given.again)
    for each in chosen:
        if time.monotonic() - started > given.minutes * 60 or (before and place(each) not in before):
            break
        known_outcome = before.get(place(each))
        if known_outcome is not None and known_outcome.outcome in NOTICED:
            outcomes.append(known_outcome)
            continue
        outcomes.append(judged(each, known, golden=given.golden))
        print(json.dumps(asdict(outcomes[-1])), flush=True)
    took = time.monotonic() - started
    text = report(outcomes, seed=given.seed, all_mutants=all_mutants, golden=given.golden, seconds=took)
    if given.out is not None:
        given.out.with_suffix(".md").write_text(text)
        given.out.with_suffix(".json").write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
