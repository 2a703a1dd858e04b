"""What a source holds beside unit, event and time, found on a sample of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paribus.events.reserved import RESERVED
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
from paribus.warehouse.event_views import literal
from paribus.warehouse.working_copy import WorkingCopy

SAMPLE = 200_000  # rows that the profile of properties is made of
SELDOM = 0.01  # of all rows: an event that says nothing about what every event carries
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


Values = dict[tuple[str, str], dict[str, int]]


def properties_of(copy: WorkingCopy, reading: Reading, known: str, rows: int) -> tuple[list[Property], Values]:
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
        known_values = values.get((place, key), {}) if kind == "string" and event not in SYSTEM else {}
        few = tuple(sorted(known_values)) if len(known_values) <= MOST_VALUES else ()
        properties.append(
            Property(event, key, kind, present, int(several.get((place, event, key), 0)), place, kind == "mixed", few)
        )
    return properties, values


def attributes_of(properties: list[Property], values: Values, usable: Mapping[str, int]) -> tuple[Attribute, ...]:
    """Properties of few values that most units' actions carry: those of the context first, then the most frequent.

    What is sent with every event can be told wherever a variant is decided, be it in the context or a property.
    """
    rows = sum(n for name, n in usable.items() if name not in SYSTEM)
    carried: dict[tuple[str, str], float] = {}
    everywhere: dict[tuple[str, str], set[str]] = {}
    for each in properties:
        if each.event not in SYSTEM and each.type in {"string", "boolean"}:
            key = (each.place, each.name)
            carried[key] = carried.get(key, 0.0) + each.present * usable.get(each.event, 0)
            if each.present >= ALMOST_ALWAYS:
                everywhere.setdefault(key, set()).add(each.event)
    events = {name for name, n in usable.items() if name not in SYSTEM and n >= SELDOM * rows}
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
        told = place == "context" or events <= everywhere.get((place, name), set())
        chosen.append((told, n, name, Attribute(name, column, tuple(of), told, kind)))
        if len(chosen) == MOST_ATTRIBUTES:
            break
    return tuple(each for *_, each in chosen)


def numbers_of(properties: list[Property]) -> tuple[Number, ...]:
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
