"""One data set for every engine: exposures, orders and page views of a few thousand units, with what goes wrong.

Planted: units in two variants, exposures repeated, overridden, before the start, without a unit; events exactly at t0
and exactly at t0 + window; events within the tolerance before t0; millisecond times; NULL countries and revenues;
refunds; units without events and without history; orders of units never exposed; order ids that repeat.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

START = datetime(2026, 3, 2)
END = datetime(2026, 3, 16)
AS_OF = datetime(2026, 3, 20)
WINDOW = 7
HISTORY = 14


def frames(units: int = 2400, seed: int = 20260301) -> dict[str, pd.DataFrame]:
    """The tables `exposures`, `orders`, `views` and `units`."""
    rng = np.random.default_rng(seed)
    names = np.array([f"user-{i:05d}" for i in range(units)])
    second_arm = rng.random(units) < 0.5
    day = np.timedelta64(1, "D")
    t0 = np.datetime64(START, "ms") + (rng.random(units) * 13 * 86_400_000).astype("timedelta64[ms]")
    country = rng.choice(np.array(["DE", "US", "O'Hara", None], dtype=object), units, p=[0.4, 0.4, 0.15, 0.05])
    platform = rng.choice(np.array(["web", "app"], dtype=object), units)
    rows = []

    def expose(
        i: int, variant: str | None, time: np.datetime64, reason: str = "SPLIT", unit: str | None = "own"
    ) -> None:
        served = "control" if rng.random() < 0.01 else variant
        unit = names[i] if unit == "own" else unit
        rows.append((unit, variant, time, country[i], platform[i], f"e{1 + int(time > T_EPOCH)}", reason, served))

    for i in range(units):
        variant = "treatment" if second_arm[i] else "control"
        expose(i, variant, t0[i])
        for _ in range(rng.poisson(0.8)):
            later = t0[i] + np.timedelta64(int(rng.random() * 3 * 86_400_000), "ms")
            expose(i, variant, later)
        if i % 60 == 0:  # mixed
            expose(i, "control" if second_arm[i] else "treatment", t0[i] + np.timedelta64(1 + i, "m"))
        if i % 83 == 5 and t0[i] <= T_EPOCH:  # another variant in the next epoch: mixed only where epochs are unknown
            expose(i, "control" if second_arm[i] else "treatment", t0[i] + 7 * day)
        if i % 97 == 1:
            expose(i, variant, t0[i] - 20 * day)  # before the start
        if i % 101 == 2:
            expose(i, "treatment", t0[i] - np.timedelta64(1, "h"), reason="OVERRIDE")
    for i in range(7):
        expose(i, "control", t0[i], unit=None if i % 2 else "  ")
        expose(i, "purple", t0[i])
        expose(i, None, t0[i])
    exposures = pd.DataFrame(
        rows, columns=["user_id", "variant", "ts", "country", "platform", "epoch", "reason", "served"]
    )
    orders = _orders(rng, names, t0, second_arm)
    views = _views(rng, names, t0)
    return {"exposures": exposures, "orders": orders, "views": views, "units": _units(rng, names, second_arm, country)}


T_EPOCH = np.datetime64(datetime(2026, 3, 9), "ms")


def _orders(rng: np.random.Generator, names: np.ndarray, t0: np.ndarray, lifted: np.ndarray) -> pd.DataFrame:
    rows = []
    ms = np.timedelta64(1, "ms")
    for i, name in enumerate(names):
        for _ in range(rng.poisson(1.5 + 0.3 * lifted[i]) if i % 3 else 0):
            offset = (rng.random() * 40 - 20) * 86_400_000
            rows.append((name, t0[i] + np.timedelta64(int(offset), "ms"), round(float(rng.lognormal(3, 1)), 2)))
        if i % 11 == 0:
            rows.append((name, t0[i], 10.0))  # exactly at t0: after exposure
            rows.append((name, t0[i] + np.timedelta64(WINDOW, "D"), 1000.0))  # exactly at the end: outside
            rows.append((name, t0[i] + np.timedelta64(WINDOW, "D") - ms, 3.25))  # the last millisecond: inside
            rows.append((name, t0[i] - np.timedelta64(HISTORY, "D"), 2.5))  # the first of the history: inside
            rows.append((name, t0[i] - np.timedelta64(HISTORY, "D") - ms, 500.0))  # outside
        if i % 13 == 0:
            rows.append((name, t0[i] - np.timedelta64(3, "s"), 7.5))  # within the tolerance: history
        if i % 17 == 0:
            rows.append((name, t0[i] + np.timedelta64(5, "h"), -20.0))  # a refund
        if i % 19 == 0:
            rows.append((name, t0[i] + np.timedelta64(6, "h"), None))
    rows += [(f"stranger-{i}", np.datetime64(START, "ms") + np.timedelta64(i, "h"), 5.0) for i in range(50)]
    frame = pd.DataFrame(rows, columns=["user_id", "ts", "revenue"])
    frame["quantity"] = rng.integers(0, 4, len(frame))
    frame["kind"] = rng.choice(np.array(["buy", "gift"], dtype=object), len(frame), p=[0.8, 0.2])
    frame["order_id"] = [f"o{i}" for i in range(len(frame))]
    frame["session"] = [f"{u}-{t.date()}" for u, t in zip(frame["user_id"], frame["ts"], strict=True)]
    return pd.concat([frame, frame.iloc[::50]], ignore_index=True)  # rows that were delivered twice


def _views(rng: np.random.Generator, names: np.ndarray, t0: np.ndarray) -> pd.DataFrame:
    rows = []
    for i, name in enumerate(names):
        for _ in range(rng.poisson(3)):
            offset = (rng.random() * 24 - 10) * 86_400_000
            page = ["home", "cart", "pay"][rng.integers(0, 3)]
            rows.append((name, t0[i] + np.timedelta64(int(offset), "ms"), page, float(rng.gamma(2, 100))))
        if i % 23 == 0:  # two steps at the same instant, in either order of rows
            tie = t0[i] + np.timedelta64(2, "h")
            rows += [(name, tie, "cart", 50.0), (name, tie, "home", 60.0), (name, tie, "pay", 70.0)]
    return pd.DataFrame(rows, columns=["user_id", "ts", "page", "ms"])


def _units(rng: np.random.Generator, names: np.ndarray, second_arm: np.ndarray, country: np.ndarray) -> pd.DataFrame:
    """A table of units: duplicated rows, NULL metrics and covariates, zero denominators, a large offset."""
    n = len(names)
    before = rng.gamma(2, 10, n)
    frame = pd.DataFrame(
        {
            "user_id": names,
            "group": np.where(second_arm, "treatment", "control"),
            "converted": (rng.random(n) < 0.1 + 0.02 * second_arm).astype(int),
            "order": np.round(before * 0.5 + rng.normal(0, 5, n), 3),
            "spent before": np.round(before, 3),
            "visits": rng.poisson(2, n),
            "offset": 1e9 + np.round(rng.random(n), 6),
            "Country": country,
        }
    )
    frame.loc[frame.index % 29 == 0, "order"] = np.nan
    frame.loc[frame.index % 31 == 0, "spent before"] = np.nan
    return frame
