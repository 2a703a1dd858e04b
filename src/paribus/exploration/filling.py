"""Filling a working copy: what the source holds is found on a sample, then every event is read once, narrow."""

from __future__ import annotations

from paribus.errors import InputError
from paribus.exploration.discovery import SAMPLE, SYSTEM, Reading, attributes_of, numbers_of, properties_of
from paribus.exploration.event_log import EventLog, other_than
from paribus.exploration.roles import Columns
from paribus.exploration.shape import Attribute, Number, Property
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import literal
from paribus.warehouse.working_copy import WorkingCopy


def fill(
    copy: WorkingCopy,
    reading: Reading,
    *,
    source: str,
    version: str,
    columns: Columns,
    watermark: int | None = None,
    landed: int | None = None,
    names: bool = False,
) -> EventLog:
    """The event log over a working copy, its relations `raw_events` and `events` made; with `names`, units keep theirs.

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
    properties, values = properties_of(copy, reading, known, rows)
    attributes = attributes_of(properties, values, usable)
    numbers = numbers_of(properties)
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
    if names:
        own = f"CAST(hash({reading.unit}) >> 1 AS BIGINT) AS unit, CAST({reading.unit} AS VARCHAR) AS name"
        copy.keep("unit_names", f"SELECT DISTINCT {own} FROM {reading.relation} WHERE {known}")
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
        unit_names="unit_names" if names else "",
        has_received=reading.received is not None,
        system=SYSTEM,
    )


def _hashed(session: str | None) -> str:
    if session is None:
        return "CAST(NULL AS BIGINT) AS session"
    return f"CASE WHEN {session} IS NOT NULL THEN CAST(hash({session}) >> 1 AS BIGINT) END AS session"


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
