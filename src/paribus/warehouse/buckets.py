"""An engine whose main relation also says, for every unit, in which of many random buckets it is.

A bucket is a set of units drawn by the MD5 of their ids: fixed, unrelated to how any experiment splits them, and the
same on every engine. Cells by bucket hold all that a re-randomization of the units needs, so that a thousand of them
cost one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.errors import PlanError
from paribus.warehouse.engine import ColumnKind, Engine, Table
from paribus.warehouse.sql.dialects import hooks

SALT = "paribus/certify/"
# The whole number in [0, 2^28) of seven hexadecimal digits of an MD5, from digit `at`.
_DIGITS: Mapping[str, str] = {
    "duckdb": "CAST('0x' || SUBSTR(MD5({text}), {at}, 7) AS BIGINT)",
    "postgres": "CAST(CAST('x0' || SUBSTR(MD5({text}), {at}, 7) AS BIT(32)) AS BIGINT)",
    "mysql": "CAST(CONV(SUBSTRING(MD5({text}), {at}, 7), 16, 10) AS SIGNED)",
    "clickhouse": "reinterpretAsUInt32(reverse(unhex(concat('0', substring(lower(hex(MD5({text}))), {at}, 7)))))",
}
_TEXT: Mapping[str, str] = {
    "duckdb": "'{salt}' || CAST({unit} AS VARCHAR)",
    "postgres": "'{salt}' || CAST({unit} AS TEXT)",
    "mysql": "CONCAT('{salt}', CAST({unit} AS CHAR))",
    "clickhouse": "concat('{salt}', toString({unit}))",
}
_AS_TEXT: Mapping[str, str] = {"mysql": "CHAR", "clickhouse": "String", "postgres": "TEXT", "duckdb": "VARCHAR"}


@dataclass(slots=True)
class Bucketed:
    """The engine with two more columns in one relation, `coarse` and `fine`: a unit's bucket is the pair.

    Two columns of `side` levels name side^2 buckets, where one column would have more levels than an attribute may.

    engine    what answers
    relation  the relation of units or exposures
    unit      its unit column
    variant   its variant column; where there is none, as in history before an experiment, all units have one variant
    side      levels of each of the two columns
    """

    engine: Engine
    relation: str
    unit: str
    variant: str
    side: int
    coarse: str = "paribus_bucket_coarse"
    fine: str = "paribus_bucket_fine"
    dialect: str = field(init=False)
    notes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.dialect, self.notes = self.engine.dialect, self.engine.notes
        if hooks(self.dialect).name not in _DIGITS:
            raise PlanError(
                f"units cannot be re-randomized on {self.dialect}",
                rule=f"buckets of units need MD5 in SQL; engines with it: {', '.join(sorted(_DIGITS))}",
                fix="export the table to a file and certify that",
            )

    def relation_sql(self, relation: str) -> str:
        """The text that stands in FROM; for the relation of units, a derived table with the buckets."""
        text = self.engine.relation_sql(relation)
        if relation != self.relation:
            return text
        dialect = hooks(self.dialect)

        def column(name: str) -> str:
            return dialect.column(name).sql(dialect.name)

        columns = self.engine.columns(relation)
        folded = next((name for name in columns if name.lower() == self.unit.lower()), self.unit)
        unit = self.unit if self.unit in columns else folded
        salted = _TEXT[dialect.name].format(salt=SALT, unit=column(unit))
        more = []
        for name, at in ((self.coarse, 1), (self.fine, 9)):
            digits = _DIGITS[dialect.name].format(text=salted, at=at)
            level = f"CAST(MOD({digits}, {self.side}) AS {_AS_TEXT[dialect.name]})"
            more.append(f"{level} AS {column(name)}")
        if not self._has_variant(columns):
            more.append(f"'history' AS {column(self.variant)}")
        return f"(SELECT zh.*, {', '.join(more)} FROM {text} AS zh) AS zv"

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The relation's columns, with those that are added."""
        columns = self.engine.columns(relation)
        if relation != self.relation:
            return columns
        added = {} if self._has_variant(columns) else {self.variant: "text"}
        return {**columns, **added, self.coarse: "text", self.fine: "text"}

    def _has_variant(self, columns: Mapping[str, ColumnKind]) -> bool:
        return any(name.lower() == self.variant.lower() for name in columns)

    def query(self, sql: str) -> Table:
        """The engine's own answer."""
        return self.engine.query(sql)

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """The engine's own."""
        return self.engine.fingerprint(relations, full=full)

    def close(self) -> None:
        """Closes the engine."""
        self.engine.close()
