"""A watch's running state, made anew from the lake: at a restart, for a new watch, or for a report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from paribus.lake.fresh import read_fresh
from paribus.lake.reading import LakeReader
from paribus.lake.record import microseconds
from paribus.lake.rows import ask, asking
from paribus.monitoring.outcome import EXPOSURE, REQUEST
from paribus.monitoring.request_rate import RequestSums
from paribus.monitoring.service_level import WINDOWS, Traffic
from paribus.monitoring.tally import TOLERANCE
from paribus.monitoring.watch import Watch
from paribus.monitoring.watched import RANDOMIZED, Watched

_UNIT = (
    "coalesce(CASE WHEN unit_type = $unit_type THEN unit END, "
    "CASE $unit_type WHEN 'user' THEN user_id WHEN 'anonymous' THEN anonymous_id END)"
)
_COLUMNS = ("name", "unit", "unit_type", "user_id", "anonymous_id", "corrected_time", "properties")
_EXPOSED = f"""
SELECT {_UNIT} AS unit, properties ->> '$.assigned' AS assigned, properties ->> '$.served' AS served,
       coalesce(TRY_CAST(properties ->> '$.epoch' AS BIGINT), 1) AS epoch,
       TRY_CAST(properties ->> '$.probability' AS DOUBLE) AS probability,
       coalesce(properties ->> '$.reason', '') AS reason, epoch_us(corrected_time) AS time
FROM {{events}}
WHERE name = '{EXPOSURE}' AND properties ->> '$.flag' = $flag
  AND coalesce(properties ->> '$.environment', $environment) = $environment
  AND epoch_us(corrected_time) >= $since AND epoch_us(corrected_time) < $until
"""
_FAILED = (
    "(lower(coalesce(properties ->> '$.error', 'false')) = 'true' "
    "OR coalesce(TRY_CAST(properties ->> '$.status' AS BIGINT), 0) >= 500)"
)
_MILLISECONDS = (
    "coalesce(TRY_CAST(properties ->> '$.latency_ms' AS DOUBLE), TRY_CAST(properties ->> '$.duration_ms' AS DOUBLE), "
    "1000 * TRY_CAST(properties ->> '$.seconds' AS DOUBLE))"
)
_AFTER = f"request.time >= exposed.time - {TOLERANCE}"
_LOG_WIDTH = math.log(1.02)
_FAR = 1 << 62


def rebuild(reader: LakeReader, watch: Watch, *, until: datetime | None = None) -> Watched:
    """The state as if every event of the lake (before `until`) had been taken once."""
    return read_fresh(lambda: _rebuilt(reader, watch, _values(watch, until)))


def _rebuilt(reader: LakeReader, watch: Watch, values: dict[str, Any]) -> Watched:
    state = Watched(watch)
    names = sorted(state.names - {EXPOSURE})
    with asking(reader, names=sorted({EXPOSURE, REQUEST, *names}), columns=_COLUMNS) as ask:
        exposed = ask(
            "SELECT unit, assigned, served, epoch, reason, min(time) AS time, max(probability) AS probability "
            f"FROM ({_EXPOSED}) WHERE unit IS NOT NULL GROUP BY ALL ORDER BY time, unit, assigned, served",
            values,
        )
        failed = ask(
            f"SELECT {_UNIT} AS unit, name, max(epoch_us(corrected_time)) AS time FROM {{events}} "
            f"WHERE list_contains($names, name) AND epoch_us(corrected_time) < $until "
            f"AND (name <> '{REQUEST}' OR {_FAILED}) GROUP BY ALL",
            {"names": names, **{name: values[name] for name in ("unit_type", "until")}},
        )
        latencies = ask(_LATENCIES, values)
    for row in exposed:
        if row["reason"] != RANDOMIZED:
            state.reasons[row["reason"]] += 1
            continue
        state.expose(row["unit"], row["assigned"], row["served"], row["time"], row["epoch"], row["probability"])
    several = {name: [place for place, guard in enumerate(watch.guards) if name in guard.events] for name in names}
    for row in failed:
        for place in several[row["name"]] if row["unit"] is not None else ():
            state.tally.fail(row["unit"], place, row["time"])
    for row in latencies:
        if (histogram := state.latency.get(row["arm"])) is not None:
            histogram.bins[row["bin"]] += row["n"]
            histogram.requests += row["n"]
    return state


@dataclass(frozen=True, slots=True)
class Requests:
    """An arm's requests after exposure: all, and by look-back."""

    arm: str
    requests: int
    failed: int
    windows: tuple[Traffic, ...]


def requests_by_arm(reader: LakeReader, watch: Watch, *, now: datetime, days: float = 28) -> list[Requests]:
    """Requests and failures of each arm's units after their exposure, whole and in the windows of burn rates."""
    hours = sorted({each for long, short, _ in WINDOWS for each in (long, short)} | {days * 24})
    sums = ", ".join(
        f"count(*) FILTER (request.time >= $back{i}) AS n{i}, "
        f"count(*) FILTER (request.time >= $back{i} AND failed) AS bad{i}"
        for i in range(len(hours))
    )
    backs = {f"back{i}": microseconds(now - timedelta(hours=each)) for i, each in enumerate(hours)}
    rows = ask(
        reader,
        f"WITH exposed AS ({_FIRST}), request AS ({_REQUESTED}) SELECT arm, count(*) AS n, "
        f"count(*) FILTER (failed) AS bad, {sums} FROM request JOIN exposed USING (unit) "
        f"WHERE {_AFTER} GROUP BY arm ORDER BY arm",
        names=[EXPOSURE, REQUEST],
        columns=_COLUMNS,
        values={**_values(watch, now + timedelta(microseconds=1)), **backs},
    )
    return [
        Requests(
            row["arm"],
            row["n"],
            row["bad"],
            tuple(Traffic(each, row[f"n{i}"], row[f"bad{i}"]) for i, each in enumerate(hours)),
        )
        for row in rows
    ]


def request_sums(reader: LakeReader, watch: Watch, *, until: datetime) -> dict[str, RequestSums]:
    """Requests and failures of each arm's units after their exposure, summed over units."""
    rows = ask(
        reader,
        f"WITH exposed AS ({_FIRST}), request AS ({_REQUESTED}), by_unit AS (SELECT arm, unit, count(*) AS n, "
        f"count(*) FILTER (failed) AS x FROM request JOIN exposed USING (unit) WHERE {_AFTER} "
        "GROUP BY arm, unit) SELECT arm, count(*) AS units, CAST(sum(n) AS BIGINT) AS requests, "
        "CAST(sum(x) AS BIGINT) AS failed, CAST(sum(n * n) AS DOUBLE) AS requests_squared, "
        "CAST(sum(x * x) AS DOUBLE) AS failed_squared, CAST(sum(n * x) AS DOUBLE) AS product "
        "FROM by_unit GROUP BY arm ORDER BY arm",
        names=[EXPOSURE, REQUEST],
        columns=_COLUMNS,
        values=_values(watch, until),
    )
    return {row.pop("arm"): RequestSums(**row) for row in rows}


_FIRST = (
    f"SELECT unit, min(assigned) AS arm, min(time) AS time FROM ({_EXPOSED}) WHERE reason = '{RANDOMIZED}' "
    "AND unit IS NOT NULL GROUP BY unit HAVING count(DISTINCT assigned) = 1"
)
_REQUESTED = (
    f"SELECT {_UNIT} AS unit, epoch_us(corrected_time) AS time, {_FAILED} AS failed, {_MILLISECONDS} AS ms "
    f"FROM {{events}} WHERE name = '{REQUEST}' AND epoch_us(corrected_time) < $until"
)
_LATENCIES = (
    f"WITH exposed AS ({_FIRST}), request AS ({_REQUESTED}) "
    f"SELECT arm, CAST(round(ln(ms) / {_LOG_WIDTH!r}) AS BIGINT) AS bin, count(*) AS n "
    f"FROM request JOIN exposed USING (unit) WHERE {_AFTER} AND ms > 0 AND isfinite(ms) GROUP BY ALL ORDER BY ALL"
)


def _values(watch: Watch, until: datetime | None) -> dict[str, Any]:
    return {
        "flag": watch.flag,
        "environment": watch.environment,
        "unit_type": watch.unit_type,
        "since": microseconds(datetime.fromisoformat(watch.since)) if watch.since else -_FAR,
        "until": _FAR if until is None else microseconds(until),
    }
