"""A relation as the compiler sees it: columns with their kinds, names checked, fragments parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paribus.errors import InputError, did_you_mean
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import Hooks
from paribus.warehouse.sql.fragments import FragmentKind, parse_fragment

if TYPE_CHECKING:
    from paribus.warehouse.engine import ColumnKind


@dataclass(frozen=True, slots=True)
class Source:
    """One relation. `columns` is None when no engine is at hand (SQL that is only shown): every name is accepted."""

    name: str
    text: sql.Expr
    columns: Mapping[str, ColumnKind] | None
    hooks: Hooks
    dialect: str  # of the user's fragments
    _numbers: dict[str, sql.Expr] = field(default_factory=dict)

    def resolve(self, name: str, where: str) -> str:
        """The column's own spelling: exact, else the only one that differs by case.

        Raises:
            InputError: no such column, with the nearest spelling.
        """
        if self.columns is None or name in self.columns:
            return name
        folded = [column for column in self.columns if column.lower() == name.lower()]
        if len(folded) == 1:
            return folded[0]
        raise InputError(
            f"{self.name} has no column {name!r}",
            where=where,
            rule="names of columns are those of the relation",
            fix=did_you_mean(name, self.columns),
        )

    def kind(self, name: str) -> ColumnKind | None:
        return None if self.columns is None else self.columns[self.resolve(name, name)]

    def column(self, name: str, where: str) -> sql.Expr:
        return self.hooks.column(self.resolve(name, where))

    def as_text(self, name: str, where: str) -> sql.Expr:
        """The column as text: as it is when it is text already, and compared by its characters."""
        column = self.column(name, where)
        if self.hooks.exact is not None:
            return self.hooks.exact(column)
        return column if self.kind(name) == "text" else sql.as_text(column)

    def unit(self, name: str, where: str, *, text: bool = False) -> sql.Expr:
        """The column of unit ids: as it is, unless ids of several kinds meet or the engine would merge `a` and `A`."""
        kind = self.kind(name)
        if (text and kind != "text") or (self.hooks.exact is not None and kind in {"text", None}):
            return self.as_text(name, where)
        return self.column(name, where)

    def instant(self, name: str, where: str) -> sql.Expr:
        """The time column as a UTC instant."""
        kind = self.kind(name)
        if kind in {"number", "integer", "boolean"} and not self.counts_time(name):
            raise InputError(
                f"the time column {name!r} of {self.name} holds {kind} values",
                where=where,
                rule="a time is a date, a timestamp, or ISO 8601 text",
                fix="convert it in a view, or name another column",
            )
        return self.hooks.instant(self.column(name, where), kind)

    def counts_time(self, name: str) -> bool:
        """Whether the time column holds whole numbers that count from 1970."""
        return self.hooks.counts_time and self.kind(name) == "integer"

    def condition(self, fragment: str | None, where: str) -> sql.Expr | None:
        """A boolean fragment, None when there is none."""
        return None if fragment is None else self._parse(fragment, "boolean", where)

    def number(self, fragment: str, where: str) -> sql.Expr:
        """A scalar fragment as DOUBLE: conditions and boolean columns are 1 and 0, text is parsed, NULL stays NULL."""
        if fragment not in self._numbers:
            self._numbers[fragment] = self._number(fragment, where)
        return self._numbers[fragment]

    def _number(self, fragment: str, where: str) -> sql.Expr:
        if self.columns is None and re.fullmatch(r"[a-z_][a-z0-9_]*", fragment.strip()):
            return sql.double(self.hooks.column(fragment.strip()))
        if self.columns is not None:
            folded = {column.lower(): column for column in self.columns}
            bare = fragment.strip()
            name = bare if bare in self.columns else folded.get(bare.lower())
            if name is not None:  # a column's name as it stands, spaces and reserved words included
                value = self.hooks.column(name)
                kind = self.columns[name]
                if kind in {"timestamp", "timestamp_tz", "date", "json"}:
                    raise InputError(
                        f"the column {name!r} of {self.name} holds {kind} values",
                        where=where,
                        rule="a metric value is a number or a condition",
                        fix="name a numeric column, or write an expression",
                    )
                return self._as_number(value, kind)
        return self._as_number(self._parse(fragment, "any", where), None)

    def _as_number(self, value: sql.Expr, kind: ColumnKind | None) -> sql.Expr:
        if kind == "boolean" or sql.is_condition(value):
            return sql.case((value, sql.number(1)), (sql.negate(value), sql.number(0)))
        if kind == "text":
            return self.hooks.parse(value)
        return sql.double(value)

    def _parse(self, fragment: str, kind: FragmentKind, where: str) -> sql.Expr:
        parsed = parse_fragment(
            fragment, dialect=self.dialect, columns=self.columns, kind=kind, where=where, target=self.hooks.name
        )
        value = parsed.expression if self.columns else sql.name_columns(parsed.expression, self.hooks.identify)
        return sql.portable(value)


def blank(unit: sql.Expr) -> sql.Expr:
    """True for text without a character but spaces. LIKE first: TRIM costs more than the rest of a probe."""
    spaces = sql.every([sql.like(unit, " %"), sql.equal(sql.function("TRIM", unit), sql.text(""))])
    return sql.always(sql.either([sql.equal(unit, sql.text("")), spaces]))


def present(unit: sql.Expr, is_text: bool) -> sql.Expr:
    """True for a unit id that is neither NULL nor blank."""
    known = sql.is_known(unit)
    return sql.always(sql.every([known, sql.negate(blank(unit))])) if is_text else known
