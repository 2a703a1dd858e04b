"""Do the numbers keep their promises? `make calibrate SEED=…`, or `python -m benchmarks.calibrate --seed N`.

Every gate simulates what the engine does by default with the data, its choice of method included: a cell outside a
method's domain has to be refused. All cells are printed and written to `benchmarks/results/`, failures too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks import (
    calibrate_checks,
    calibrate_cluster,
    calibrate_decision,
    calibrate_events,
    calibrate_fixed,
    calibrate_looks,
    calibrate_sequential,
)
from benchmarks.calibrate_gate import Gate, critical_z, table
from benchmarks.calibrate_outcome import outcomes

RESULTS = Path(__file__).parent / "results"

Simulation = Callable[[np.random.Generator, int], list[Gate]]


def _cell(outcome: int, n: int, share: float, rng: np.random.Generator, replications: int) -> list[Gate]:
    return calibrate_fixed.one_cell(rng, outcomes()[outcome], n, share, replications)


def simulations() -> dict[str, Simulation]:
    """Every simulation by name, in the order of the report."""
    cells: dict[str, Simulation] = {
        calibrate_fixed.cell_name(what.name, n, share): partial(_cell, i, n, share)
        for i, what in enumerate(outcomes())
        for n in calibrate_fixed.UNITS
        for share in calibrate_fixed.SPLITS
    }
    return cells | {
        "clusters": calibrate_cluster.gates,
        "predicted power": calibrate_fixed.power,
        "group sequential": calibrate_sequential.group_sequential,
        "anytime": calibrate_sequential.over_all_looks,
        "anytime power": calibrate_sequential.anytime_power,
        "looks": calibrate_looks.gates,
        "logins": calibrate_events.doubled_logins,
        "heavy users": calibrate_events.heavy_users,
        "multiplicity": calibrate_decision.multiplicity,
        "winners": calibrate_decision.winners,
        "loss": calibrate_decision.loss,
        "portfolio": calibrate_decision.portfolio,
        "checks": calibrate_checks.clean,
        "sample ratio": calibrate_checks.loss_of_units,
    }


# The longest start first, so that the processes end together.
LONG = ("checks", "Bernoulli .01, n 5,000, 90/10", "logins", "looks", "clusters")


def simulate(name: str, seed: int, replications: int) -> tuple[list[Gate], float]:
    """One simulation's gates and its CPU seconds; its random numbers depend on its name and the seed alone."""
    started = time.process_time()
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    gates = simulations()[name](rng, replications)
    return gates, time.process_time() - started


def run(names: Sequence[str], seed: int, replications: int, workers: int) -> tuple[list[Gate], dict[str, float]]:
    """All gates in the order of `names`, and CPU seconds by simulation."""
    order = sorted(names, key=lambda name: LONG.index(name) if name in LONG else len(LONG))
    with ProcessPoolExecutor(workers) as pool:
        running = {name: pool.submit(simulate, name, seed, replications) for name in order}
        found = {name: running[name].result() for name in names}
    return [gate for gates, _ in found.values() for gate in gates], {name: cpu for name, (_, cpu) in found.items()}


def write(gates: Sequence[Gate], seed: int, command: str, seconds: float, cpu: dict[str, float]) -> Path:
    """The report as Markdown and JSON."""
    z = critical_z(len(gates))
    failed = [gate for gate in gates if not gate.holds(z)]
    now = datetime.now(UTC)
    packages = ", ".join(f"{name} {version(name)}" for name in ("paribus", "numpy", "scipy", "duckdb"))
    naive = calibrate_fixed.naive(np.random.default_rng(seed), 10_000)
    partly = sorted({g.name for g in gates if 0.001 < g.determined < 0.999 and g.measure == "type I"})
    lines = [
        f"# Calibration, {now:%Y-%m-%d %H:%M} UTC, seed {seed}",
        "",
        f"`{command}`; Python {platform.python_version()}, {os.cpu_count()} cores, {packages}; {seconds:.0f} s, "
        f"{sum(cpu.values()):.0f} s CPU.",
        "",
        f"{len(gates)} gates, {len(failed)} failed. A simulated number may be {z:.2f} standard errors from what it should "
        "be (Bonferroni over the gates, 2% together). Cells that the engine refuses at least 99.9% of the time are "
        "outside a method's domain; elsewhere the numbers are those of the replications with a result.",
        "",
        "Welch's test without its domain, for comparison: "
        + "; ".join(f"{name}: type I {value:.3f}" for name, value in naive.items())
        + ".",
        "",
        f"Cells inside the domain for a part of the replications: {', '.join(partly) or 'none'}.",
        "",
    ]
    if failed:
        lines += ["## Failures", "", *table(failed, z), ""]
    for group in dict.fromkeys(gate.group for gate in gates):
        lines += [f"## {group}", "", *table([gate for gate in gates if gate.group == group], z), ""]
    lines += ["## CPU seconds", "", *(f"- {name}: {value:.1f}" for name, value in cpu.items()), ""]
    print("\n".join(lines), flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"calibrate-{now:%Y-%m-%d}-seed{seed}.md"
    path.write_text("\n".join(lines))
    data = {
        "time": now.isoformat(timespec="seconds"),
        "command": command,
        "seed": seed,
        "z": z,
        "packages": packages,
        "seconds": round(seconds, 1),
        "failed": len(failed),
        "naive_welch": naive,
        "gates": [gate.record(z) for gate in gates],
    }
    path.with_suffix(".json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--replications", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", help="names of simulations (default: all)")
    chosen = parser.parse_args()
    command = " ".join(["python -m benchmarks.calibrate", *sys.argv[1:]])
    started = time.monotonic()
    names = chosen.only or list(simulations())
    gates, cpu = run(names, chosen.seed, chosen.replications, chosen.workers)
    path = write(gates, chosen.seed, command, time.monotonic() - started, cpu)
    failed = sum(not gate.holds(critical_z(len(gates))) for gate in gates)
    print(f"{len(gates)} gates, {failed} failed: {path}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
