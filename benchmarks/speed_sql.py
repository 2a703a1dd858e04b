"""SQL as a careful person writes it by hand for the same numbers: what Paribus' statements are held against."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed_data import MEANS, RATIOS, VALUES

HISTORY_DAYS, WINDOW_DAYS = 28, 14
RAW_METRICS = {"revenue": 400.0, "items": 30.0, "seconds": 2500.0}  # with the caps of a sealed plan


def scan(table: Path) -> str:
    """One pass over every column that the moments statement reads."""
    return f"SELECT max(variant), {', '.join(f'sum({name})' for name in VALUES)} FROM '{table}'"


def units(table: Path, *, checks: bool = True) -> str:
    """Moments of ten metrics by variant, shifted by hand; with the rows, duplicates and missing values of the table.

    Columns by metric, in order: sums, squares, cross product, cubes of the outcomes.
    """
    sums = []
    for i in range(1, MEANS + 1):
        sums += _pair(f"y{i} - 50", f"x{i} - 50", has_second_cube=False)
    for i in range(1, RATIOS + 1):
        sums += _pair(f"top{i} - 12", f"bottom{i} - 5", has_second_cube=True)
    if checks:
        sums += [f"count({name})" for name in VALUES]
    moments = f"SELECT variant, count(*), {', '.join(sums)} FROM '{table}' GROUP BY variant ORDER BY variant"
    if not checks:
        return moments
    whole = f"SELECT count(*), count(unit), count(variant), count(DISTINCT unit) FROM '{table}'"
    return f"{whole};\n{moments}"


def _pair(a: str, b: str, *, has_second_cube: bool) -> list[str]:
    a, b = f"({a})", f"({b})"
    sums = [f"sum({a})", f"sum({b})", f"sum({a} * {a})", f"sum({b} * {b})", f"sum({a} * {b})", f"sum({a} * {a} * {a})"]
    return [*sums, f"sum({b} * {b} * {b})"] if has_second_cube else sums


def raw(exposures: Path, events: Path) -> str:
    """Moments by variant of three sums within a window, capped, with the same sum before exposure as covariate."""
    totals, deviations, sums = [], [], []
    inside = f"e.ts >= f.t0 AND e.ts < f.t0 + INTERVAL {WINDOW_DAYS} DAY"
    before = f"e.ts < f.t0 AND e.ts >= f.t0 - INTERVAL {HISTORY_DAYS} DAY"
    for name, cap in RAW_METRICS.items():
        totals += [
            f"coalesce(sum(e.{name}) FILTER (WHERE {inside}), 0) AS {name}_raw",
            f"coalesce(sum(e.{name}) FILTER (WHERE {before}), 0) AS {name}_before",
        ]
        deviations += [
            f"least({name}_raw, {cap}) AS {name}_y",
            f"least({name}_before, {cap}) AS {name}_x",
            f"{name}_raw",
        ]
        y, x, r = f"{name}_y", f"{name}_x", f"{name}_raw"
        sums += [
            *(f"sum({column})" for column in (y, x)),
            *(f"sum({a} * {b})" for a, b in ((y, y), (x, x), (y, x), (y, "h"), (x, "h"))),
            f"sum({y} * {y} * {y})",
            f"count(*) FILTER (WHERE {r} > {cap})",
            *(f"sum({power})" for power in (r, f"{r} * {r}", f"{r} * {r} * {r}")),
        ]
    return f"""
WITH first AS (
    SELECT unit, min(ts) AS t0, min(variant) AS variant FROM '{exposures}' GROUP BY unit HAVING min(variant) = max(variant)
), last AS (SELECT max(ts) AS ts FROM '{events}'),
totals AS (
    SELECT f.unit, f.variant, coalesce(max(CASE WHEN {before} THEN 1 END), 0) AS h, {", ".join(totals)}
    FROM first f LEFT JOIN '{events}' e ON e.unit = f.unit
    WHERE f.t0 <= (SELECT ts FROM last) - INTERVAL {WINDOW_DAYS} DAY
    GROUP BY f.unit, f.variant
), capped AS (SELECT variant, h, {", ".join(deviations)} FROM totals)
SELECT variant, count(*), sum(h), {", ".join(sums)} FROM capped GROUP BY variant ORDER BY variant""".strip()
