"""The SQL that reads `first_exposures` and `unit_metric`; `maintained_sql` says what their files hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paribus.lake.maintained_definition import Definition
from paribus.lake.quoting import literal

VOID = -1  # as the number of an event name: older generations of the unit's sums are void


def reader(paths: Sequence[Path]) -> str:
    """The SQL that reads files of one set."""
    listed = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def units(
    definition: Definition,
    ends: Mapping[str, datetime | None],
    files: Mapping[str, Sequence[Path]],
    horizon: datetime,
) -> str:
    """One row per enrolled unit of each experiment; see `MaintainedTables.units_sql`."""
    numbers = {key: definition.experiments.index(key) for key in ends}
    chosen = f"x IN ({', '.join(map(str, numbers.values()))})"
    limits = {numbers[key]: to_microseconds(horizon if end is None else min(horizon, end)) for key, end in ends.items()}
    limit = " ".join(f"WHEN {x} THEN {until}" for x, until in limits.items())
    until = f"CASE x {limit} END" if len(set(limits.values())) > 1 else str(max(limits.values()))
    attributes = [
        f"a{i + 1}" for i in range(max((len(definition.enrolments[key].attributes) for key in ends), default=0))
    ]
    asked = [(i + 1, j + 1) for i, name in enumerate(definition.values) for j in range(len(definition.columns(name)))]
    # CASE, where FILTER would do: rows are sorted by name, so that mostly one CASE in a batch has values, and it costs
    # the others next to nothing.
    sums = [f"sum(CASE WHEN n = {i - 1} THEN c{j} END) AS n{i}_c{j}" for i, j in asked]
    sums += [f"sum(CASE WHEN n = {i} THEN early END) AS n{i + 1}_early" for i in range(len(definition.values))]
    names = [column.rpartition(" AS ")[2] for column in sums]
    return (
        f"WITH xs AS (SELECT * FROM {stored(definition, 'exposures', files)} WHERE {chosen} AND t < {until}), "
        # Nearly all units have one row, which says all of them; the others are mixed, or met more than one epoch.
        "xa AS (SELECT x, unit, count(*) AS k, min(t) AS t0, min(variant) AS variant, min(epoch) AS epoch, "
        "min(probability) AS probability"
        + "".join(f", min({name}) AS {name}" for name in attributes)
        + " FROM xs GROUP BY x, unit), "
        "xm AS (SELECT xs.* FROM xs SEMI JOIN (SELECT x, unit FROM xa WHERE k > 1) AS o "
        "ON o.unit = xs.unit AND o.x = xs.x), "
        "xp AS (SELECT x, unit, epoch, min(t) AS t, min(variant) <> max(variant) AS m FROM xm "
        "GROUP BY x, unit, epoch), "
        "xf AS (SELECT x, unit, min(t) AS t0, bool_or(m) AS m FROM xp GROUP BY x, unit), "
        "xu AS (SELECT x, unit, t0, false AS m, variant, epoch, probability"
        + "".join(f", {name}" for name in attributes)
        + " FROM xa WHERE k = 1 UNION ALL "
        "SELECT xf.x, xf.unit, xf.t0, xf.m, min(xm.variant), min(xm.epoch), min(xm.probability)"
        + "".join(f", min(xm.{name})" for name in attributes)
        + " FROM xf JOIN xm ON xm.unit = xf.unit AND xm.x = xf.x AND xm.t = xf.t0 "
        "GROUP BY xf.x, xf.unit, xf.t0, xf.m), "
        f"sx AS (SELECT * FROM {stored(definition, 'sums', files)} WHERE {chosen}), "
        f"sv AS ({valid('sx', 'x, unit')}), "
        f"sw AS (SELECT x, unit{''.join(', ' + column for column in sums)} FROM sv GROUP BY x, unit) "
        "SELECT xu.x AS x, xu.unit AS unit, make_timestamptz(xu.t0) AS t0, xu.variant AS variant, xu.epoch AS epoch, "
        "xu.probability AS probability, xu.m AS is_mixed"
        + "".join(f", xu.{name} AS {name}" for name in attributes)
        + "".join(f", coalesce(sw.{name}, 0) AS {name}" for name in names)
        + " FROM xu LEFT JOIN sw ON sw.unit = xu.unit AND sw.x = xu.x"
    )


def counted(
    definition: Definition,
    experiment: str,
    files: Mapping[str, Sequence[Path]],
    horizon: datetime,
    end: datetime | None,
    bounds: Mapping[str, tuple[datetime | None, datetime | None]],
) -> str:
    """Number of a name, its events, and those of enrolled units; see `MaintainedTables.counted_sql`."""
    x, names = definition.experiments.index(experiment), list(definition.values)
    limit = to_microseconds(horizon if end is None else min(horizon, end))
    within = []
    for name, (low, high) in bounds.items():
        until = to_microseconds(horizon if high is None else min(horizon, high))
        since = "" if low is None else f" AND t >= {to_microseconds(low)}"
        within.append(f"(n = {names.index(name)} AND t < {until}{since})")
    enrolled = f"SELECT DISTINCT unit, true AS met FROM {stored(definition, 'exposures', files)}"
    return (
        f"SELECT n, count(*) AS events, count(met) AS matched FROM {ledger(definition, files)} "
        f"LEFT JOIN ({enrolled} WHERE x = {x} AND t < {limit}) USING (unit) "
        f"WHERE {' OR '.join(within) or 'false'} GROUP BY n"
    )


def waiting(definition: Definition, files: Mapping[str, Sequence[Path]], since: datetime, until: datetime) -> str:
    """A SELECT with a row for every exposure and event from `since` on that `until` would let in."""
    between = f"t >= {to_microseconds(since)} AND t < {to_microseconds(until)}"
    return " UNION ALL ".join(
        f"SELECT 1 FROM {stored(definition, name, files)} WHERE {between}" for name in ("exposures", "ledger")
    )


def ledger(definition: Definition, files: Mapping[str, Sequence[Path]]) -> str:
    """The events of every name, without those that an earlier copy replaced."""
    written = stored(definition, "ledger", files)
    if not files.get("gone"):
        return written
    return f"(SELECT a.* FROM {written} AS a ANTI JOIN {reader(files['gone'])} AS b USING (n, unit, t, k))"


def most_sums(definition: Definition) -> int:
    """The number of columns c1, c2 … of the sums."""
    return max((len(definition.columns(name)) for name in definition.values), default=0)


def valid(relation: str, key: str) -> str:
    """The rows of sums that no newer generation made void."""
    joined = " AND ".join(f"o.{name} = s.{name}" for name in key.split(", "))
    return (
        f"SELECT s.* FROM {relation} AS s LEFT JOIN (SELECT {key}, max(generation) AS newest FROM {relation} "
        f"WHERE n = {VOID} GROUP BY {key}) AS o ON {joined} "
        f"WHERE s.n <> {VOID} AND s.generation >= coalesce(o.newest, 0)"
    )


def stored(definition: Definition, name: str, files: Mapping[str, Sequence[Path]]) -> str:
    """A set's files, or a relation of the same columns without rows."""
    if files.get(name):
        return reader(files[name])
    columns = {
        "exposures": [
            ("x", "SMALLINT"),
            ("unit", "VARCHAR"),
            ("epoch", "VARCHAR"),
            ("variant", "VARCHAR"),
            ("t", "BIGINT"),
            ("probability", "DOUBLE"),
            *((f"a{i + 1}", "VARCHAR") for i in range(definition.most_attributes)),
        ],
        "ledger": [
            ("n", "SMALLINT"),
            ("unit", "VARCHAR"),
            ("t", "BIGINT"),
            ("k", "BIGINT"),
            *((f"v{i + 1}", "DOUBLE") for i in range(definition.most_slots)),
        ],
        "sums": [
            ("x", "SMALLINT"),
            ("unit", "VARCHAR"),
            ("n", "SMALLINT"),
            ("generation", "INTEGER"),
            ("early", "DOUBLE"),
            *((f"c{i + 1}", "DOUBLE") for i in range(most_sums(definition))),
        ],
    }[name]
    return f"(SELECT {', '.join(f'NULL::{kind} AS {column}' for column, kind in columns)} WHERE false)"


def to_microseconds(time: datetime) -> int:
    """Since 1970 in UTC."""
    return (time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def named(name: str) -> str:
    """The name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
