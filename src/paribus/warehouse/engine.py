"""An engine answers SELECT statements. This is the whole interface; what differs between engines is in `sql.dialects`.

Every engine passes tests/warehouse/test_contract.py: the same data give the same moments to 1e-9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

ColumnKind = str  # "number" | "integer" | "boolean" | "text" | "timestamp" | "timestamp_tz" | "date" | "json" | "other"


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a statement: column names (lower case) and rows as tuples of Python values.

    A time without a zone is in UTC.
    """

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def column(self, name: str) -> list[Any]:
        i = self.names.index(name)
        return [row[i] for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


class Engine(Protocol):
    """Runs SELECT statements over relations (tables, views, files)."""

    @property
    def dialect(self) -> str:
        """sqlglot's name: duckdb, postgres, mysql, sqlite, clickhouse ..."""
        ...

    @property
    def notes(self) -> list[str]:
        """Sentences about how a relation was read: delimiter, encoding, types that are not what they seem."""
        ...

    def relation_sql(self, relation: str) -> str:
        """The text that stands in FROM for a relation: a quoted table name. Raises InputError."""
        ...

    def columns(self, relation: str) -> dict[str, ColumnKind]:
        """The relation's columns in order, with their kinds. Raises InputError with `did_you_mean` for unknown ones."""
        ...

    def query(self, sql: str) -> Table:
        """Runs one SELECT. Raises EngineError (TransientError when trying again may help)."""
        ...

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        """What identifies the data read, by relation (contracts.md, fingerprints).

        Files: path, size, time, SHA-256 (files over 100 MB only with `full`). A frame or a table of a database has
        nothing but its name here: the analysis adds the hash of its moments.
        """
        ...

    def close(self) -> None: ...
