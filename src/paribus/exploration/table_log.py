"""A table of a database as an event log: the statements go to the database, and only aggregates come back."""

from __future__ import annotations

from collections.abc import Mapping

from paribus.errors import InputError
from paribus.exploration.discovery import SYSTEM
from paribus.exploration.event_log import PREFIX, EventLog, other_than
from paribus.exploration.roles import Columns
from paribus.exploration.shape import (
    ALMOST_ALWAYS,
    CODE,
    LATENCY,
    MONEY,
    MOST_ATTRIBUTES,
    MOST_NUMBERS,
    MOST_VALUES,
    Attribute,
    Number,
    Property,
    is_identifier,
)
from paribus.warehouse.engine import ColumnKind, Engine
from paribus.warehouse.sql.portable import identifier, microseconds, text_column

_PLAIN = {"text": "string", "number": "number", "integer": "integer", "boolean": "boolean"}
DAY_SQL = {"clickhouse": "intDiv({}, 86400000000)", "mysql": "FLOOR(({}) / 86400000000)"}


def log_of_table(
    engine: Engine, table: str, kinds: Mapping[str, ColumnKind], columns: Columns, source: str
) -> EventLog:
    """The event log over a table of a database.

    Raises:
        InputError: no row has a unit, a name and a time.
    """
    dialect = engine.dialect
    at = microseconds(
        columns.time, kinds[columns.time], dialect, scale_of(engine, table, columns.time, kinds[columns.time])
    )
    unit, event = identifier(columns.unit, dialect), text_column(columns.event, kinds[columns.event], dialect)
    known = f"{unit} IS NOT NULL AND {event} IS NOT NULL AND {identifier(columns.time, dialect)} IS NOT NULL"
    relation = engine.relation_sql(table)
    day = DAY_SQL.get(dialect, "CAST(FLOOR(({}) / 86400000000.0) AS INTEGER)").format(at)
    session = identifier(columns.session, dialect) if columns.session else "NULL"
    picked = [f"{unit} AS unit", f"{event} AS event", f"{at} AS at_us", f"{day} AS day", f"{session} AS session"]
    counted = engine.query(
        f"SELECT {event} AS event, COUNT(*) AS n, SUM(CASE WHEN {known} THEN 1 ELSE 0 END) AS usable "
        f"FROM {relation} GROUP BY {event}"
    ).rows
    usable = {str(row[0]): int(row[2]) for row in counted if row[2]}
    if not usable:
        raise InputError(
            "no row has a unit, an event's name and a time",
            where=table,
            rule=f"unit: {columns.unit}; event: {columns.event}; time: {columns.time}",
        )
    rows = int(sum(row[1] for row in counted))
    others = {name: kind for name, kind in kinds.items() if name not in columns.named and kind in _PLAIN}
    properties = _properties(engine, relation, event, known, others, usable)
    attributes = _attributes(engine, relation, known, others, rows)
    numbers = _numbers(properties)
    picked += [f"{text_column(each.name, others[each.name], dialect)} AS {each.column}" for each in attributes]
    picked += [f"{identifier(each.name, dialect)} AS {each.column}" for each in numbers]
    base = f"SELECT {', '.join(picked)} FROM {relation} WHERE {known}"
    log = EventLog(
        engine=engine,
        source=f"{source}#{table}",
        version=f"table {table}, {rows:,} rows",
        reading=base,
        columns=columns,
        events=other_than(usable, len(usable)),
        attributes=attributes,
        numbers=numbers,
        properties=properties,
        rows=rows,
        unread=rows - sum(usable.values()),
        has_sessions=bool(columns.session),
        levels={f"{PREFIX}raw_events": base, f"{PREFIX}events": f"SELECT * FROM {PREFIX}raw_events"},
        system=SYSTEM,
    )
    first, last = log.query("SELECT MIN(at_us) AS a, MAX(at_us) AS b FROM events").rows[0]
    log.first, log.last = int(first), int(last)
    return log


def scale_of(engine: Engine, table: str, name: str, kind: ColumnKind) -> str:
    """Seconds, milliseconds or microseconds, by the size of a column of numbers; empty for times."""
    if kind not in {"integer", "number"}:
        return ""
    relation = engine.relation_sql(table)
    middle = engine.query(f"SELECT AVG({identifier(name, engine.dialect)}) AS m FROM {relation}").rows[0][0] or 0
    return "us" if middle > 1e14 else "ms" if middle > 1e11 else "s"


def _properties(
    engine: Engine,
    relation: str,
    event: str,
    known: str,
    others: Mapping[str, ColumnKind],
    usable: Mapping[str, int],
) -> tuple[Property, ...]:
    if not others:
        return ()
    asked = ", ".join(f"COUNT({identifier(name, engine.dialect)}) AS n{i}" for i, name in enumerate(others))
    rows = engine.query(f"SELECT {event} AS event, {asked} FROM {relation} WHERE {known} GROUP BY {event}").rows
    found = [
        Property(str(row[0]), name, _PLAIN[kind], int(row[1 + i]) / usable[str(row[0])], 0, "column")
        for row in rows
        for i, (name, kind) in enumerate(others.items())
        if row[1 + i]
    ]
    return tuple(sorted(found, key=lambda each: (each.event, each.name)))


def _attributes(
    engine: Engine, relation: str, known: str, others: Mapping[str, ColumnKind], rows: int
) -> tuple[Attribute, ...]:
    known_values: list[tuple[int, str, tuple[str, ...]]] = []
    for name, kind in others.items():
        if kind not in {"text", "boolean"} or is_identifier(name, 0, 1):
            continue
        value = text_column(name, kind, engine.dialect)
        counted = engine.query(
            f"SELECT {value} AS value, COUNT(*) AS n FROM {relation} WHERE {known} AND "
            f"{identifier(name, engine.dialect)} IS NOT NULL GROUP BY {value} ORDER BY n DESC LIMIT {MOST_VALUES + 1}"
        ).rows
        n = sum(int(row[1]) for row in counted)
        if 2 <= len(counted) <= MOST_VALUES and n >= 0.2 * rows:
            values = other_than({str(row[0]): int(row[1]) for row in counted}, MOST_VALUES)
            known_values.append((-n, name, values))
    return tuple(
        Attribute(name, f"attribute_{i}", values, -n >= ALMOST_ALWAYS * rows, _PLAIN[others[name]])
        for i, (n, name, values) in enumerate(sorted(known_values)[:MOST_ATTRIBUTES])
    )


def _numbers(properties: tuple[Property, ...]) -> tuple[Number, ...]:
    events: dict[str, list[str]] = {}
    for each in properties:
        if (
            each.type in {"integer", "number"}
            and each.present > 0.5
            and not is_identifier(each.name, 0, 1)
            and not CODE.search(each.name.lower())
        ):
            events.setdefault(each.name, []).append(each.event)
    order = sorted(events, key=lambda name: (not MONEY.search(name), not LATENCY.search(name), name))[:MOST_NUMBERS]
    return tuple(Number(name, f"number_{i}", tuple(sorted(events[name]))) for i, name in enumerate(order))
