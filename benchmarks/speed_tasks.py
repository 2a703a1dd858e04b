"""One task of the speed benchmark in a process of its own: `python -m benchmarks.speed_tasks NAME ARGUMENT...`.

The last line of output is JSON: CPU seconds of imports, of the work and of its statements, and the numbers it found.
Imports are those of the whole process, whenever they happen: libraries load parts of themselves when first used.
"""

from __future__ import annotations

import importlib._bootstrap as bootstrap
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

THREADS = 2
Answer = dict[str, Any]


class Watch:
    """CPU seconds of a contestant: of its imports, whenever they happen, and of its work after `ready`."""

    def __init__(self) -> None:
        self._loading, self._depth = 0.0, 0
        self._load = bootstrap._find_and_load
        bootstrap._find_and_load = self._timed
        self._started = self._ready = process_time()
        self._before = 0.0

    def _timed(self, *arguments: Any) -> Any:
        self._depth += 1
        started = process_time()
        try:
            return self._load(*arguments)
        finally:
            self._depth -= 1
            if not self._depth:
                self._loading += process_time() - started

    def ready(self) -> None:
        """All that the contestant needs before its work is there."""
        self._ready, self._before = process_time(), self._loading

    def answer(self) -> Answer:
        """Imports and preparation, the first call as it stands, and its work without what it still imported."""
        late, call = self._loading - self._before, process_time() - self._ready
        return {"imports": self._ready - self._started + late, "call": call, "work": call - late}


def scan(table: str) -> Answer:
    """One DuckDB pass over every column that the moments statement reads."""
    from benchmarks import speed_sql

    return _by_hand(speed_sql.scan(Path(table)))


def hand_units(table: str) -> Answer:
    """Moments, duplicates and missing values of a table of units, by hand."""
    from benchmarks import speed_sql

    answer = _by_hand(speed_sql.units(Path(table)))
    whole, rows = answer.pop("rows")
    answer["moments"] = _unit_moments(rows)
    answer["counts"] = list(whole[0])
    return answer


def hand_moments(table: str) -> Answer:
    """The moments alone, by hand: what the arithmetic costs without any check."""
    from benchmarks import speed_sql

    answer = _by_hand(speed_sql.units(Path(table), checks=False))
    answer["moments"] = _unit_moments(answer.pop("rows")[0])
    return answer


def hand_raw(exposures: str, events: str) -> Answer:
    """Moments from exposures and events, by hand."""
    from benchmarks import speed_sql

    answer = _by_hand(speed_sql.raw(Path(exposures), Path(events)))
    answer["moments"] = _raw_moments(answer.pop("rows")[0])
    return answer


def statement(table: str, text_file: str) -> Answer:
    """One of Paribus' statements on a fresh engine."""
    text = Path(text_file).read_text()
    started = process_time()
    engine = _engine()
    engine.columns(table)
    imported = process_time()
    engine.query(text)
    return {"imports": imported - started, "work": process_time() - imported}


def units(table: str) -> Answer:
    """Paribus' measurement of a table of units: probe, shifts, moments."""
    watch = Watch()
    from paribus.metrics.definition import DataModel, UnitTable
    from paribus.metrics.measure import measure

    engine = _engine()
    metrics = _unit_metrics()
    _compile_once()
    watch.ready()
    found = measure(engine, DataModel(UnitTable(table, "unit", "variant")), metrics, ["control", "treatment"])
    return _measured(engine, found, watch.answer())


def raw(exposures: str, events: str, caps: str) -> Answer:
    """Paribus' measurement of exposures and events: probes, caps unless they are sealed, moments."""
    watch = Watch()
    from paribus.metrics.definition import DataModel, EventSource, Exposures
    from paribus.metrics.measure import measure

    engine = _engine()
    metrics = _raw_metrics(caps)
    _compile_once()
    watch.ready()
    model = DataModel(
        exposures=Exposures(exposures, "unit", "variant", "ts"), events={"orders": EventSource(events, "unit", "ts")}
    )
    found = measure(engine, model, metrics, ["control", "treatment"])
    return _measured(engine, found, watch.answer())


def analyze(table: str) -> Answer:
    """The whole of Paribus: from the file to the verdict."""
    watch = Watch()
    import duckdb  # noqa: F401
    import numpy  # noqa: F401

    import paribus as pb
    import paribus.experiments.analysis

    _compile_once()
    watch.ready()
    result = pb.analyze(
        table,
        unit="unit",
        variant="variant",
        metrics=[*(f"y{i}" for i in range(1, 8)), *(f"top{i}/bottom{i}" for i in range(1, 4))],
        covariates={f"y{i}": [f"x{i}"] for i in range(1, 8)},
    )
    return {**watch.answer(), "effects": _effects(result)}


def tea_tasting(table: str) -> Answer:
    """tea-tasting on ibis-duckdb, same metrics."""
    watch = Watch()
    import ibis
    import tea_tasting as tt

    connection = ibis.duckdb.connect(threads=THREADS)
    watch.ready()
    metrics: dict[str, Any] = {f"y{i}": tt.Mean(f"y{i}", f"x{i}") for i in range(1, 8)}
    metrics |= {f"top{i}/bottom{i}": tt.RatioOfMeans(f"top{i}", f"bottom{i}") for i in range(1, 4)}
    result = tt.Experiment(metrics).analyze(connection.read_parquet(table), control="control")
    answer = watch.answer()
    effects = {name: [result[name].effect_size, result[name].pvalue] for name in metrics}
    return {**answer, "effects": effects}


def effects(cells: str) -> Answer:
    """The second stage's arrays alone."""
    from benchmarks import speed_second_stage

    return speed_second_stage.effects(int(cells))


def infer(cells: str) -> Answer:
    """The whole second stage."""
    from benchmarks import speed_second_stage

    return speed_second_stage.whole(int(cells))


def nothing() -> Answer:
    """A bare interpreter: what every other process pays as well."""
    return {"work": 0.0}


def _engine() -> Any:
    from paribus.warehouse.duckdb_engine import DuckDBEngine

    class Timed(DuckDBEngine):
        """Adds up the CPU of statements."""

        spent: list[float]

        def query(self, sql: str) -> Any:
            started = process_time()
            found = super().query(sql)
            self.spent.append(process_time() - started)
            return found

    engine = Timed(threads=THREADS)
    engine.spent = []
    return engine


def _compile_once() -> None:
    """Loads what the compiler loads when it is first used."""
    import sqlglot  # noqa: F401

    from paribus.warehouse.sql import build, fragments  # noqa: F401


def _by_hand(sql: str) -> Answer:
    started = process_time()
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS})
    imported = process_time()
    rows = [connection.execute(each).fetchall() for each in sql.split(";\n")]
    return {"imports": imported - started, "work": process_time() - imported, "rows": rows, "sql": sql}


def _measured(engine: Any, found: Any, spent: Answer) -> Answer:
    moments = {}
    for name, cells in found.cells.items():
        at = cells.moments
        moments[name] = {
            key.variant: {
                "n": float(at.n[i]),
                "mean": at.mean[i].tolist(),
                "m2": at.m2[i].tolist(),
                "m3": at.m3[i, : 2 if "top" in name else 1].tolist(),
            }
            for i, key in enumerate(cells.keys)
        }
    statements = [
        {"name": each.name, "sql": each.sql, "cpu": cpu}
        for each, cpu in zip(found.statements, engine.spent, strict=True)
    ]
    return {
        **spent,
        "in_statements": sum(engine.spent),
        "statements": statements,
        "moments": moments,
    }


def _unit_metrics() -> list[Any]:
    from paribus.metrics.definition import Covariate, Metric, MetricType

    means = [
        Metric(f"y{i}", MetricType.MEAN, value=f"y{i}", covariates=(Covariate(value=f"x{i}"),)) for i in range(1, 8)
    ]
    return means + [Metric(f"top{i}", MetricType.RATIO, value=f"top{i}", denominator=f"bottom{i}") for i in range(1, 4)]


def _raw_metrics(caps: str) -> list[Any]:
    from benchmarks.speed_sql import HISTORY_DAYS, RAW_METRICS, WINDOW_DAYS
    from paribus.metrics.definition import Cap, Covariate, Metric, MetricType

    return [
        Metric(
            name,
            MetricType.MEAN,
            source="orders",
            value=name,
            window_days=WINDOW_DAYS,
            cap=Cap(upper=cap) if caps == "sealed" else Cap(upper_percentile=0.99, over="pooled"),
            covariates=(Covariate(days=HISTORY_DAYS),),
        )
        for name, cap in RAW_METRICS.items()
    ]


def _unit_moments(rows: list[tuple[Any, ...]]) -> Answer:
    """Shifted sums of `speed_sql.units` as moments."""
    found: Answer = {}
    for variant, n, *sums in rows:
        at = iter(sums)
        for i in range(1, 8):
            a, b, aa, bb, ab, aaa = (next(at) for _ in range(6))
            found.setdefault(f"y{i}", {})[variant] = _moments(n, (50, 50), (a, b), (aa, ab, bb), (aaa,))
        for i in range(1, 4):
            a, b, aa, bb, ab, aaa, bbb = (next(at) for _ in range(7))
            found.setdefault(f"top{i}", {})[variant] = _moments(n, (12, 5), (a, b), (aa, ab, bb), (aaa, bbb))
    return found


def _raw_moments(rows: list[tuple[Any, ...]]) -> Answer:
    found: Answer = {}
    from benchmarks.speed_sql import RAW_METRICS

    for variant, n, h, *sums in rows:
        at = iter(sums)
        for name in RAW_METRICS:
            y, x, yy, xx, yx, yh, xh, yyy, *_ = (next(at) for _ in range(12))
            found.setdefault(name, {})[variant] = _moments(n, (0, 0, 0), (y, x, h), (yy, yx, yh, xx, xh, h), (yyy,))
    return found


def _moments(n: int, shift: tuple[float, ...], sums: Any, products: Any, cubes: Any) -> Answer:
    """Moments from shifted sums; products are the upper triangle, row by row."""
    k = len(sums)
    d = [float(s) / n for s in sums]
    m2 = [[0.0] * k for _ in range(k)]
    at = iter(products)
    for i in range(k):
        for j in range(i, k):
            m2[i][j] = m2[j][i] = float(next(at)) - n * d[i] * d[j]
    m3 = [float(cube) - 3 * d[i] * (m2[i][i] + n * d[i] ** 2) + 2 * n * d[i] ** 3 for i, cube in enumerate(cubes)]
    return {"n": float(n), "mean": [c + e for c, e in zip(shift, d, strict=True)], "m2": m2, "m3": m3}


def _effects(result: Any) -> dict[str, list[float]]:
    return {each.metric: [each.absolute.value, each.absolute.p_value] for each in result.comparisons}


TASKS: dict[str, Callable[..., Answer]] = {
    task.__name__: task
    for task in (
        scan,
        hand_units,
        hand_moments,
        hand_raw,
        statement,
        units,
        raw,
        analyze,
        tea_tasting,
        effects,
        infer,
        nothing,
    )
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:]), default=str))
