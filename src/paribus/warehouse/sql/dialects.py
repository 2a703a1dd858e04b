"""What differs between engines: one row of hooks per dialect. Everything else in a statement is common.

Each hook exists because the portable construct gave a wrong number, or none, on that engine (engines.md). Times are
compared as instants: `instant` turns a column of any kind into the dialect's one type for times in UTC, and every
literal has that type. A zone that an engine cannot compute is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlglot import exp

from paribus.errors import InputError, did_you_mean
from paribus.warehouse.sql.build import Expr, as_text, double, function, integer, parenthesized, text

# Dialects by sqlglot's name that share another's hooks, or are spelled otherwise by people.
ALIASES = {
    "postgresql": "postgres",
    "mariadb": "mysql",
    "sqlserver": "tsql",
    "mssql": "tsql",
    "fabric": "tsql",
    "presto": "trino",
    "spark2": "spark",
    "datafusion": "postgres",
}


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def _cast(value: Expr, kind: str) -> Expr:
    return exp.Cast(this=value, to=exp.DataType.build(kind))


def _iso(time: datetime, digits: int = 6) -> str:
    """UTC, without a zone; a naive time is UTC already."""
    utc = time.astimezone(UTC) if time.tzinfo else time
    stamp = utc.strftime("%Y-%m-%d %H:%M:%S")
    return f"{stamp}.{utc.microsecond:06d}"[: len(stamp) + 1 + digits] if utc.microsecond or digits == 3 else stamp


def _plain_time(time: datetime) -> Expr:
    return _cast(text(_iso(time)), "timestamp")


def _add_interval(time: Expr, amount: int, unit: str) -> Expr:
    interval = exp.Interval(this=exp.Literal.string(str(abs(amount))), unit=exp.Var(this=unit))
    kind = exp.Add if amount >= 0 else exp.Sub
    return kind(this=time, expression=interval)


def _at_zone(time: Expr, zone: str) -> Expr:
    return exp.AtTimeZone(this=parenthesized(time), zone=text(zone))


def _plain_instant(column: Expr, kind: str | None) -> Expr:
    """TIMESTAMP without zone, in UTC."""
    if kind == "timestamp_tz":
        return _at_zone(column, "UTC")
    if kind == "text":  # a text with an offset is converted, one without is UTC (the session's zone)
        return _at_zone(_cast(column, "timestamptz"), "UTC")
    return _cast(column, "timestamp") if kind == "date" else column


def _plain_day(time: Expr, zone: str) -> Expr:
    return _cast(time if zone == "UTC" else _at_zone(_at_zone(time, "UTC"), zone), "date")


def _number_by_try_cast(value: Expr) -> Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("double"))


def _number_by_pattern(value: Expr) -> Expr:
    """PostgreSQL has no TRY_CAST: cast what looks like a number, NULL else."""
    pattern = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
    looks = exp.RegexpLike(this=value, expression=text(pattern))
    return exp.Case(ifs=[exp.If(this=looks, true=double(value))])


def _refuse_text_number(value: Expr) -> Expr:
    raise InputError(
        f"the column {value.sql()} is text, and this engine casts text that is no number to 0 without an error",
        rule="a metric value is a number",
        fix="store the column as a number",
    )


@dataclass(frozen=True, slots=True)
class Hooks:
    """One dialect's differences.

    identify     a user's column or table as an identifier that means exactly that name
    literal      a time as a literal
    add          time + amount (an integer, may be negative) of DAY or SECOND
    instant      a time column of a kind as a UTC instant
    day          the date of an instant in a time zone
    parse        a text column as DOUBLE, NULL where it is no number
    exact        text that compares by its characters, where the engine's text compares without case or accents
    percentile   exact type 7 percentile as one aggregate, None for the rank form
    as_hash      64-bit hash, the same for equal values; None where COUNT(DISTINCT) of the values is as good
    marked       how many integers there are between two bounds, by a bit for each; None where there is no bitmap
    session      statements that a connection should run first
    counts_time  whether `instant` reads whole numbers: seconds, milliseconds or microseconds since 1970, by their size
    """

    name: str
    identify: Callable[[str], exp.Identifier] = _quoted
    literal: Callable[[datetime], Expr] = _plain_time
    add: Callable[[Expr, int, str], Expr] = _add_interval
    instant: Callable[[Expr, str | None], Expr] = _plain_instant
    day: Callable[[Expr, str], Expr] = _plain_day
    parse: Callable[[Expr], Expr] = _number_by_try_cast
    exact: Callable[[Expr], Expr] | None = None
    percentile: Callable[[Expr, float], Expr] | None = None
    as_hash: Callable[[Expr], Expr] | None = None
    marked: Callable[[Expr, Expr, Expr], Expr] | None = None
    session: tuple[str, ...] = ()
    counts_time: bool = False

    def column(self, name: str) -> Expr:
        return exp.Column(this=self.identify(name))

    def table(self, name: str) -> Expr:
        """A table by name; dots separate database and schema."""
        parts = [self.identify(part) for part in name.split(".")]
        return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(parts), strict=False)))


# ── one engine's functions ───────────────────────────────────────────────────────────────────────────────────────────


def _duckdb_hash(value: Expr) -> Expr:
    return function("HASH", value)


def _duckdb_instant(column: Expr, kind: str | None) -> Expr:
    """As `_plain_instant`; arithmetic where the calendar library would cost five times as much, infinity aside.

    A text that does not begin with a year of four digits fails: DuckDB reads 01/03/26 as the year 1.
    """
    if kind == "integer":
        return _duckdb_count(column)
    if kind == "text":
        is_iso = exp.Like(this=column.copy(), expression=text("____-%"))
        refused = exp.DPipe(this=column.copy(), expression=text(" is not ISO 8601"))
        column = exp.Case(ifs=[exp.If(this=is_iso, true=column.copy())], default=refused)
    plain = _plain_instant(column, kind)
    if kind != "timestamp_tz":
        return plain
    return function("COALESCE", function("MAKE_TIMESTAMP", function("EPOCH_US", column.copy())), plain)


def _duckdb_count(column: Expr) -> Expr:
    """A count since 1970 as an instant of the years 1998 to 2100; 20260301 and 46082 are no such counts and fail."""
    whole = _cast(column, "bigint")
    branches = []
    for power in (0, 3, 6):
        low, high = (integer(bound * 10**power) for bound in (900_000_000, 4_102_444_800))
        micros = whole.copy() if power == 6 else exp.Mul(this=whole.copy(), expression=integer(10 ** (6 - power)))
        within = exp.Between(this=whole.copy(), low=low, high=high)
        branches.append(exp.If(this=within, true=function("MAKE_TIMESTAMP", micros)))
    refused = exp.DPipe(this=as_text(column.copy()), expression=text(" is not ISO 8601"))
    return exp.Case(ifs=branches, default=_cast(refused, "timestamp"))


def _duckdb_marked(value: Expr, low: Expr, high: Expr) -> Expr:
    return function("BIT_COUNT", function("BITSTRING_AGG", value, low, high))


def _mysql_time(time: datetime) -> Expr:
    return _cast(text(_iso(time)), "datetime(6)")  # without (6) the fraction is rounded away


def _mysql_instant(column: Expr, kind: str | None) -> Expr:
    return _cast(column, "datetime(6)") if kind in {"text", "date"} else column


def _mysql_day(time: Expr, zone: str) -> Expr:
    return _cast(time if zone == "UTC" else function("CONVERT_TZ", time, text("+00:00"), text(zone)), "date")


def _mysql_exact(value: Expr) -> Expr:
    return as_text(value)  # in the connection's collation, which the session makes binary


SQLITE_FORMAT = "%Y-%m-%d %H:%M:%f"  # milliseconds: SQLite keeps no more


def _sqlite_instant(column: Expr, kind: str | None) -> Expr:
    if kind in {"integer", "number"}:
        raise InputError(
            f"the time column {column.sql()} holds numbers",
            rule="a time is a date, a timestamp, or ISO 8601 text",
            fix="convert it: datetime(column, 'unixepoch')",
        )
    return function("STRFTIME", text(SQLITE_FORMAT), column)


def _sqlite_add(time: Expr, amount: int, unit: str) -> Expr:
    return function("STRFTIME", text(SQLITE_FORMAT), time, text(f"{amount:+d} {unit.lower()}s"))


def _sqlite_day(time: Expr, zone: str) -> Expr:
    if zone != "UTC":
        raise _no_zone("SQLite", zone)
    return function("DATE", time)


def _no_zone(engine: str, zone: str) -> InputError:
    return InputError(
        f"{engine} cannot compute the date in the time zone {zone!r}",
        where="time_zone",
        rule="the cohort day is the first-exposure date in the experiment's time zone",
        fix="use time_zone: UTC on this engine",
    )


def _clickhouse_time(time: datetime) -> Expr:
    return function("toDateTime64", text(_iso(time)), integer(6), text("UTC"))


def _clickhouse_instant(column: Expr, kind: str | None) -> Expr:
    if kind == "text":
        return function("parseDateTime64BestEffort", column, integer(6), text("UTC"))
    return function("toDateTime64", column, integer(6), text("UTC"))


def _clickhouse_day(time: Expr, zone: str) -> Expr:
    return function("toDate", time, text(zone))


def _clickhouse_number(value: Expr) -> Expr:
    return function("toFloat64OrNull", value)


def _bigquery_time(time: datetime) -> Expr:
    return _cast(text(_iso(time) + "+00:00"), "timestamptz")


def _bigquery_instant(column: Expr, kind: str | None) -> Expr:
    return column if kind in {None, "timestamp_tz"} else _cast(column, "timestamptz")


def _bigquery_add(time: Expr, amount: int, unit: str) -> Expr:
    kind = exp.TimestampAdd if amount >= 0 else exp.TimestampSub
    return kind(this=time, expression=integer(abs(amount)), unit=exp.Var(this=unit))


def _bigquery_day(time: Expr, zone: str) -> Expr:
    return function("DATE", time, text(zone))


def _snowflake_name(name: str) -> exp.Identifier:
    """Snowflake folds unquoted names to upper case: a plain lower-case name means that column."""
    return _quoted(name.upper() if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else name)


def _snowflake_cast(value: Expr) -> Expr:
    # The documented spelling; sqlglot's own is the synonym TIMESTAMPNTZ.
    named = exp.DataType(this=exp.DataType.Type.USERDEFINED, kind="TIMESTAMP_NTZ")
    return exp.Cast(this=value, to=named)


def _snowflake_time(time: datetime) -> Expr:
    return _snowflake_cast(text(_iso(time)))


def _snowflake_instant(column: Expr, kind: str | None) -> Expr:
    if kind == "timestamp_tz":
        return _snowflake_cast(function("CONVERT_TIMEZONE", text("UTC"), column))
    return column if kind in {None, "timestamp"} else _snowflake_cast(column)


def _snowflake_day(time: Expr, zone: str) -> Expr:
    return _cast(time if zone == "UTC" else function("CONVERT_TIMEZONE", text("UTC"), text(zone), time), "date")


def _snowflake_number(value: Expr) -> Expr:
    return function("TRY_TO_DOUBLE", value)


def _tsql_add(time: Expr, amount: int, unit: str) -> Expr:
    return function("DATEADD", exp.Var(this=unit), integer(amount), time)


def _tsql_instant(column: Expr, kind: str | None) -> Expr:
    if kind == "timestamp_tz":
        return _cast(_at_zone(column, "UTC"), "timestamp")
    return column if kind in {None, "timestamp"} else _cast(column, "timestamp")


def _tsql_exact(value: Expr) -> Expr:
    return exp.Collate(this=as_text(value), expression=exp.Var(this="Latin1_General_100_BIN2"))


def _tsql_day(time: Expr, zone: str) -> Expr:
    if zone != "UTC":
        raise _no_zone("SQL Server (it knows Windows names of zones only)", zone)
    return _cast(time, "date")


def _spark_instant(column: Expr, kind: str | None) -> Expr:
    return column if kind in {None, "timestamp", "timestamp_tz"} else _cast(column, "timestamp")


def _spark_day(time: Expr, zone: str) -> Expr:
    return _cast(time if zone == "UTC" else function("FROM_UTC_TIMESTAMP", time, text(zone)), "date")


def _spark_percentile(value: Expr, q: float) -> Expr:
    # The rank form would move all rows into one partition; PERCENTILE is exact and interpolates by type 7.
    return function("PERCENTILE", value, exp.Literal(this=repr(q), is_string=False))


def _trino_instant(column: Expr, kind: str | None) -> Expr:
    if kind == "timestamp_tz":
        return _cast(_at_zone(column, "UTC"), "timestamp(6)")
    return column if kind in {None, "timestamp"} else _cast(column, "timestamp(6)")


def _trino_time(time: datetime) -> Expr:
    return _cast(text(_iso(time)), "timestamp(6)")


def _trino_day(time: Expr, zone: str) -> Expr:
    return _cast(time if zone == "UTC" else _at_zone(function("WITH_TIMEZONE", time, text("UTC")), zone), "date")


def _druid_add(time: Expr, amount: int, unit: str) -> Expr:
    # Calcite limits INTERVAL literals to two digits.
    return function("TIMESTAMPADD", exp.Var(this=unit), integer(amount), time)


def _druid_day(time: Expr, zone: str) -> Expr:
    return function("TIME_FORMAT", time, text("yyyy-MM-dd"), text(zone))


def _druid_instant(column: Expr, kind: str | None) -> Expr:
    return column if kind in {None, "timestamp", "timestamp_tz"} else function("TIME_PARSE", as_text(column))


_UTC_SESSION = ("SET TIME ZONE 'UTC'",)

_TABLE = (
    Hooks(
        "duckdb",
        instant=_duckdb_instant,
        as_hash=_duckdb_hash,
        marked=_duckdb_marked,
        session=("SET TimeZone = 'UTC'",),
        counts_time=True,
    ),
    Hooks("postgres", parse=_number_by_pattern, session=_UTC_SESSION),
    Hooks("redshift", parse=_number_by_pattern, session=("SET timezone TO 'UTC'",)),
    Hooks(
        "mysql",
        literal=_mysql_time,
        instant=_mysql_instant,
        day=_mysql_day,
        parse=_refuse_text_number,
        exact=_mysql_exact,
        session=("SET time_zone = '+00:00'", "SET NAMES utf8mb4 COLLATE utf8mb4_bin"),
    ),
    Hooks(
        "sqlite",
        literal=lambda time: text(_iso(time, 3)),
        add=_sqlite_add,
        instant=_sqlite_instant,
        day=_sqlite_day,
        parse=_refuse_text_number,
    ),
    Hooks(
        "clickhouse",
        literal=_clickhouse_time,
        instant=_clickhouse_instant,
        day=_clickhouse_day,
        parse=_clickhouse_number,
        session=("SET session_timezone = 'UTC'",),
    ),
    Hooks("bigquery", literal=_bigquery_time, add=_bigquery_add, instant=_bigquery_instant, day=_bigquery_day),
    Hooks(
        "snowflake",
        identify=_snowflake_name,
        literal=_snowflake_time,
        instant=_snowflake_instant,
        day=_snowflake_day,
        parse=_snowflake_number,
        session=("ALTER SESSION SET TIMEZONE = 'UTC'",),
    ),
    Hooks("tsql", add=_tsql_add, instant=_tsql_instant, day=_tsql_day, exact=_tsql_exact),
    Hooks(
        "spark",
        instant=_spark_instant,
        day=_spark_day,
        percentile=_spark_percentile,
        session=_UTC_SESSION,
    ),
    Hooks(
        "databricks",
        instant=_spark_instant,
        day=_spark_day,
        percentile=_spark_percentile,
        session=_UTC_SESSION,
    ),
    Hooks("trino", literal=_trino_time, instant=_trino_instant, day=_trino_day, session=_UTC_SESSION),
    Hooks("athena", literal=_trino_time, instant=_trino_instant, day=_trino_day),
    Hooks("druid", add=_druid_add, instant=_druid_instant, day=_druid_day),
)

HOOKS: dict[str, Hooks] = {hooks.name: hooks for hooks in _TABLE}


def hooks(dialect: str) -> Hooks:
    """The hooks of a dialect by sqlglot's name or a usual alias.

    Raises:
        InputError: Paribus has no hooks for it.

    >>> hooks("sqlite").add(text("2026-03-01"), 7, "DAY").sql("sqlite")
    "STRFTIME('%Y-%m-%d %H:%M:%f', '2026-03-01', '+7 days')"
    """
    name = ALIASES.get(dialect.lower(), dialect.lower())
    if name not in HOOKS:
        raise InputError(
            f"Paribus writes no SQL for the dialect {dialect!r}",
            rule=f"dialects: {', '.join(sorted(HOOKS))}",
            fix=did_you_mean(dialect, [*HOOKS, *ALIASES]),
        )
    return HOOKS[name]
