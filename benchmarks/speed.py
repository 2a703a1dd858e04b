"""The speed of Paribus as ratios within one run: `make bench`, or `python -m benchmarks.speed [--runs N] [--small]`.

Every number is the median over runs of a fresh process, the contestants taking turns; no caches, no sidecar files.
CPU seconds are those of the whole process (all threads). Results go to `benchmarks/results/`.

Imports cost several times as much where Python may not keep bytecode (PYTHONDONTWRITEBYTECODE, as in many containers),
so what is compared with imports is compared twice: as Python starts here, and with bytecode kept from a run before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import speed_data
from benchmarks.speed_sql import WINDOW_DAYS

DATA = Path(".cache/bench-data")
RESULTS = Path(__file__).parent / "results"
CELLS = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """What one fresh process used: CPU seconds in all, of its imports, of its work; its peak memory in MB.

    `call` is the work with what it still imported; `imports` has that too.
    """

    total: float
    memory: float
    imports: float
    work: float
    in_statements: float
    call: float
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measured number beside what it is compared with. `limit` is the target; None where there is none."""

    name: str
    value: float
    against: float
    limit: float | None
    unit: str = "s CPU"

    @property
    def ratio(self) -> float:
        return self.value / self.against

    @property
    def word(self) -> str:
        if self.limit is None:
            return "–"
        return "holds" if self.ratio <= self.limit else "MISSED"


class Failed(Exception):
    """A task that did not run; its message is the last line of the error."""


def run(command: list[str]) -> Run:
    """Runs a command in a fresh process.

    Raises:
        Failed: the process ended with an error.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise Failed(err.read().decode().strip().splitlines()[-1])
        text = out.read().decode().strip()
    answer: dict[str, Any] = json.loads(text.splitlines()[-1]) if "benchmarks.speed_tasks" in command else {}
    work = answer.get("work", 0.0)
    return Run(
        total=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        imports=answer.get("imports", 0.0),
        work=work,
        in_statements=answer.get("in_statements", work),
        call=answer.get("call", work),
        answer=answer,
    )


def task(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "benchmarks.speed_tasks", name, *map(str, arguments)]


def with_bytecode(command: list[str], folder: Path) -> list[str]:
    """The command as it runs where Python keeps the bytecode of what it imports; `folder` holds it."""
    return ["env", "-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPYCACHEPREFIX={folder}", *command]


def alternate(commands: dict[str, list[str]], runs: int) -> tuple[dict[str, Run], dict[str, str]]:
    """Every command `runs` times, in turns: medians by name, and why a command did not run."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for name, command in commands.items():
            if name in failed:
                continue
            try:
                found[name].append(run(command))
            except Failed as error:
                failed[name] = str(error)
    medians = {
        name: Run(
            *(median(getattr(each, field) for each in listed) for field in Run.__slots__ if field != "answer"),
            answer=listed[-1].answer,
        )
        for name, listed in found.items()
        if name not in failed
    }
    return medians, failed


def distance(a: dict[str, Any], b: dict[str, Any]) -> float:
    """The largest difference of two sets of moments: means and third moments relative to their size, products to the

    geometric mean of their diagonals (a covariance near zero has no size of its own).
    """
    worst = 0.0
    for metric, by_variant in a.items():
        for variant, one in by_variant.items():
            two = b[metric][variant]
            worst = max(worst, abs(one["n"] - two["n"]))
            sizes = [row[i] ** 0.5 for i, row in enumerate(one["m2"])]
            pairs = [(x, y, abs(x)) for x, y in zip(one["mean"], two["mean"], strict=True)]
            pairs += [
                (one["m2"][i][j], two["m2"][i][j], sizes[i] * sizes[j])
                for i in range(len(sizes))
                for j in range(len(sizes))
                if two["m2"][i][j] == two["m2"][i][j]  # products of two covariates of a ratio are not asked for
            ]
            pairs += [(x, y, s**3) for x, y, s in zip(one["m3"], two["m3"], sizes, strict=False)]
            worst = max(worst, *(abs(x - y) / size for x, y, size in pairs))
    return worst


def unit_table(units: int, runs: int, report: Report) -> None:
    """Ten metrics over one Parquet row per unit."""
    table = speed_data.unit_table(DATA, units)
    first = run(task("units", table))
    moments = next(each for each in first.answer["statements"] if each["name"] == "moments")
    with ExitStack() as kept:
        text = kept.enter_context(tempfile.NamedTemporaryFile("w", suffix=".sql"))
        text.write(moments["sql"])
        text.flush()
        commands = {
            "nothing": task("nothing"),
            "scan": task("scan", table),
            "moments": task("statement", table, text.name),
            "hand moments": task("hand_moments", table),
            "hand": task("hand_units", table),
            "paribus": task("units", table),
            "analyze": task("analyze", table),
            "tea-tasting": task("tea_tasting", table),
        }
        bytecode = Path(kept.enter_context(tempfile.TemporaryDirectory()))
        for name in ("analyze", "tea-tasting"):
            commands[f"{name}, bytecode"] = with_bytecode(commands[name], bytecode)
            with suppress(Failed):
                run(commands[f"{name}, bytecode"])
        found, failed = alternate(commands, runs)
    title = f"Table of {units:,} units, {table.stat().st_size / 1e6:,.0f} MB of Parquet"
    hand, ours, scan = found["hand"], found["paribus"], found["scan"]
    ratios = [
        Ratio("moments statement / scan of its columns", found["moments"].work, scan.work, 1.8),
        Ratio("moments statement / the same by hand", found["moments"].work, found["hand moments"].work, None),
        Ratio("all statements / by hand with the same checks", ours.in_statements, hand.work, 1.3),
        Ratio("statements and compilation / by hand", ours.work, hand.work, None),
        Ratio("peak memory, moments / scan", found["moments"].memory, scan.memory, 1.8, "MB"),
        Ratio("peak memory, measure / by hand", ours.memory, hand.memory, 1.3, "MB"),
    ]
    if "analyze" in found and "tea-tasting" in found:
        whole, tea = found["analyze"], found["tea-tasting"]
        kept_whole, kept_tea = found["analyze, bytecode"], found["tea-tasting, bytecode"]
        ratios += [
            Ratio("analyze / tea-tasting, imports included", whole.total, tea.total, 0.6),
            Ratio("analyze / tea-tasting, likewise, bytecode kept", kept_whole.total, kept_tea.total, 0.6),
            Ratio("analyze / tea-tasting, the first call after the imports", whole.call, tea.call, 0.6),
            Ratio("analyze / tea-tasting, without imports of any time", whole.work, tea.work, None),
            Ratio("a scan of the columns alone / tea-tasting, likewise", scan.work, tea.work, None),
            Ratio("peak memory, analyze / tea-tasting", whole.memory, tea.memory, None, "MB"),
        ]
    elif "tea-tasting" in found:
        ratios += [
            Ratio("measure / tea-tasting, imports included", ours.total, found["tea-tasting"].total, None),
            Ratio("measure / tea-tasting, without imports of any time", ours.work, found["tea-tasting"].work, None),
        ]
    notes = [f"moments against SQL by hand: largest relative difference {_apart(ours, hand)}"]
    if "analyze" in found and "tea-tasting" in found:
        notes.append(_effects_apart(found["analyze"].answer["effects"], found["tea-tasting"].answer["effects"]))
    report.add(
        title, ratios, found, failed, notes, {"paribus": ours.answer["statements"], "by hand": hand.answer["sql"]}
    )


def raw(runs: int, report: Report) -> None:
    """Three metrics from exposures and events."""
    exposures, events = speed_data.raw_tables(DATA)
    commands = {
        "nothing": task("nothing"),
        "hand": task("hand_raw", exposures, events),
        "paribus": task("raw", exposures, events, "sealed"),
        "paribus, caps unsealed": task("raw", exposures, events, "pooled"),
    }
    found, failed = alternate(commands, runs)
    hand, ours, pooled = found["hand"], found["paribus"], found["paribus, caps unsealed"]
    ratios = [
        Ratio("all statements / by hand", ours.in_statements, hand.work, 1.3),
        Ratio("statements and compilation / by hand", ours.work, hand.work, None),
        Ratio("with caps to be found (pooled percentiles) / by hand without", pooled.in_statements, hand.work, None),
        Ratio("peak memory / by hand", ours.memory, hand.memory, None, "MB"),
    ]
    title = (
        f"{speed_data.UNITS:,} units, {speed_data.EVENTS:,} events: "
        f"three metrics, window {WINDOW_DAYS} days, caps, covariates"
    )
    notes = [
        f"moments against SQL by hand: largest relative difference {_apart(ours, hand)}",
        "the SQL by hand has no probe: Paribus also counts missing, infinite and early values and mixed units",
    ]
    report.add(
        title, ratios, found, failed, notes, {"paribus": ours.answer["statements"], "by hand": hand.answer["sql"]}
    )


def second_stage(runs: int, report: Report) -> None:
    """Effects from ready moments, and starting up."""
    paribus = str(Path(sys.executable).with_name("paribus"))
    commands = {
        "nothing": task("nothing"),
        "effects": task("effects", CELLS),
        "infer": task("infer", CELLS),
        "python": [sys.executable, "-c", "pass"],
        "import paribus": [sys.executable, "-c", "import paribus"],
        "paribus --help": [paribus, "--help"],
    }
    found, failed = alternate(commands, runs)
    limits = {"effects": (0.2, "work"), "infer": (0.2, "work"), "import paribus": (0.3, "total")}
    limits["paribus --help"] = (0.5, "total")
    words = {"effects": f"{CELLS:,} cells, effects as arrays", "infer": f"{CELLS:,} cells, the whole of `infer`"}
    ratios = [
        Ratio(words.get(name, name), getattr(found[name], field), 1.0, limit)
        for name, (limit, field) in limits.items()
        if name in found
    ]
    report.add("Second stage and start", ratios, found, failed, ["against one second"], {})


def _apart(ours: Run, other: Run) -> str:
    return f"{distance(other.answer['moments'], ours.answer['moments']):.1e}"


def _effects_apart(ours: dict[str, list[float]], tea: dict[str, list[float]]) -> str:
    lines = []
    for name, (effect, p) in tea.items():
        own = ours.get(name)
        lines.append(f"{name} {'absent' if own is None else f'{own[0]:.5g}, p {own[1]:.4f}'} ({effect:.5g}, p {p:.4f})")
    return "effects, tea-tasting's in parentheses: " + "; ".join(lines)


class Report:
    """Gathers sections and writes them as Markdown and JSON."""

    def __init__(self, command: str) -> None:
        now = datetime.now(UTC)
        self.stem = f"speed-{now:%Y-%m-%d}"
        packages = ("paribus", "duckdb", "numpy", "scipy", "tea-tasting", "ibis-framework", "sqlglot")
        listed = ", ".join(f"{name} {version(name)}" for name in packages)
        self.lines = [
            f"# Speed, {now:%Y-%m-%d %H:%M} UTC",
            "",
            f"`{command}`; Python {platform.python_version()}, {os.cpu_count()} cores, DuckDB with 2 threads; {listed}.",
            "",
            "CPU seconds of all threads and peak resident memory, each the median over fresh processes in turns. Work is what is",
            "left without imports, also those that a library puts off until it is used; the files are in the operating",
            "system's cache for everyone. "
            + ("Python keeps no bytecode here." if sys.dont_write_bytecode else "Python keeps bytecode here."),
            "",
        ]
        self.data: dict[str, Any] = {"time": now.isoformat(timespec="seconds"), "command": command, "packages": listed}
        self.shown: list[str] = []

    def add(
        self,
        title: str,
        ratios: list[Ratio],
        found: dict[str, Run],
        failed: dict[str, str],
        notes: list[str],
        statements: dict[str, Any],
    ) -> None:
        lines = [f"## {title}", "", "| what | measured | against | ratio | target | |", "|---|---:|---:|---:|---:|---|"]
        for r in ratios:
            digits = 0 if r.unit == "MB" else 3
            target = "" if r.limit is None else f"{r.limit:g}"
            lines.append(
                f"| {r.name} | {r.value:.{digits}f} {r.unit} | {r.against:.{digits}f} | {r.ratio:.2f} | {target} | {r.word} |"
            )
        lines += [
            "",
            "| process | total | imports | work | in statements | peak MB |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for name, each in found.items():
            numbers = (each.total, each.imports, each.work, each.in_statements)
            lines.append(f"| {name} | {' | '.join(f'{x:.3f}' for x in numbers)} | {each.memory:.0f} |")
        lines += [
            "",
            *(f"- {note}" for note in notes),
            *(f"- **did not run**: {n}: {why}" for n, why in failed.items()),
            "",
        ]
        self.lines += lines
        print("\n".join(lines), flush=True)
        if statements:
            self.shown += [f"### {title}", ""]
            for who, text in statements.items():
                listed = text if isinstance(text, list) else [{"name": "statement", "sql": text}]
                for each in listed:
                    cpu = f", {each['cpu']:.3f} s CPU in the last run" if "cpu" in each else ""
                    self.shown += [f"{who}, {each['name']}{cpu}:", "", "```sql", each["sql"], "```", ""]
        self.data[title] = {
            "ratios": [{**asdict(r), "ratio": r.ratio, "verdict": r.word} for r in ratios],
            "processes": {
                name: {k: v for k, v in asdict(each).items() if k != "answer"} for name, each in found.items()
            },
            "failed": failed,
            "notes": notes,
            "statements": statements,
        }

    def write(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.stem}.md"
        path.write_text("\n".join([*self.lines, "## The statements", "", *self.shown]))
        path.with_suffix(".json").write_text(json.dumps(self.data, indent=1) + "\n")
        return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="fresh processes per contestant (at least 3 to report)")
    parser.add_argument("--small", action="store_true", help="leave out the table of ten million units")
    parser.add_argument("--keep", action="store_true", help="keep the generated data (1.5 GB in .cache)")
    chosen = parser.parse_args()
    command = " ".join(["python -m benchmarks.speed", *sys.argv[1:]])
    report = Report(command)
    started = time.monotonic()
    second_stage(chosen.runs, report)
    raw(chosen.runs, report)
    for units in (10**6,) if chosen.small else (10**6, 10**7):
        unit_table(units, chosen.runs, report)
    path = report.write()
    if not chosen.keep:
        for each in DATA.glob("*.parquet"):
            each.unlink()
    print(f"{path.name} written after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
