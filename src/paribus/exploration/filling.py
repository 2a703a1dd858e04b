"""Filling a working copy: what the source holds is found on a sample, then every event is read once, narrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paribus.errors import InputError
from paribus.events.reserved import RESERVED
from paribus.exploration.event_log import EventLog, other_than
from paribus.exploration.roles import Columns
from paribus.exploration.shape import (
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
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import literal
from paribus.warehouse.working_copy import WorkingCopy

SAMPLE = 200_000  # rows that the profile of properties is made of
SYSTEM = frozenset(name for name, event in RESERVED.items() if event.semantics in {"exposure", "performance", "system"})
_TYPES = {"UBIGINT": "integer", "BIGINT": "integer", "HUGEINT": "integer", "DOUBLE": "number", "VARCHAR": "string"}
_TYPES |= {"BOOLEAN": "boolean", "OBJECT": "object", "ARRAY": "array", "NULL": "null"}
_PLAIN = {"text": "string", "number": "number", "integer": "integer", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the working copy reads its source: SQL for every role over `relation`.

    Attributes:
        received: microseconds between happening and receipt.
        row: a number that differs between rows, for sampling; of the same row it is always the same.
        json: columns with JSON objects, SQL by name.
        plain: other columns, SQL and kind by name.
        typed: properties that also stand in a column of their own: column and DuckDB type by name.
        event_id: rows with the same id are one event.
        shown: the relation in words.
    """

    relation: str
    unit: str
    event: str
    at: str
    row: str
    session: str | None = None
    received: str | None = None
    json: Mapping[str, str] = field(default_factory=dict)
    plain: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    typed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    event_id: str | None = None
    shown: str = ""


def fill(
    copy: WorkingCopy,
    reading: Reading,
    *,
    source: str,
    version: str,
    columns: Columns,
    watermark: int | None = None,
    landed: int | None = None,
) -> EventLog:
    """The event log over a working copy, its relations `raw_events` and `events` made.

    Raises:
        InputError: no row has a unit, a name and a time.
    """
    known = f"{reading.unit} IS NOT NULL AND {reading.event} IS NOT NULL AND {reading.at} IS NOT NULL"
    counted = copy.query(
        f"SELECT {reading.event} AS event, count(*) AS n, count(CASE WHEN {known} THEN 1 END) AS usable "
        f"FROM {reading.relation} GROUP BY 1"
    ).rows
    usable = {str(row[0]): row[2] for row in counted if row[2]}
    if not usable:
        raise InputError(
            "no row has a unit, an event's name and a time",
            where=source,
            rule=f"unit: {columns.unit}; event: {columns.event}; time: {columns.time}",
            fix="name the right columns: --unit, --event, --time",
        )
    rows = sum(row[1] for row in counted)
    copy.values_type("event_name", sorted(usable))
    properties, values = _properties(copy, reading, known, rows)
    attributes = _attributes(properties, values, usable)
    numbers = _numbers(properties)
    picked = [
        f"CAST(hash({reading.unit}) >> 1 AS BIGINT) AS unit",
        f"CAST({reading.event} AS event_name) AS event",
        f"{reading.at} AS at_us",
        f"CAST(floor(({reading.at}) / 86400000000.0) AS INTEGER) AS day",
        _hashed(reading.session),
    ]
    if reading.received is not None:
        picked.append(f"{reading.received} AS late")
    picked += [_attribute_sql(each, properties, reading) for each in attributes]
    picked += [_number_sql(each, reading) for each in numbers]
    once = ""
    if reading.event_id is not None:  # one id may stand for several names, as in exports that split a row
        same = f"PARTITION BY {reading.event_id}, {reading.event} ORDER BY {reading.at}"
        once = f" QUALIFY {reading.event_id} IS NULL OR row_number() OVER ({same}) = 1"
    copy.keep("raw_events", f"SELECT {', '.join(picked)} FROM {reading.relation} WHERE {known}{once}")
    if reading.relation == "staged":
        copy.drop("staged")
    copy.keep("events", "SELECT * FROM raw_events", as_view=True)
    system = ", ".join(literal(name) for name in sorted(SYSTEM))
    first, last, kept, acted, in_session = copy.query(
        "SELECT min(at_us), max(at_us), count(*), count(*) FILTER (acts), count(session) FILTER (acts) FROM "
        f"(SELECT *, CAST(event AS VARCHAR) NOT IN ({system}) AS acts FROM raw_events)"
    ).rows[0]
    read = sum(usable.values())
    shown_columns = ", ".join(
        [f"{columns.unit} AS unit", f"{columns.event} AS event", f"{columns.time} AS at_us (microseconds)"]
        + [f"{each.name} AS {each.column}" for each in attributes]
        + [f"{each.name} AS {each.column}" for each in numbers]
    )
    return EventLog(
        engine=copy,
        source=source,
        version=version,
        reading=f"SELECT {shown_columns} FROM {reading.shown}",
        columns=columns,
        events=other_than(usable, len(usable)),
        attributes=attributes,
        numbers=numbers,
        properties=tuple(properties),
        first=int(first),
        last=int(last),
        watermark=watermark,
        rows=landed or rows,
        unread=rows - read,
        copies=(landed - rows if landed else 0) + read - kept,
        exact=rows <= SAMPLE,
        has_sessions=in_session > 0.9 * acted,
        has_received=reading.received is not None,
        system=SYSTEM,
    )


def _hashed(session: str | None) -> str:
    if session is None:
        return "CAST(NULL AS BIGINT) AS session"
    return f"CASE WHEN {session} IS NOT NULL THEN CAST(hash({session}) >> 1 AS BIGINT) END AS session"


Values = dict[tuple[str, str], dict[str, int]]


def _properties(copy: WorkingCopy, reading: Reading, known: str, rows: int) -> tuple[list[Property], Values]:
    """Every property by event, and the frequent values of each (place, name)."""
    step = -(-rows // SAMPLE)
    listed = [f"{sql} AS json_{i}" for i, sql in enumerate(reading.json.values())]
    listed += [f"{sql} AS plain_{i}" for i, (sql, _) in enumerate(reading.plain.values())]
    sampled = f" AND CAST({reading.row} AS UBIGINT) % {step} = 0" if step > 1 and "hash" in reading.row else ""
    sampled = f" AND abs({reading.row} % {step}) = 0" if step > 1 and not sampled else sampled
    copy.keep(
        "sample",
        f"SELECT {', '.join([f'CAST({reading.event} AS VARCHAR) AS event', *listed])} FROM {reading.relation} WHERE "
        f"{known}{sampled}",
    )
    of_event: dict[str, int] = dict(copy.query("SELECT event, count(*) FROM sample GROUP BY 1").rows)
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    values: Values = {}
    several: dict[tuple[str, str, str], int] = {}
    system = ", ".join(literal(name) for name in sorted(SYSTEM))
    for i, name in enumerate(reading.json):
        for event, key, kind, n in copy.query(
            f"SELECT event, key, type, count(*) AS n FROM sample, json_each(json_{i}) GROUP BY ALL ORDER BY ALL"
        ).rows:
            found.setdefault((name, event, key), {})[kind] = n
        pairs = copy.query(
            f"SELECT event, key, approx_count_distinct(atom) FROM sample, json_each(json_{i}) GROUP BY ALL ORDER BY ALL"
        ).rows
        several |= {(name, event, key): n for event, key, n in pairs}
        texts = (
            f"SELECT key, json_extract_string(atom, '$') AS value, count(*) AS n FROM sample, json_each(json_{i}) "
            f"WHERE type IN ('VARCHAR', 'BOOLEAN') AND event NOT IN ({system}) GROUP BY ALL"
        )
        for key, value, n in copy.query(
            "SELECT key, value, n FROM (SELECT key, value, n, row_number() OVER (PARTITION BY key ORDER BY n DESC, "
            "value) "
            f"AS place FROM ({texts})) WHERE place <= {MOST_VALUES + 1} ORDER BY key, place"
        ).rows:
            values.setdefault((name, key), {})[value] = n
    for i, (name, (_, kind)) in enumerate(reading.plain.items()):
        for event, n, distinct in copy.query(
            f"SELECT event, count(plain_{i}), approx_count_distinct(plain_{i}) FROM sample GROUP BY 1 ORDER BY 1"
        ).rows:
            if n:
                found[("column", event, name)] = {kind: n}
                several[("column", event, name)] = distinct
        if kind in {"text", "boolean"}:
            rows_of = copy.query(
                f"SELECT CAST(plain_{i} AS VARCHAR), count(*) AS n FROM sample WHERE plain_{i} IS NOT NULL GROUP BY 1 "
                f"ORDER BY n DESC, 1 LIMIT {MOST_VALUES + 1}"
            ).rows
            values[("column", name)] = dict(rows_of)
    properties = []
    for (place, event, key), kinds in sorted(found.items()):
        total = sum(kinds.values())
        real = {kind: n for kind, n in kinds.items() if kind != "NULL"}
        names = {_TYPES.get(kind, _PLAIN.get(kind, kind)) for kind in real}
        if names == {"integer", "number"}:
            names = {"number"}
        kind = next(iter(names)) if len(names) == 1 else "mixed" if names else "null"
        present = sum(real.values()) / max(of_event.get(event, total), 1)
        properties.append(
            Property(event, key, kind, present, int(several.get((place, event, key), 0)), place, kind == "mixed")
        )
    return properties, values


def _attributes(properties: list[Property], values: Values, usable: Mapping[str, int]) -> tuple[Attribute, ...]:
    """Properties of few values that most units' actions carry: those of the context first, then the most frequent."""
    rows = sum(n for name, n in usable.items() if name not in SYSTEM)
    carried: dict[tuple[str, str], float] = {}
    for each in properties:
        if each.event not in SYSTEM and each.type in {"string", "boolean"}:
            key = (each.place, each.name)
            carried[key] = carried.get(key, 0.0) + each.present * usable.get(each.event, 0)
    starts = max((n for name, n in usable.items() if name not in SYSTEM), default=1)
    chosen: list[tuple[bool, float, str, Attribute]] = []
    named: set[str] = set()
    order = sorted(carried.items(), key=lambda item: (item[0][0] != "context", -item[1], item[0]))
    for (place, name), n in order:
        of = values.get((place, name), {})
        if name in named or not 2 <= len(of) <= MOST_VALUES or n < 0.2 * starts:
            continue
        if is_identifier(name, len(of), rows) or (place != "context" and n < 0.5 * rows and place == "column"):
            continue
        named.add(name)
        kind = next(
            p.type for p in properties if p.name == name and p.place == place and p.type in {"string", "boolean"}
        )
        column = f"attribute_{len(chosen)}"
        chosen.append((place == "context", n, name, Attribute(name, column, tuple(of), place == "context", kind)))
        if len(chosen) == MOST_ATTRIBUTES:
            break
    return tuple(each for *_, each in chosen)


def _numbers(properties: list[Property]) -> tuple[Number, ...]:
    """Numeric properties of events: amounts and durations by name first."""
    events: dict[str, list[Property]] = {}
    for each in properties:
        if each.type in {"integer", "number"} and each.place != "context" and each.present > 0.5:
            events.setdefault(each.name, []).append(each)
    order = sorted(
        events, key=lambda name: (not MONEY.search(name), not LATENCY.search(name), -len(events[name]), name)
    )
    kept = [name for name in order if not is_identifier(name, 0, 1) and not CODE.search(name.lower())][:MOST_NUMBERS]
    return tuple(
        Number(name, f"number_{i}", tuple(sorted(each.event for each in events[name]))) for i, name in enumerate(kept)
    )


def _path(name: str) -> str:
    return literal('$."' + name.replace('"', '\\"') + '"')


def _attribute_sql(attribute: Attribute, properties: list[Property], reading: Reading) -> str:
    places = list(dict.fromkeys(p.place for p in properties if p.name == attribute.name))
    places.sort(key=lambda place: place != "context")
    options = [
        f"CAST({reading.plain[attribute.name][0]} AS VARCHAR)"
        if place == "column"
        else f"json_extract_string({reading.json[place]}, {_path(attribute.name)})"
        for place in places
    ]
    return (
        f"coalesce({', '.join(options)}) AS {attribute.column}"
        if len(options) > 1
        else f"{options[0]} AS {attribute.column}"
    )


def _number_sql(number: Number, reading: Reading) -> str:
    if number.name in reading.plain:
        return f"TRY_CAST({reading.plain[number.name][0]} AS DOUBLE) AS {number.column}"
    options = [
        f"TRY_CAST(json_extract_string({sql}, {_path(number.name)}) AS DOUBLE)"
        for place, sql in reading.json.items()
        if place != "context"
    ]
    if number.name in reading.typed:
        options.insert(0, f"TRY_CAST({quote(reading.typed[number.name][0])} AS DOUBLE)")
    listed = ", ".join(literal(event) for event in number.events)
    return (
        f"CASE WHEN {reading.event} IN ({listed}) THEN coalesce({', '.join([*options, 'NULL'])}) END AS {number.column}"
    )
