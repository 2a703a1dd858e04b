"""An engine whose main relation has one variant for all its rows: history, in which variants do not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.warehouse.engine import ColumnKind, Engine, Table

VARIANT, ALL = "paribus_variant", "all"


@dataclass(slots=True)
class OneArm:
    """The engine with one more column in one relation: `VARIANT`, which is `ALL` in every row.

    engine    what answers
    relation  the relation of units or exposures
    """

    engine: Engine
    relation: str
    dialect: str = field(init=False)
    notes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.dialect, self.notes = self.engine.dialect, self.engine.notes

    def relation_sql(self, relation: str) -> str:
        """The text that stands in FROM; for the relation of units, a derived table."""
        text = self.engine.relation_sql(relation)
        if relation != self.relation:
            return text
        return f"(SELECT zh.*, '{ALL}' AS {VARIANT} FROM {text} AS zh) AS zv"

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The relation's columns, with the one that is added."""
        columns = self.engine.columns(relation)
        return {**columns, VARIANT: "text"} if relation == self.relation else columns

    def query(self, sql: str) -> Table:
        """The engine's own answer."""
        return self.engine.query(sql)

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """The engine's own."""
        return self.engine.fingerprint(relations, full=full)

    def close(self) -> None:
        """Closes the engine."""
        self.engine.close()
