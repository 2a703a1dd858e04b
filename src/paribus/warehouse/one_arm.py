"""An engine whose main relation has one variant for all its rows: history, in which variants do not matter.

When asked, every unit also says in which of many random buckets it is. A bucket is a set of units drawn by the MD5 of
their ids: fixed, unrelated to how any experiment splits them, and the same on every engine. Cells by bucket hold all
that a re-randomization of the units needs, so that a thousand of them cost one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.errors import PlanError
from paribus.warehouse.engine import ColumnKind, Engine, Table
from paribus.warehouse.sql.dialects import hooks

VARIANT, ALL = "paribus_variant", "all"
COARSE, FINE = "paribus_bucket_coarse", "paribus_bucket_fine"
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
class OneArm:
    """The engine with more columns in one relation: `VARIANT`, which is `ALL` in every row, and a unit's bucket.

    The bucket is the pair of `COARSE` and `FINE`: two columns of `side` levels name side^2 buckets, where one column
    would have more levels than an attribute may.

    engine    what answers
    relation  the relation of units or exposures
    unit      its unit column, for buckets
    side      levels of each of the two columns; 0 for no buckets

    Raises:
        PlanError: buckets are asked for, and the engine has no MD5.
    """

    engine: Engine
    relation: str
    unit: str = ""
    side: int = 0
    dialect: str = field(init=False)
    notes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.dialect, self.notes = self.engine.dialect, self.engine.notes
        if self.side and hooks(self.dialect).name not in _DIGITS:
            raise PlanError(
                f"units cannot be re-randomized on {self.dialect}",
                rule=f"buckets of units need MD5 in SQL; engines with it: {', '.join(sorted(_DIGITS))}",
                fix="export the table to a file and certify that",
            )

    def relation_sql(self, relation: str) -> str:
        """The text that stands in FROM; for the relation of units, a derived table."""
        text = self.engine.relation_sql(relation)
        if relation != self.relation:
            return text
        more = [f"'{ALL}' AS {VARIANT}", *(self._buckets(relation) if self.side else ())]
        return f"(SELECT zh.*, {', '.join(more)} FROM {text} AS zh) AS zv"

    def _buckets(self, relation: str) -> list[str]:
        dialect = hooks(self.dialect)
        columns = self.engine.columns(relation)
        folded = next((name for name in columns if name.lower() == self.unit.lower()), self.unit)
        unit = dialect.column(self.unit if self.unit in columns else folded).sql(dialect.name)
        salted = _TEXT[dialect.name].format(salt=SALT, unit=unit)
        levels = []
        for name, at in ((COARSE, 1), (FINE, 9)):
            digits = _DIGITS[dialect.name].format(text=salted, at=at)
            levels.append(f"CAST(MOD({digits}, {self.side}) AS {_AS_TEXT[dialect.name]}) AS {name}")
        return levels

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The relation's columns, with those that are added."""
        columns = self.engine.columns(relation)
        if relation != self.relation:
            return columns
        return {**columns, **dict.fromkeys((VARIANT, COARSE, FINE) if self.side else (VARIANT,), "text")}

    def query(self, sql: str) -> Table:
        """The engine's own answer."""
        return self.engine.query(sql)

    def is_columnar(self, relation: str) -> bool:
        """Whether the engine reads one column without the others."""
        own = getattr(self.engine, "is_columnar", None)
        return own is not None and bool(own(relation))

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """The engine's own."""
        return self.engine.fingerprint(relations, full=full)

    def close(self) -> None:
        """Closes the engine."""
        self.engine.close()
