"""Relations over the files of an event table at one version: the exposures of a flag, and the events of one name.

    exposures:new-checkout@prod     who met which variant of the flag when (@prod: in that environment only)
    exposures:                      of every flag, which then is a column
    events:order_completed          the events of that name, their properties as columns
    entries:{"event": …}            the events of one name as if they were exposures: who would have met a decision
    identity:                       with links, how many of them matter, and their digest

The unit stands in `<unit type>_unit`, for instance `user_unit`; the time of both is the corrected time. A property is
read from its typed column where the table has one, else from the JSON text: as a number or a boolean where every value
of it is one, else as text. With links, `own_unit` is the id that the event names, and the unit is the person.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from paribus.errors import InputError
from paribus.settings import SMALL_TABLE_BYTES
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_files import EventFiles
from paribus.warehouse.event_links import APPLIED, ID, OWN, PERSON, applied_sql
from paribus.warehouse.file_views import FileView

if TYPE_CHECKING:
    import duckdb

Filled = Literal["always", "sometimes", "never"]
EXPOSURES, EVENTS, ENTRIES = "exposures:", "events:", "entries:"
EXPOSURE = "$exposure"
OWN_UNIT = "own_unit"  # with links: the id that the event itself names
# Reserved events that may be named without the dollar sign: `error` reads those that the SDKs capture and one's own.
RESERVED = {"$breaker", "$web_vital", "$error", "$request", "$page_view", "$screen_view", "$recording"}
ENVIRONMENT, STAGING = "environment", "staging"
KEY = "event_key"  # of the lake: 64 bits of a hash of source and event id
TYPED = "p_"  # a property that the tracking plan declares has a column of its own

# What an exposure says, and the type it is read as.
EXPOSURE_FIELDS: dict[str, str] = {
    "assigned": "VARCHAR",
    "served": "VARCHAR",
    "reason": "VARCHAR",
    "revision": "BIGINT",
    "epoch": "BIGINT",
    "traffic_bp": "BIGINT",
    "split_bp": "BIGINT",
    "probability": "DOUBLE",
}
# The columns of an event that are no property, as the views name them.
RECORD_COLUMNS: dict[str, str] = {
    "time": "corrected_time",
    "original_time": "original_time",
    "received_time": "received_time",
    "source": "source",
    "session_id": "session_id",
}
# A unit of these types also stands in a column of its own, filled when the event names another unit.
KEPT = '"$kept"'
_UNIT_COLUMNS = {"user": "user_id", "anonymous": "anonymous_id", "session": "session_id"}
_NUMBERS = "('UBIGINT', 'BIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT')"


def exposures_of(flag: str, environment: str | None = None) -> str:
    """The relation of a flag's exposures.

    >>> exposures_of("new-checkout", "prod")
    'exposures:new-checkout@prod'
    """
    return f"{EXPOSURES}{flag}" + (f"@{environment}" if environment else "")


def events_of(name: str) -> str:
    """The relation of the events of one name."""
    return f"{EVENTS}{name}"


def entries_of(name: str, *, since: str | None = None, where: Mapping[str, Sequence[str]] | None = None) -> str:
    """The relation of an event as the place of a decision, before there is one.

    Args:
        name: the event.
        since: ISO 8601 instant; only entries from then on.
        where: accepted values, as text, by attribute of the event's context or property.

    >>> entries_of("checkout_started", where={"device": ["mobile"]})
    'entries:{"event": "checkout_started", "since": null, "where": {"device": ["mobile"]}}'
    """
    told = {"event": name, "since": since, "where": {key: list(values) for key, values in (where or {}).items()}}
    return ENTRIES + json.dumps(told)


def unit_column(unit_type: str) -> str:
    """The column of the unit in every relation of an event table."""
    return f"{unit_type}_unit"


class Relations(Protocol):
    """Relations that an engine does not find by itself."""

    def offers(self, relation: str) -> bool:
        """Whether the name is one of them."""
        ...

    def view(self, relation: str, connection: duckdb.DuckDBPyConnection) -> FileView:
        """The relation as a view. Raises InputError."""
        ...


@dataclass(slots=True)
class EventTable:
    """Every relation that an event table offers to statements.

    table_id, version, files   the table at the version to read
    unit_type                  of the units that the exposures name
    properties                 by relation, the names that fragments use: they become columns
    is_part                    the files are a part of the table: a property that none of their events has is missing,
                               not misspelled
    links                      a file of links from an id to the person whom it is read as; None joins nobody
    is_kept                    the events that the relations read are kept in the engine's memory, not read from files
                               in every statement; for a table that is small
    """

    table_id: str
    version: int
    files: Sequence[Path]
    unit_type: str = "user"
    properties: Mapping[str, Iterable[str]] = field(default_factory=dict)
    is_part: bool = False
    links: Path | None = None
    is_kept: bool = False
    _columns: dict[str, str] = field(default_factory=dict)
    _reader: str = ""
    _kept: EventTable | None = None

    def offers(self, relation: str) -> bool:
        """Whether the name is that of exposures or events."""
        return relation.startswith((EXPOSURES, EVENTS, ENTRIES)) or (relation == APPLIED and self.links is not None)

    def view(self, relation: str, connection: duckdb.DuckDBPyConnection) -> FileView:
        """The relation as a view, on a connection that may still open files.

        Raises:
            InputError: the table has no file yet, or no event has a property that is asked for.
        """
        if not self.files:
            raise InputError(
                "the lake holds no event yet",
                where=relation,
                rule="an experiment on the lake reads its exposures and events",
                fix="send events to the server, or import them: paribus events import FILE",
            )
        if self.is_kept and relation in self.properties:
            connection.execute(self._keep())
            return replace(self._over(KEPT).view(relation, connection), before=self._keep())
        files = EventFiles(relation, "parquet", tuple(self.files), False, self.table_id, self.version)
        if not self._columns:
            rows = connection.execute(f"DESCRIBE SELECT * FROM {self.reader}").fetchall()
            self._columns = {str(row[0]): str(row[1]) for row in rows}
        asked = tuple(dict.fromkeys(self.properties.get(relation, ())))
        if relation == APPLIED:
            text = self._applied(connection)
        elif relation.startswith(EXPOSURES):
            text = self._exposures(relation.removeprefix(EXPOSURES), asked, connection)
        elif relation.startswith(ENTRIES):
            text = self._entries(json.loads(relation.removeprefix(ENTRIES)), asked)
        else:
            text = self._events(relation.removeprefix(EVENTS), asked, connection)
        return FileView(files, text, tuple(self.files) if self.links is None else (*self.files, self.links))

    @property
    def is_small(self) -> bool:
        """Whether opening its files in every statement costs more than keeping what the relations read of them."""
        sizes = [path.stat().st_size for path in self.files if path.is_file()]  # one may be gone: reading it says so
        return bool(self.files) and sum(sizes) <= SMALL_TABLE_BYTES

    def _keep(self) -> str:
        """The statement that keeps the events of all relations that are known beforehand."""
        names = {EXPOSURE}
        for relation in self.properties:
            if relation.startswith(EVENTS):
                names |= {relation.removeprefix(EVENTS), f"${relation.removeprefix(EVENTS)}"}
            elif relation.startswith(ENTRIES):
                names.add(str(json.loads(relation.removeprefix(ENTRIES))["event"]))
        listed = ", ".join(literal(name) for name in sorted(names))
        return f"CREATE TEMP TABLE IF NOT EXISTS {KEPT} AS SELECT * FROM {self.reader} WHERE name IN ({listed}); "

    def _over(self, kept: str) -> EventTable:
        if self._kept is None:
            self._kept = replace(self, _reader=kept, is_kept=False)
        return self._kept

    @property
    def reader(self) -> str:
        """The SQL that reads all files as one table."""
        if self._reader:
            return self._reader
        listed = ", ".join(literal(str(path)) for path in self.files)
        return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"

    def _unit(self, unit_type: str) -> str:
        other = _UNIT_COLUMNS.get(unit_type)
        otherwise = f" ELSE {other}" if other in self._columns else ""
        return f"CASE WHEN unit_type = {literal(unit_type)} THEN unit{otherwise} END"

    def _exposed_unit(self, unit_type: str, is_typed: bool) -> str:
        """The unit that the exposure itself names, else that of its event."""
        if is_typed and not {f"{TYPED}unit", f"{TYPED}unit_type"} <= self._columns.keys():
            return self._unit(unit_type)
        kind, unit = (self._field(name, "VARCHAR", is_typed) for name in ("unit_type", "unit"))
        return f"coalesce(CASE WHEN {kind} = {literal(unit_type)} THEN {unit} END, {self._unit(unit_type)})"

    def _select(self, columns: Sequence[str], where: str, unit_of: Callable[[str], str]) -> str:
        """The columns and the unit of the rows, with links the person; `unit_of` gives the unit of a type."""
        unit, named = unit_of(self.unit_type), quote(unit_column(self.unit_type))
        if self.links is None:
            return f"SELECT {', '.join((*columns, f'{unit} AS {named}'))} FROM {self.reader} WHERE {where}"
        # The id that is looked up is the unit's own, and without one the other name of the person.
        is_user = self.unit_type == "user"
        own = f"coalesce({unit}, {unit_of('anonymous' if is_user else 'user')})"
        person = f"coalesce({PERSON}, {unit if is_user else ID})"
        rows = f"(SELECT *, {own} AS {ID} FROM {self.reader} WHERE {where})"
        return (
            f"SELECT {', '.join((*columns, f'{ID} AS {OWN_UNIT}', f'{person} AS {named}'))} "
            f"FROM {rows} LEFT JOIN {self._links} ON {OWN} = {ID}"
        )

    @property
    def _links(self) -> str:
        return f"read_parquet([{literal(str(self.links))}])"

    def _applied(self, connection: duckdb.DuckDBPyConnection) -> str:
        """How many links matter to the relations that are read, and their digest."""
        unit = f"{OWN_UNIT}, {quote(unit_column(self.unit_type))} AS unit"
        exposures = [name for name in self.properties if name.startswith(EXPOSURES)]
        events = [name for name in self.properties if name.startswith(EVENTS)]
        rows = [f"SELECT {unit} FROM ({self._exposures(n.removeprefix(EXPOSURES), (), connection)})" for n in exposures]
        entries = [name.removeprefix(ENTRIES) for name in self.properties if name.startswith(ENTRIES)]
        rows += [f"SELECT {unit} FROM ({self._entries(json.loads(entry), ())})" for entry in entries]
        named = [f"SELECT {unit} FROM ({self._events(n.removeprefix(EVENTS), (), connection)})" for n in events]
        return applied_sql(self._links, " UNION ALL ".join(rows), named)

    def _exposures(self, name: str, asked: Sequence[str], connection: duckdb.DuckDBPyConnection) -> str:
        flag, _, environment = name.partition("@")
        where = f"name = {literal(EXPOSURE)}"
        # Exposures are typed whole or not at all: who declared them declared every field.
        is_typed = self._filled(["flag"], where, connection)["flag"] == "always"
        columns = ["corrected_time AS time"]
        columns += [f"{self._field(name, kind, is_typed)} AS {name}" for name, kind in EXPOSURE_FIELDS.items()]
        columns += [
            f"{self._attribute(name, is_typed)} AS {quote(name)}"
            for name in asked
            if name not in (*EXPOSURE_FIELDS, OWN_UNIT)
        ]
        conditions = [where]
        if flag:
            conditions.append(f"{self._field('flag', 'VARCHAR', is_typed)} = {literal(flag)}")
        else:
            columns += [f"{self._field(name, 'VARCHAR', is_typed)} AS {name}" for name in ("flag", "environment")]
        if environment:
            conditions.append(f"{self._field('environment', 'VARCHAR', is_typed)} = {literal(environment)}")
        return self._select(columns, " AND ".join(conditions), lambda kind: self._exposed_unit(kind, is_typed))

    def _entries(self, entry: Mapping[str, Any], asked: Sequence[str]) -> str:
        conditions = [f"name = {literal(entry['event'])}"]
        if ENVIRONMENT in self._columns:  # what validation plants is no history
            conditions.append(f"{ENVIRONMENT} IS DISTINCT FROM {literal(STAGING)}")
        if entry["since"]:
            conditions.append(f"corrected_time >= TIMESTAMPTZ {literal(entry['since'])}")
        for name, values in entry["where"].items():
            listed = ", ".join(literal(value) for value in values)
            conditions.append(f"{self._attribute(name, False)} IN ({listed})")
        columns = ["corrected_time AS time"]
        columns += [f"{self._attribute(name, False)} AS {quote(name)}" for name in asked if name != OWN_UNIT]
        return self._select(columns, " AND ".join(conditions), self._unit)

    def _events(self, name: str, asked: Sequence[str], connection: duckdb.DuckDBPyConnection) -> str:
        reserved = f"${name}"
        where = f"name IN ({literal(name)}, {literal(reserved)})" if reserved in RESERVED else f"name = {literal(name)}"
        columns = [f"{source} AS {alias}" for alias, source in RECORD_COLUMNS.items()]
        columns.append(f"{self._event_id(where, asked, connection)} AS event_id")
        taken = {*RECORD_COLUMNS, "event_id", unit_column(self.unit_type)}
        if self.links is not None:
            taken.add(OWN_UNIT)
        wanted = [each for each in asked if each.lower() not in taken]
        filled = self._filled(wanted, where, connection)
        kinds = self._kinds([each for each in wanted if filled[each] == "never"], where, connection)
        for each in wanted:
            columns.append(f"{self._property(each, filled[each], kinds)} AS {quote(each)}")
            taken |= {each.lower(), f"{TYPED}{each}".lower()}
        for column in self._columns:
            if column.startswith(TYPED) and column.lower() not in taken:
                bare = column.removeprefix(TYPED)
                columns.append(quote(column) if bare.lower() in taken else f"{quote(column)} AS {quote(bare)}")
        return self._select(columns, where, self._unit)

    def _event_id(self, where: str, asked: Sequence[str], connection: duckdb.DuckDBPyConnection) -> str:
        """What tells events apart: the lake's hash of source and id, else the id, after its source if there are more.

        The hash is a number, found equal and counted at a fraction of the cost of the text.
        """
        if KEY in self._columns and "event_id" not in asked:
            return KEY
        if not self.is_part:  # other parts may have other sources
            select = f"SELECT min(source) = max(source) FROM {self.reader} WHERE {where}"
            if connection.execute(select).fetchall()[0][0]:
                return "event_id"
        return "source || ':' || event_id"

    def _property(self, name: str, filled: Filled, kinds: Mapping[str, str]) -> str:
        """A property as its typed column where that is filled always, else with the JSON text behind it."""
        if filled == "never":
            return _extract("properties", name, kinds[name])
        column = self._typed(name)
        if filled == "always":
            return quote(column)
        return f"coalesce({quote(column)}, {_extract('properties', name, self._columns[column])})"

    def _typed(self, name: str) -> str:
        """The typed column of a property, whatever its case; empty when there is none."""
        wanted = f"{TYPED}{name}"
        folded = [column for column in self._columns if column.lower() == wanted.lower()]
        return wanted if wanted in self._columns else folded[0] if folded else ""

    def _filled(self, names: Sequence[str], where: str, connection: duckdb.DuckDBPyConnection) -> dict[str, Filled]:
        """Whether the typed columns of properties are filled in these events: always, sometimes or never.

        A property that was declared later, or by another event only, stands in the JSON text alone.
        """
        found: dict[str, Filled] = dict.fromkeys(names, "never")
        typed = {name: column for name in names if (column := self._typed(name))}
        if typed:
            counted = ", ".join(f"count({quote(column)})" for column in typed.values())
            rows, *known = connection.execute(
                f"SELECT count(*), {counted} FROM {self.reader} WHERE {where}"
            ).fetchall()[0]
            for name, n in zip(typed, known, strict=True):
                found[name] = "always" if n == rows else "sometimes" if n else "never"
        return found

    def _field(self, name: str, kind: str, is_typed: bool) -> str:
        """A field of the exposure: its typed column, else from the JSON text."""
        column = TYPED + name
        if not is_typed or column not in self._columns:
            return _extract("properties", name, kind)
        return column if self._columns[column] == kind else f"TRY_CAST({column} AS {kind})"

    def _attribute(self, name: str, is_typed: bool) -> str:
        """What a unit was at its exposure: an attribute that rules used, else of the context, else a property."""
        path = literal(f"$.{_key(name)}")
        typed = is_typed and f"{TYPED}attributes" in self._columns
        used = f"{TYPED}attributes, {path}" if typed else f"properties, {literal(f'$.attributes.{_key(name)}')}"
        places = [f"json_extract_string({place})" for place in (used, f"context, {path}", f"properties, {path}")]
        return f"coalesce({', '.join(places)})"

    def _kinds(self, names: Sequence[str], where: str, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """The type of each property that stands in the JSON text alone, by a look at all its values."""
        if not names:
            return {}
        asked = ["count(*) > 0"]
        for name in names:
            kind = f"json_type(properties, {literal(f'$.{_key(name)}')})"
            known = f"nullif({kind}, 'NULL')"  # a JSON null is a missing value, of any type
            asked += [f"bool_and({known} IN {_NUMBERS})", f"bool_and({known} = 'BOOLEAN')", f"count({known}) > 0"]
        some, *row = connection.execute(f"SELECT {', '.join(asked)} FROM {self.reader} WHERE {where}").fetchall()[0]
        found = {}
        for i, name in enumerate(names):
            numbers, booleans, present = row[3 * i : 3 * i + 3]
            if some and not present and not self.is_part:
                raise InputError(
                    f"no event has a property {name!r}",
                    where=f"events with {where}",
                    rule="a fragment reads properties that the events have",
                    fix="check the spelling, or wait for the first event that has it",
                )
            found[name] = "DOUBLE" if numbers or not present else "BOOLEAN" if booleans else "VARCHAR"
        return found


def literal(text: str) -> str:
    """The text as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _key(name: str) -> str:
    """A member of a JSON path, whatever characters it has."""
    return '"' + name.replace('"', '\\"') + '"'


def _extract(column: str, name: str, kind: str) -> str:
    text = f"json_extract_string({column}, {literal('$.' + _key(name))})"
    return text if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"
