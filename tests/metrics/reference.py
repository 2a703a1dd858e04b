"""The same moments by pandas, with no SQL: written from the definitions, not from the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd


def enrolled(
    exposures: pd.DataFrame, start: datetime, end: datetime, as_of: datetime, epochs: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per unit at its first exposure, and the mixed units left out."""
    x = exposures[exposures["variant"].isin(["control", "treatment"]) & (exposures["reason"] == "SPLIT")]
    x = x[x["user_id"].notna() & (x["user_id"].fillna("").str.strip() != "")]
    x = x[(x["ts"] >= start) & (x["ts"] < end) & (x["ts"] < as_of)]
    groups = ["user_id", "epoch"] if epochs else ["user_id"]
    arms = x.groupby(groups)["variant"].nunique()
    mixed_names = set(arms[arms > 1].reset_index()["user_id"])
    x = x.sort_values("ts", kind="stable")
    first = x.drop_duplicates("user_id", keep="first").set_index("user_id")
    mixed = first[first.index.isin(mixed_names)]
    return first[~first.index.isin(mixed_names)], mixed


def per_unit(
    first: pd.DataFrame,
    events: pd.DataFrame,
    low: timedelta | None,
    high: timedelta | None,
    value: pd.Series | None,
    how: str = "sum",
) -> pd.Series:
    """Sum of `value` (or any, or count, or distinct) of a unit's rows in [t0 + low, t0 + high), 0 without rows."""
    joined = events.assign(v=1.0 if value is None else value).merge(
        first[["ts"]].rename(columns={"ts": "t0"}), left_on="user_id", right_index=True
    )
    inside = pd.Series(True, index=joined.index)
    if low is not None:
        inside &= joined["ts"] >= joined["t0"] + low
    if high is not None:
        inside &= joined["ts"] < joined["t0"] + high
    grouped = joined[inside & joined["v"].notna()].groupby("user_id")["v"]
    found = {"sum": grouped.sum, "any": grouped.any, "count": grouped.count, "distinct": grouped.nunique}[how]()
    return found.reindex(first.index).fillna(0).astype(float)


def funnel(first: pd.DataFrame, steps: Sequence[pd.DataFrame], window: timedelta) -> list[pd.Series]:
    """For each step, 1 for the units that completed it in order, by walking through each unit's rows."""
    times = [step.groupby("user_id")["ts"].apply(lambda s: sorted(s)).to_dict() for step in steps]
    done = [dict.fromkeys(first.index, 0.0) for _ in steps]
    for unit, t0 in first["ts"].items():
        reached = t0
        for k, by_unit in enumerate(times):
            later = [t for t in by_unit.get(unit, []) if reached <= t < t0 + window]
            if not later:
                break
            reached = later[0]
            done[k][unit] = 1.0
    return [pd.Series(found).reindex(first.index) for found in done]


def moments(columns: Sequence[pd.Series]) -> tuple[int, np.ndarray, np.ndarray, float]:
    """n, means, centred cross-products and the centred third power of the first, over rows without a missing value."""
    x = np.column_stack([np.asarray(c, dtype=np.longdouble) for c in columns])
    x = x[~np.isnan(x.astype(float)).any(axis=1)]
    if not len(x):
        return 0, np.full(len(columns), np.nan), np.full((len(columns),) * 2, np.nan), float("nan")
    mean = x.mean(axis=0)
    d = x - mean
    return len(x), mean.astype(float), (d.T @ d).astype(float), float((d[:, 0] ** 3).sum())
