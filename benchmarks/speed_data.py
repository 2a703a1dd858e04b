"""The benchmark's data, made by DuckDB: one Parquet row per unit, and raw exposures with events."""

from __future__ import annotations

from pathlib import Path

import duckdb

MEANS, RATIOS = 7, 3
UNITS, EVENTS = 200_000, 2_000_000
VALUES = [f"{side}{i}" for i in range(1, MEANS + 1) for side in "yx"]
VALUES += [f"{side}{i}" for i in range(1, RATIOS + 1) for side in ("top", "bottom")]


def unit_table(folder: Path, units: int) -> Path:
    """Unit id, variant and 20 double columns: 7 outcomes with a covariate each, 3 numerators with denominators."""
    path = folder / f"units-{units}.parquet"
    if path.exists():
        return path
    normal = "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
    drawn = ", ".join(f"50 + 15 * {normal} AS x{i}, 20 + 10 * {normal} AS e{i}" for i in range(1, MEANS + 1))
    drawn += "".join(f", 1 + floor(random() * 9) AS bottom{i}, random() AS e{MEANS + i}" for i in range(1, RATIOS + 1))
    means = ", ".join(f"(0.6 * x{i} + e{i})::DOUBLE AS y{i}, x{i}::DOUBLE AS x{i}" for i in range(1, MEANS + 1))
    ratios = ", ".join(
        f"(bottom{i} * (2 + e{MEANS + i}))::DOUBLE AS top{i}, bottom{i}::DOUBLE AS bottom{i}"
        for i in range(1, RATIOS + 1)
    )
    _write(
        path,
        f"SELECT unit, CASE WHEN hash(unit) % 2 = 0 THEN 'control' ELSE 'treatment' END AS variant, {means}, {ratios} "
        f"FROM (SELECT range AS unit, {drawn} FROM range({units}))",
    )
    return path


def raw_tables(folder: Path) -> tuple[Path, Path]:
    """Exposures (six rows for five units) over four weeks, and events from four weeks before to five after."""
    exposures, events = folder / "exposures.parquet", folder / "events.parquet"
    if not exposures.exists():
        _write(
            exposures,
            "SELECT unit, CASE WHEN hash(unit) % 2 = 0 THEN 'control' ELSE 'treatment' END AS variant, "
            "TIMESTAMP '2026-03-01' + to_seconds((random() * 28 * 86400)::BIGINT) AS ts "
            f"FROM (SELECT range % {UNITS} AS unit FROM range({UNITS * 6 // 5}))",
        )
    if not events.exists():
        _write(
            events,
            f"SELECT (random() * {UNITS * 1.1})::BIGINT AS unit, "
            "TIMESTAMP '2026-02-01' + to_seconds((random() * 63 * 86400)::BIGINT) AS ts, "
            "round(-30 * ln(1 - random()), 2)::DOUBLE AS revenue, (1 + floor(random() * 5))::INTEGER AS items, "
            "round(-200 * ln(1 - random()), 1)::DOUBLE AS seconds "
            f"FROM range({EVENTS})",
        )
    return exposures, events


def _write(path: Path, select: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SELECT setseed(0.42)")
        connection.execute(f"COPY ({select}) TO '{partial}' (FORMAT parquet, COMPRESSION zstd)")
    partial.rename(path)
