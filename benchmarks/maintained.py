"""Fifty experiments on one lake: the maintained tables against the statement of a single experiment, in CPU seconds.

    python -m benchmarks.maintained --events 1e6
    python -m benchmarks.maintained --events 1e7 --folder /tmp/lake     # about three minutes on one core

Units are in three experiments each, every experiment has twenty metrics over ten event names, days are sorted by name
and time as compaction leaves them. All figures are of one thread; what counts are the ratios of one run.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from paribus.experiments.document import Document, load
from paribus.experiments.maintaining import keep, upkeep
from paribus.experiments.measuring import measure_design
from paribus.experiments.on_lake import Snapshot, lake_engine
from paribus.experiments.serving import Serving, read_many
from paribus.lake.maintained import MaintainedTables
from paribus.metrics.cells import Measurement

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, EXPERIMENTS, NAMES = 14, 50, 10
TOLERANCE = 1e-9

_DAY = """
COPY (
WITH r AS (SELECT range AS i, random() AS a, random() AS b, random() AS g FROM range({rows})),
e AS (SELECT *, a < 0.3 AS x, 'u' || (b * {units})::BIGINT AS u, i % {experiments} AS f FROM r)
SELECT 'paribus:main' AS source, uuid()::VARCHAR AS event_id,
  CASE WHEN x THEN '$exposure' ELSE 'event_' || (i % {names}) END AS name,
  'user' AS unit_type, u AS unit,
  NULL::VARCHAR AS user_id, NULL::VARCHAR AS anonymous_id, NULL::VARCHAR AS session_id,
  TIMESTAMPTZ '{begin}' + to_microseconds((g * 86400000000)::BIGINT) AS corrected_time,
  corrected_time AS original_time, corrected_time AS sent_time,
  corrected_time + INTERVAL 1 SECOND AS received_time,
  '{{"flag":"f' || f || '","pad":"' || repeat('x', 120) || i || '"}}' AS properties, '{{}}' AS context,
  1::BIGINT AS plan_revision, true AS planned, i AS sequence, i AS landing_id, 0::BIGINT AS landing_index,
  (hash('{begin}', i) >> 1)::BIGINT AS event_key,
  CASE WHEN x THEN 'f' || f END AS p_flag,
  CASE WHEN x THEN CASE WHEN hash(u || f) % 2 = 0 THEN 'control' ELSE 'treatment' END END AS p_assigned,
  p_assigned AS p_served, CASE WHEN x THEN 'SPLIT' END AS p_reason, CASE WHEN x THEN 1::BIGINT END AS p_revision,
  CASE WHEN x THEN 1::BIGINT END AS p_epoch, CASE WHEN x THEN 10000::BIGINT END AS p_traffic_bp,
  CASE WHEN x THEN 5000::BIGINT END AS p_split_bp, CASE WHEN x THEN 0.5::DOUBLE END AS p_probability,
  CASE WHEN x THEN '{{}}' END AS p_attributes, CASE WHEN x THEN 'prod' END AS p_environment,
  CASE WHEN NOT x THEN round(-ln(1 - g * 0.999999) * 20, 2) END AS p_value
FROM e ORDER BY name, corrected_time
) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
"""


def write_lake(folder: Path, events: int) -> tuple[Path, ...]:
    """One sorted file per day; files that are there already are taken as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"day{day:02d}.parquet" for day in range(DAYS))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for day, path in enumerate(paths):
            if not path.exists():
                begin = (START + timedelta(days=day)).isoformat()
                values = {"rows": events // DAYS, "units": events // 10, "begin": begin, "path": path}
                connection.execute(_DAY.format(experiments=EXPERIMENTS, names=NAMES, **values))
    return paths


def document(number: int) -> Document:
    """An experiment with a proportion and a mean of every event name."""
    metrics = []
    for n in range(NAMES):
        role = "success" if n == 0 else "secondary"
        metrics.append(f"  - {{name: p{n}, event: event_{n}, type: proportion, role: {role}}}")
        metrics.append(
            f"  - {{name: v{n}, event: event_{n}, type: mean, value: value, window_days: 3, role: secondary}}"
        )
    head = f"paribus: 1\nexperiment: e{number}\nflag: f{number}\ninterference: none because users shop alone\n"
    text = f"{head}variants: {{control: 50, treatment: 50}}\nmetrics:\n" + "\n".join(metrics) + "\n"
    return load(text, name=f"e{number}")


def timed(what: str, run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, printed."""
    start = time.process_time()
    answer = run()
    seconds = time.process_time() - start
    print(f"{what:<58}{seconds:8.2f} s", flush=True)
    return seconds, answer


def once(about: Document, snapshot: Snapshot) -> Measurement:
    """The experiment by the statement over the lake."""
    with lake_engine(about.design, about.data, snapshot, threads=1) as engine:
        return measure_design(about.design, about.data, engine, lake=snapshot.state())


def by_tables(serving: Serving, snapshot: Snapshot) -> Measurement:
    """The experiment by the maintained tables, what is counted about the data by the lake."""
    about = serving.kept.documents[serving.name]
    with lake_engine(about.design, about.data, snapshot, threads=1) as engine, serving.units(None) as units:
        return measure_design(about.design, about.data, engine, lake=snapshot.state(), kept=units)


def largest_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Of sums of values and of squares over all cells, relative."""
    worst = 0.0
    for name, cells in theirs.items():
        mine = ours[name]
        if mine.keys != cells.keys:
            return float("inf")
        for part in ("n", "mean", "m2"):
            a, b = getattr(mine.moments, part), getattr(cells.moments, part)
            if not np.array_equal(np.isnan(a), np.isnan(b)):  # cells without matured units have no mean
                return float("inf")
            worst = max(worst, float(np.nanmax(np.abs(a - b)) / np.nanmax(np.abs(b))))
    return worst


def main() -> None:
    """Runs the comparison and prints it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=float, default=1e6)
    options.add_argument("--folder", type=Path, help="where the lake is kept for the next run")
    asked = options.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="paribus-maintained-"))
    try:
        difference = compare(folder, int(asked.events))["difference"]
    finally:
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if difference > TOLERANCE:
        raise SystemExit("the tables differ from the statement")


def compare(folder: Path, events: int) -> dict[str, float]:
    """One experiment by the statement, then all of them by the tables, then a day's update; the ratios."""
    _, files = timed(f"{events:,} events written", lambda: write_lake(folder / "lake" / "events", events))
    end = START + timedelta(days=DAYS + 1)
    whole = Snapshot(folder, "benchmark", DAYS, files, end)
    before = Snapshot(folder, "benchmark", DAYS - 1, files[:-1], START + timedelta(days=DAYS - 1))
    documents = [document(number) for number in range(EXPERIMENTS)]
    one, measured = timed("one experiment of 20 metrics, by the statement", lambda: once(documents[0], whole))
    kept = upkeep(documents)
    shutil.rmtree(folder / "kept", ignore_errors=True)
    tables = MaintainedTables(folder / "kept", threads=1)
    built, _ = timed(
        "50 experiments: tables built up to the last day", lambda: keep(tables, kept, before, None, threads=1)
    )
    updated, _ = timed(
        "50 experiments: the last day, its file only", lambda: keep(tables, kept, whole, files[-1:], threads=1)
    )
    read, cells = timed(
        "50 experiments: cells read",
        lambda: read_many(tables, kept, dict.fromkeys(kept.documents), threads=1),
    )
    state = tables.state(kept.definition)
    if state is None:
        raise SystemExit("the tables do not stand")
    serving = Serving(tables, kept, state, "e0", threads=1)
    served, _ = timed("one experiment, all of its measurement, by the tables", lambda: by_tables(serving, whole))
    worst = largest_difference(cells["e0"].cells, measured.cells)
    print(f"all of it / one experiment                    {(built + updated + read) / one:8.2f} (at most 5)")
    print(f"the last day and reading / one experiment     {(updated + read) / one:8.2f}")
    print(f"one experiment by the tables / by the statement {served / one:6.2f}")
    print(f"largest relative difference of a moment       {worst:8.1e} (at most {TOLERANCE:.0e})")
    return {"all": (built + updated + read) / one, "update": (updated + read) / one, "difference": worst}


if __name__ == "__main__":
    main()
