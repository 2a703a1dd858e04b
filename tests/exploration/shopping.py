"""A small shop with a known weak point, as a data frame: what the tests of exploration look for is planted here."""

from __future__ import annotations

import numpy as np
import pandas as pd

FUNNEL = (
    "session_started",
    "product_viewed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
)
START = pd.Timestamp("2026-10-05", tz="UTC")  # a Monday
DAY = 86_400_000_000


def visits(units: int = 4000, *, days: int = 28, seed: int = 1, weak: float = 0.55, usual: float = 0.8) -> pd.DataFrame:
    """Events of visits; returning mobile users pay at the rate `weak`, all others at `usual`."""
    chance = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), 1 + chance.poisson(1.2, units))
    mobile = chance.random(units) < 0.6
    returning = chance.random(units) < 0.5
    country = chance.choice(["NO", "DE", "US", "GB"], units)
    day = chance.integers(0, days, len(unit))
    kept = ~((day % 7 >= 5) & (chance.random(len(unit)) < 0.25))  # fewer at weekends
    unit, day = unit[kept], day[kept]
    visit = np.arange(len(unit))
    start = day * DAY + ((8 + 14 * chance.beta(2, 2, len(unit))) * 3_600_000_000).astype(np.int64)
    rates = [1.0, 0.85, 0.4, 0.6, 0.0, 0.95]
    paid = np.where(mobile[unit] & returning[unit], weak, usual)
    reached = np.ones(len(unit), dtype=bool)
    time = start.copy()
    parts = []
    for name, rate in zip(FUNNEL, rates, strict=True):
        reached = reached & (chance.random(len(unit)) < (paid if name == "payment_submitted" else rate))
        time = time + (chance.exponential(60, len(unit)) * 1e6).astype(np.int64) + 1
        parts.append(pd.DataFrame({"event": name, "visit": visit[reached], "at": time[reached]}))
        if name == "product_viewed":
            again = reached & (chance.random(len(unit)) < 0.5)
            parts.append(pd.DataFrame({"event": name, "visit": visit[again], "at": time[again] + 1000}))
            searched = reached & (chance.random(len(unit)) < 0.1)
            parts.append(
                pd.DataFrame({"event": "search_performed", "visit": visit[searched], "at": time[searched] + 2000})
            )
    events = pd.concat(parts, ignore_index=True)
    of = unit[events["visit"]]
    events["user_id"] = np.char.add("u", of.astype(str))
    events["session_id"] = np.char.add("s", events["visit"].to_numpy().astype(str))
    events["time"] = START + pd.to_timedelta(events["at"], unit="us")
    events["device"] = np.where(mobile[of], "mobile", "desktop")
    events["returning"] = returning[of]
    events["country"] = country[of]
    money = chance.lognormal(4, 0.6, len(events)).round(2)
    events["revenue"] = np.where(events["event"] == "order_completed", money, np.nan)
    return events.drop(columns=["visit", "at"]).sort_values("time", ignore_index=True)
