"""The star model as SELECTs: users with their history, exposures, events, and one wide row per experiment and unit.

Each function takes names of relations, so that the same text serves the model that Paribus keeps in DuckDB, a full
rebuild, and generated projects of other tools. The dialect is DuckDB's.

    stg_event        each event of the lake once, the unit resolved
    fct_event        one row per event, its planned properties as columns
    fct_exposure     one row per exposure
    stg_observation  what an event says about its user's attributes
    dim_user         a row per user and stretch of time with the same attributes (slowly changing, type 2)
    obt_experiment   one big table: flag, environment and unit, attributes at exposure, sums of what came after
"""

from __future__ import annotations

from dataclasses import dataclass

from paribus.lake.quoting import quoted

TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMPTZ",
    "json": "VARCHAR",
}
_UNIT_COLUMNS = {"user": "user_id", "anonymous": "anonymous_id", "session": "session_id"}


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is counted or summed per unit after its exposure: an event, or one of its numbers."""

    event: str
    number: str = ""

    @property
    def column(self) -> str:
        """Its column in `obt_experiment`."""
        return f"sum_{_bare(self.event)}_{_bare(self.number)}" if self.number else f"n_{_bare(self.event)}"


@dataclass(frozen=True, slots=True)
class StarDefinition:
    """What the model holds.

    attributes  of users, in the context or the properties of their events
    properties  planned properties and their types; columns of `fct_event`
    measures    columns of `obt_experiment`
    unit_type   of the units
    """

    attributes: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    measures: tuple[Measure, ...] = ()
    unit_type: str = "user"

    def digest(self) -> str:
        """A hash that tells this definition from another one."""
        import hashlib

        return hashlib.sha256(repr(self).encode()).hexdigest()


def stg_event(events: str, definition: StarDefinition) -> str:
    """Each event once: of copies, the first that landed.

    Args:
        events: the lake's events, copies included.
        definition: says whose unit it is.
    """
    own = _UNIT_COLUMNS.get(definition.unit_type)
    other = f" ELSE {own}" if own else ""
    return (
        "SELECT md5(source || chr(31) || event_id) AS event_sk, name AS event_name, "
        f"CASE WHEN unit_type = {_text(definition.unit_type)} THEN unit{other} END AS user_key, session_id, "
        "corrected_time AS event_time, received_time, event_date, properties, context, planned AS is_planned, "
        f"landing_id, landing_index FROM {events} "
        "QUALIFY row_number() OVER (PARTITION BY source, event_id ORDER BY landing_id, landing_index) = 1"
    )


def fct_event(staged: str, definition: StarDefinition) -> str:
    """One row per event that is no exposure."""
    typed = "".join(
        f", {_typed(name, kind)} AS {quoted(property_column(name))}" for name, kind in definition.properties
    )
    return (
        "SELECT event_sk, event_name, user_key, session_id, event_time, received_time, event_date, is_planned"
        f"{typed} FROM {staged} WHERE event_name <> '$exposure'"
    )


def fct_exposure(staged: str) -> str:
    """One row per exposure of any flag."""
    fields = {
        "flag": "VARCHAR", "environment": "VARCHAR", "assigned": "VARCHAR", "served": "VARCHAR", "reason": "VARCHAR",
        "revision": "BIGINT", "epoch": "BIGINT", "traffic_bp": "BIGINT", "split_bp": "BIGINT", "probability": "DOUBLE",
    }  # fmt: skip
    read = ", ".join(f"TRY_CAST({_json('properties', name)} AS {kind}) AS {name}" for name, kind in fields.items())
    return f"SELECT event_sk, user_key, {read}, event_time, event_date FROM {staged} WHERE event_name = '$exposure'"


def stg_observation(staged: str, definition: StarDefinition) -> str:
    """What each event says about the attributes of its user; nothing where it says nothing."""
    columns = "".join(
        f", coalesce({_json('context', name)}, {_json('properties', name)}) AS {quoted(name)}"
        for name in definition.attributes
    )
    return f"SELECT event_sk, user_key, event_time{columns} FROM {staged} WHERE user_key IS NOT NULL"


def dim_user(observed: str, definition: StarDefinition) -> str:
    """A row per user and stretch of time with the same attributes; an attribute stays until an event says another."""
    names = [quoted(name) for name in definition.attributes]
    if not names:
        return (
            "SELECT md5(user_key || chr(31) || min(event_time)::VARCHAR) AS user_sk, user_key, min(event_time) AS "
            f"valid_from, NULL::TIMESTAMPTZ AS valid_to, true AS is_current FROM {observed} GROUP BY user_key"
        )
    kept = ", ".join(f"last_value({name} IGNORE NULLS) OVER past AS {name}" for name in names)
    before = " OR ".join(f"{name} IS DISTINCT FROM lag({name}) OVER line" for name in names)
    listed = ", ".join(names)
    return (
        f"WITH known AS (SELECT user_key, event_time, event_sk, {kept} FROM {observed} WINDOW past AS (PARTITION BY "
        "user_key ORDER BY event_time, event_sk ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)), "
        f"moment AS (SELECT user_key, event_time, {listed} FROM known QUALIFY row_number() OVER "
        "(PARTITION BY user_key, event_time ORDER BY event_sk DESC) = 1), "
        f"changed AS (SELECT user_key, event_time, {listed}, row_number() OVER line = 1 OR {before} AS is_new "
        "FROM moment WINDOW line AS (PARTITION BY user_key ORDER BY event_time)) "
        f"SELECT md5(user_key || chr(31) || event_time::VARCHAR) AS user_sk, user_key, {listed}, "
        "event_time AS valid_from, lead(event_time) OVER (PARTITION BY user_key ORDER BY event_time) AS valid_to, "
        "lead(event_time) OVER (PARTITION BY user_key ORDER BY event_time) IS NULL AS is_current "
        "FROM changed WHERE is_new"
    )


def obt_experiment(exposures: str, events: str, users: str, definition: StarDefinition) -> str:
    """A row per flag, environment and unit: the first randomized exposure, who it was then, what came after."""
    attributes = "".join(f", users.{quoted(name)}" for name in definition.attributes)
    joined = "".join(f", {_measured(each)} AS {quoted(each.column)}" for each in definition.measures)
    shown = "".join(
        f", coalesce(sums.{quoted(each.column)}, 0) AS {quoted(each.column)}" for each in definition.measures
    )
    sums = (
        f"SELECT first.flag, first.environment, first.user_key{joined} FROM first JOIN {events} AS events ON "
        "events.user_key = first.user_key AND events.event_time >= first.exposed_at GROUP BY ALL"
        if definition.measures
        else "SELECT flag, environment, user_key FROM first"
    )
    return (
        "WITH randomized AS (SELECT flag, coalesce(environment, '') AS environment, user_key, assigned, epoch, "
        f"event_time, event_sk FROM {exposures} WHERE reason = 'SPLIT' AND user_key IS NOT NULL), "
        "mixed AS (SELECT flag, environment, user_key, max(arms) > 1 AS is_mixed FROM (SELECT flag, environment, "
        "user_key, epoch, count(DISTINCT assigned) AS arms FROM randomized GROUP BY ALL) GROUP BY ALL), "
        "first AS (SELECT flag, environment, user_key, assigned AS variant, epoch, event_time AS exposed_at "
        "FROM randomized QUALIFY row_number() OVER (PARTITION BY flag, environment, user_key "
        f"ORDER BY event_time, event_sk) = 1), sums AS ({sums}) "
        "SELECT first.flag, first.environment, first.user_key, first.variant, first.epoch, first.exposed_at, "
        f"mixed.is_mixed, (SELECT min(valid_from) FROM {users} AS past WHERE past.user_key = first.user_key) AS "
        "first_seen"
        f"{attributes}{shown} FROM first JOIN mixed USING (flag, environment, user_key) "
        f"LEFT JOIN {users} AS users ON users.user_key = first.user_key AND users.valid_from <= first.exposed_at AND "
        "(users.valid_to IS NULL OR first.exposed_at < users.valid_to) "
        "LEFT JOIN sums USING (flag, environment, user_key)"
    )


def property_column(name: str) -> str:
    """The column of a planned property in `fct_event`.

    >>> property_column("Order ID")
    'p_Order_ID'
    """
    return f"p_{_bare(name)}"


def fact_columns(definition: StarDefinition) -> tuple[str, ...]:
    """The columns of `fct_event`, in order."""
    base = (
        "event_sk",
        "event_name",
        "user_key",
        "session_id",
        "event_time",
        "received_time",
        "event_date",
        "is_planned",
    )
    return (*base, *(property_column(name) for name, _ in definition.properties))


def _measured(measure: Measure) -> str:
    mine = f"FILTER (WHERE events.event_name = {_text(measure.event)})"
    if not measure.number:
        return f"count(*) {mine}"
    return f"sum(events.{quoted(property_column(measure.number))}) {mine}"


def _typed(name: str, kind: str) -> str:
    read = _json("properties", name)
    return read if TYPES[kind] == "VARCHAR" else f"TRY_CAST({read} AS {TYPES[kind]})"


def _json(column: str, name: str) -> str:
    quoted_path = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"json_extract_string({column}, {_text(chr(36) + '.' + quoted_path)})"


def _bare(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each == "_") else "_" for each in name)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
