"""Days of the lake on which events came unusually often or seldom, by the exploration's detector; it only alerts."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from paribus.exploration.anomaly import find_anomalies
from paribus.exploration.days import Days
from paribus.lake.reading import LakeReader
from paribus.lake.record import microseconds
from paribus.lake.rows import ask
from paribus.monitoring.finding import Finding, Severity

DAY = 86_400_000_000
STATEMENT = (
    "SELECT name, epoch_us(corrected_time) // 86400000000 AS day, count(*) AS n, "
    "count(DISTINCT coalesce(unit, user_id, anonymous_id)) AS units FROM {events} "
    "WHERE epoch_us(corrected_time) >= $since AND epoch_us(corrected_time) < $until GROUP BY ALL ORDER BY ALL"
)


def unusual_days(reader: LakeReader, *, since: datetime, judged_from: datetime, until: datetime) -> list[Finding]:
    """What stands out on whole days from `judged_from` on, compared with the days since `since`.

    Events of Paribus itself that come only while an experiment runs are left out.
    """
    first, last = microseconds(since) // DAY + 1, microseconds(until) // DAY
    rows = ask(
        reader,
        STATEMENT,
        columns=("name", "corrected_time", "unit", "user_id", "anonymous_id"),
        values={"since": first * DAY, "until": last * DAY},
    )
    names = sorted({row["name"] for row in rows if row["name"] != "$exposure"})
    if not names or last - first < 1:
        return []
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), last - first))
    units = np.zeros_like(counts)
    for row in rows:
        if row["name"] in place:
            counts[place[row["name"]], row["day"] - first] = row["n"]
            units[place[row["name"]], row["day"] - first] = row["units"]
    # Days before the lake's first event are no holes.
    begin = int(np.argmax(counts.sum(axis=0) > 0))
    counts, units = counts[:, begin:], units[:, begin:]
    nothing = np.zeros(counts.shape[1])
    days = Days(first + begin, tuple(names), counts, units, nothing, nothing, nothing, {}, STATEMENT)
    judged = microseconds(judged_from) // DAY
    return [
        Finding(
            "anomaly",
            Severity.ALERTS,
            each.sentence(),
            numbers={"observed": each.observed, "expected": each.expected, "days": each.until - each.first},
        )
        for each in find_anomalies(days, system=frozenset(name for name in names if name.startswith("$")))
        if each.until > judged
    ]
