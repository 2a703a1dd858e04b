"""The speed of the live half in one run, each figure beside its limit; results in `benchmarks/results/`.

    python -m benchmarks.live [--small]

CPU of processes is what counts, as a ratio to a floor of the same run where there is one. Latencies are of the wall and
mean something on a quiet machine only; the load average stands in the report. Peers run when `make bench` has installed
them in `.cache/bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import analysis, evaluation, exposures, maintained, server, visibility

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
BUSY = 3.0  # a load average of others beyond which latencies say nothing
PEERS = ROOT / ".cache" / "bench" / "bin" / "python"


@dataclass(frozen=True)
class Figure:
    """A number with its limit; `against` is what it is a ratio of."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    against: str = ""
    is_at_least: bool = False

    @property
    def word(self) -> str:
        """Whether it holds."""
        if self.limit is None:
            return "–"
        holds = self.value >= self.limit if self.is_at_least else self.value <= self.limit
        return "holds" if holds else "MISSED"


def of_evaluation(repeat: int) -> list[Figure]:
    found = evaluation.measure(repeat) | exposures.measure(repeat)
    floor = found["floor_us"]
    unit = "× the floor"
    return [
        Figure("floor: five rules by hand, closures and mmh3", floor, "µs"),
        Figure("a decision with its reason, five rules", found["five_rules_us"] / floor, unit, 2.0),
        Figure("a decision, plain split", found["plain_split_us"] / floor, unit, 0.7),
        Figure("with exposures on, sent before", found["seen_us"] / floor, unit, exposures.PEER_RATIO),
        Figure("with exposures on, each new, the call", found["new_call_us"] / floor, unit),
        Figure("with exposures on, each new, and delivered", found["new_delivered_us"] / floor, unit),
        Figure("all 200 flags for one unit", found["all_200_flags_us"] / 1e3, "ms", 0.3),
        Figure("importing the evaluator", found["import_ms"], "ms", 100),
    ]


def of_peers(repeat: int) -> list[Figure]:
    """Of the floor in their own process; nothing when they are not installed."""
    if not PEERS.exists():
        return []
    command = [str(PEERS), "-m", "benchmarks.peers", "--repeat", str(repeat), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    floor = found["microseconds"].pop("floor")
    ratios = {name: each / floor for name, each in found["microseconds"].items()}
    limits = {"Paribus": 2.0, "Paribus, with exposures": ratios.get("Eppo, with exposures")}
    figures = [Figure(name, each, "× the floor", limits.get(name)) for name, each in ratios.items()]
    return figures + [Figure(f"{name} did not run: {why}", 0.0, "") for name, why in found["failed"].items()]


def of_server(share: float) -> list[Figure]:
    others = os.getloadavg()[0]
    found = server.measure(share)
    figures = []
    for name, case in found.cases.items():
        figures.append(Figure(name, case.best, "µs CPU", case.limit, f"{case.best / case.floor:.2f} × raw ASGI"))
    rate = found.intake_events_per_cpu_second
    figures.append(Figure("durable intake, contract checked", rate, "events/CPU s", 100_000, is_at_least=True))
    judged = 50.0 if others < BUSY else None
    said = "" if others < BUSY else f"not judged: load average {others:.1f} before it"
    for when, seconds, limit in (
        ("never pausing", found.unpaced_seconds, None),
        (f"{server.HALF_LOAD:,} events/s, lake flushed", found.half_load_seconds, judged),
    ):
        half, most = (server.quantile(seconds, part) * 1e3 for part in (0.5, 0.99))
        figures.append(Figure(f"intake {when}, median", half, "ms", against=said))
        figures.append(Figure(f"intake {when}, p99", most, "ms", limit, said))
    return figures


def of_lake(events: int, probes: int) -> list[Figure]:
    seen = visibility.measure(probes)
    figures = [
        Figure("acknowledged → visible to analysis, median", statistics.median(seen), "s"),
        Figure("acknowledged → visible to analysis, longest", seen[-1], "s", visibility.LIMIT_SECONDS),
    ]
    folder = Path(tempfile.mkdtemp(prefix="paribus-live-"))
    try:
        found = analysis.measure(events, folder)
        against = f"{found['analysis_s']:.2f} / {found['scan_s']:.2f} CPU s"
        name = f"one experiment over {events:,} events / scan of its columns"
        figures.append(Figure(name, found["ratio"], "×", found["limit"] if events >= 10**7 else None, against))
        kept = maintained.compare(folder, events)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    name = "50 experiments × 20 metrics, maintained / one experiment"
    figures.append(Figure(name, kept["all"], "×", 5.0 if events >= 10**7 else None))
    figures.append(Figure("a day's update and reading / one experiment", kept["update"], "×"))
    figures.append(Figure("largest relative difference of a moment", kept["difference"], "", maintained.TOLERANCE))
    return figures


def written(sections: dict[str, list[Figure]], command: str, began: datetime) -> Path:
    """The report as Markdown and JSON; the path of the first."""
    lines = [
        f"# Speed of the live half, {began:%Y-%m-%d %H:%M} UTC",
        "",
        f"`{command}`; Python {platform.python_version()}, {os.cpu_count()} cores, load average "
        f"{os.getloadavg()[2]:.1f} over the last 15 minutes. CPU is that of the process, best of the rounds.",
        "",
    ]
    for title, figures in sections.items():
        lines += [f"## {title}", "", "| what | measured | | limit | |", "|---|---:|---|---:|---|"]
        for each in figures:
            limit = "" if each.limit is None else f"{'≥' if each.is_at_least else '≤'} {each.limit:,.3g}"
            if each.limit is not None and each.limit >= 1000:
                limit = f"{'≥' if each.is_at_least else '≤'} {each.limit:,.0f}"
            value = f"{each.value:,.0f}" if each.value >= 1000 else f"{each.value:.3g}"
            lines.append(f"| {each.name} | {value} {each.unit} | {each.against} | {limit} | {each.word} |")
        lines.append("")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"live-{began:%Y-%m-%d}.md"
    path.write_text("\n".join(lines))
    data = {
        "command": command,
        "began": began.isoformat(),
        "load": os.getloadavg(),
        "sections": {
            title: [asdict(each) | {"verdict": each.word} for each in each_of] for title, each_of in sections.items()
        },
    }
    path.with_suffix(".json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", action="store_true", help="a million events, fewer rounds: about a minute")
    small = parser.parse_args().small
    command, began, started = (
        " ".join(["python -m benchmarks.live", *sys.argv[1:]]),
        datetime.now(UTC),
        time.monotonic(),
    )
    repeat = 3 if small else 9
    sections = {
        "Evaluation": of_evaluation(repeat),
        "Peers, the same flag in their own words": of_peers(repeat),
        "Server": of_server(0.2 if small else 1.0),
        "Lake": of_lake(10**6 if small else 10**7, 5 if small else 20),
    }
    path = written({title: figures for title, figures in sections.items() if figures}, command, began)
    print(path.read_text())
    print(f"{path.name} written after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
