"""Events of a small shop as a lake stores them: written to Parquet files by DuckDB, and kept as plain rows.

Rows arrive late, twice and out of order; the expected numbers are worked out from the plain rows by pandas.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

START = datetime(2026, 3, 2, tzinfo=UTC)
FLAG = "new-checkout"
COLUMNS = {
    "source": "VARCHAR",
    "event_id": "VARCHAR",
    "name": "VARCHAR",
    "unit_type": "VARCHAR",
    "unit": "VARCHAR",
    "user_id": "VARCHAR",
    "anonymous_id": "VARCHAR",
    "session_id": "VARCHAR",
    "original_time": "TIMESTAMPTZ",
    "sent_time": "TIMESTAMPTZ",
    "received_time": "TIMESTAMPTZ",
    "corrected_time": "TIMESTAMPTZ",
    "properties": "VARCHAR",
    "context": "VARCHAR",
    "plan_revision": "BIGINT",
    "planned": "BOOLEAN",
    "sequence": "BIGINT",
    "event_date": "DATE",
}
TYPED = {
    "flag": "VARCHAR",
    "assigned": "VARCHAR",
    "served": "VARCHAR",
    "reason": "VARCHAR",
    "revision": "BIGINT",
    "epoch": "BIGINT",
    "traffic_bp": "BIGINT",
    "split_bp": "BIGINT",
    "probability": "DOUBLE",
    "attributes": "VARCHAR",
    "environment": "VARCHAR",
    "unit": "VARCHAR",
    "unit_type": "VARCHAR",
    "revenue": "DOUBLE",
}


@dataclass
class Shop:
    """Rows as they landed; `write` puts those since the last call into a new file."""

    folder: Path
    seed: int = 1
    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    written: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def add(self, name: str, unit: str, at: datetime, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
        """One event; `late_seconds` after it happened it is received."""
        late = more.pop("late_seconds", 1.0)
        self.number += 1
        row: dict[str, Any] = {
            "source": "paribus:main",
            "event_id": f"e{self.number}",
            "name": name,
            "unit_type": "user",
            "unit": unit,
            "user_id": None,
            "anonymous_id": None,
            "session_id": None,
            "original_time": at,
            "sent_time": at + timedelta(seconds=late),
            "received_time": at + timedelta(seconds=late),
            "corrected_time": at,
            "context": "{}",
            "plan_revision": 1,
            "planned": True,
            "sequence": self.number,
            "event_date": at.date(),
            **more,
        }
        row["properties"] = json.dumps(properties)
        for key in TYPED:
            value = properties.get(key)
            row[f"p_{key}"] = json.dumps(value) if isinstance(value, dict) else value
        self.rows.append(row)
        return row

    def expose(self, unit: str, variant: str, at: datetime, **more: Any) -> dict[str, Any]:
        """An exposure to the flag; `more` overrides its fields."""
        outer = {k: more.pop(k) for k in ("late_seconds", "context", "unit_type", "user_id", "name") if k in more}
        exposure = {
            "flag": FLAG,
            "assigned": variant,
            "served": variant,
            "reason": "SPLIT",
            "revision": 4,
            "epoch": 1,
            "traffic_bp": 10_000,
            "split_bp": 5_000,
            "probability": 0.5,
            "attributes": {},
            "environment": "prod",
            "unit": unit,
            "unit_type": "user",
            **more,
        }
        return self.add("$exposure", unit, at, exposure, **outer)

    def repeat(self, row: dict[str, Any]) -> None:
        """The same event once more, as a retry lands it."""
        self.rows.append(dict(row))

    def day(self, number: int, units: int, first_unit: int = 0, effect: float = 0.0) -> None:
        """A day of the shop: exposures, orders with and without delay, errors, duplicates and strangers."""
        random = self.random
        begin = START + timedelta(days=number)
        for i in range(first_unit, first_unit + units):
            unit = f"u{i}"
            variant = "treatment" if random.random() < 0.5 else "control"
            at = begin + timedelta(seconds=float(random.uniform(0, 80_000)))
            country = ["de", "fr", "us"][int(random.integers(3))]
            # Some orders arrive before the exposure that they follow, some days late.
            for _ in range(int(random.poisson(0.7 + effect * (variant == "treatment")))):
                after = timedelta(seconds=float(random.uniform(-4_000, 9 * 86_400)))
                amount = round(float(random.lognormal(3, 1)), 2)
                late = float(random.exponential(600))
                row = self.add(
                    "order_completed",
                    unit,
                    at + after,
                    {"revenue": amount, "items": int(random.integers(1, 5))},
                    late_seconds=late,
                )
                if random.random() < 0.1:
                    self.repeat(row)
            if random.random() < 0.2:
                self.add("$error", unit, at + timedelta(hours=1), {"message": "oops"})
            exposure = self.expose(unit, variant, at, attributes={"country": country})
            if random.random() < 0.2:
                self.expose(unit, variant, at + timedelta(hours=2), attributes={"country": country}, revision=5)
            if random.random() < 0.1:
                self.repeat(exposure)
        for i in range(units // 5):
            self.add("order_completed", f"stranger{i}", begin + timedelta(hours=3), {"revenue": 5.0, "items": 1})

    def write(self, folder: str = "lake/events") -> Path:
        """Everything added since the last call, as one more Parquet file."""
        new, self.written = self.rows[self.written :], len(self.rows)
        return self.file(new, folder)

    def file(self, rows: list[dict[str, Any]], folder: str = "lake/events") -> Path:
        target = self.folder / folder
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"part-{len(self.files):05d}.parquet"
        kinds = {**COLUMNS, **{f"p_{name}": kind for name, kind in TYPED.items()}}
        frame = pd.DataFrame(rows, columns=list(kinds)).astype({"sequence": "int64"})
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("frame", frame)
            columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in kinds.items())
            connection.execute(f"COPY (SELECT {columns} FROM frame) TO '{path}' (FORMAT parquet)")
        self.files.append(path)
        return path


def first_exposures(
    rows: list[dict[str, Any]], *, end: datetime | None = None, as_of: datetime | None = None
) -> pd.DataFrame:
    """By unit: t0 and variant of the first randomized exposure, mixed units left out."""
    found: dict[str, tuple[datetime, str, set[str]]] = {}
    for row in rows:
        at = row["corrected_time"]
        if row["name"] != "$exposure" or row["p_flag"] != FLAG or row["p_reason"] != "SPLIT":
            continue
        if (end is not None and at >= end) or (as_of is not None and at >= as_of):
            continue
        unit, variant = row["unit"], row["p_assigned"]
        t0, first, met = found.get(unit, (at, variant, set()))
        if at < t0:
            t0, first = at, variant
        found[unit] = (t0, first, met | {variant})
    kept = [(unit, t0, first) for unit, (t0, first, met) in found.items() if len(met) == 1]
    return pd.DataFrame(kept, columns=["unit", "t0", "variant"]).set_index("unit")


def per_unit(
    rows: list[dict[str, Any]],
    units: pd.DataFrame,
    name: str,
    *,
    days: int | None = None,
    as_of: datetime | None = None,
    value: str | None = None,
) -> pd.Series:
    """By exposed unit: the sum of a property (or the number) of its distinct events of a name after exposure."""
    sums = dict.fromkeys(units.index, 0.0)
    seen: set[tuple[str, str]] = set()
    start = dict(zip(units.index, units["t0"], strict=True))
    for row in rows:
        key = (row["source"], row["event_id"])
        if row["name"] != name or key in seen:
            continue
        seen.add(key)
        at, unit = row["corrected_time"], row["unit"]
        if unit not in start or at < start[unit] or (as_of is not None and at >= as_of):
            continue
        if days is not None and at >= start[unit] + timedelta(days=days):
            continue
        sums[unit] += 1.0 if value is None else float(json.loads(row["properties"])[value])
    return pd.Series(sums)
