"""One experiment's analysis over the lake, against one pass over the columns that it needs; CPU seconds, one thread.

    python -m benchmarks.analysis --events 1e7 [--folder /tmp/lake]

The lake is that of `benchmarks.maintained`: two weeks, sorted by name and time within the day, fifty flags, ten event
names. The experiment has three metrics: a proportion, a mean with a window, a guardrail.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.maintained import DAYS, START, write_lake
from paribus.experiments.document import load
from paribus.experiments.on_lake import Snapshot, analyze_on_lake

LIMIT = 3.0
ROUNDS = 3
NAMES = ("event_0", "event_1", "event_2")
DOCUMENT = """\
paribus: 1
experiment: e0
flag: f0
interference: none because users shop alone
variants: {control: 50, treatment: 50}
metrics:
  - {name: bought, event: event_0, type: proportion, role: success}
  - {name: spent, event: event_1, type: mean, value: value, window_days: 3, role: secondary}
  - {name: failed, event: event_2, type: proportion, role: guardrail, margin: 1%}
"""
EXPOSURES_SCAN = """
SELECT count(*), max(unit), max(unit_type), max(corrected_time), max(event_key), max(p_flag), max(p_assigned),
  max(p_served), max(p_reason), max(p_revision), max(p_epoch), max(p_traffic_bp), max(p_split_bp), max(p_probability)
FROM read_parquet($files) WHERE name = '$exposure'
"""
EVENTS_SCAN = """
SELECT count(*), max(unit), max(unit_type), max(corrected_time), max(event_key), sum(p_value)
FROM read_parquet($files) WHERE name IN $names
"""


def scan(files: tuple[Path, ...]) -> int:
    """One pass over every column that the experiment's statements read; the rows."""
    listed = [str(each) for each in files]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        exposures = connection.execute(EXPOSURES_SCAN, {"files": listed}).fetchall()
        events = connection.execute(EVENTS_SCAN, {"files": listed, "names": list(NAMES)}).fetchall()
    return int(exposures[0][0] + events[0][0])


def measure(events: int, folder: Path) -> dict[str, float]:
    """CPU seconds, the best of a few rounds that take turns: of the analysis and of the scan."""
    files = write_lake(folder / "lake" / "events", events)
    snapshot = Snapshot(folder, "benchmark", DAYS, files, START + timedelta(days=DAYS + 1))
    document = load(DOCUMENT, name="e0")
    scans, analyses = [], []
    for _ in range(ROUNDS):
        scans.append(_cpu(lambda: scan(files)))
        analyses.append(_cpu(lambda: analyze_on_lake(document, snapshot, threads=1)))
    return {"scan_s": min(scans), "analysis_s": min(analyses), "ratio": min(analyses) / min(scans), "limit": LIMIT}


def _cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--events", type=float, default=1e6)
    options.add_argument("--folder", type=Path, help="where the lake is kept for the next run")
    asked = options.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="paribus-analysis-"))
    try:
        found = measure(int(asked.events), folder)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"one pass over the columns        {found['scan_s']:8.3f} CPU s")
    print(
        f"the analysis                     {found['analysis_s']:8.3f} CPU s   {found['ratio']:.2f} x (at most {LIMIT:.0f})"
    )


if __name__ == "__main__":
    main()
