"""Whether ids of units repeat: always exact, by the cheapest means that an engine has.

Text is counted by its 64-bit hashes. Equal ids have equal hashes, so as many hashes as rows prove that no id repeats;
with fewer, `table.repeats` compares the ids themselves. Integers that lie close together are marked in a bitmap, and
where there are fewer integers between the smallest and the largest than rows, some id repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paribus.metrics.definition import UnitTable
from paribus.metrics.source import Source
from paribus.warehouse.files import is_text_file
from paribus.warehouse.sql import build as sql

BITS_PER_ROW = 16  # the widest bitmap, per row and thread: a hash table takes some 400
MOST_BITS = 10**9  # DuckDB's limit


def distinct(source: Source, units: UnitTable, unit: sql.Expr) -> sql.Expr:
    """An aggregate that equals the number of ids, NULL aside, when none repeats, and is smaller when one does."""
    as_hash = source.hooks.as_hash
    if as_hash is None or source.kind(units.unit) != "text":
        return sql.distinct(unit)
    return sql.distinct(sql.case((sql.is_known(unit), as_hash(unit))))


def is_read_twice(source: Source, units: UnitTable, is_columnar: Callable[[str], bool] | None) -> bool:
    """Whether a second statement, which knows the bounds of the ids, is cheaper than a hash table of them.

    Args:
        source: the table of units.
        units: which columns it has.
        is_columnar: whether an engine reads one column of a relation without the others; None goes by the file's name.
    """
    if source.hooks.marked is None or source.kind(units.unit) != "integer":
        return False
    return not is_text_file(source.name) if is_columnar is None else is_columnar(source.name)


def shown(source: Source, units: UnitTable) -> str:
    """The second statement as it is when the ids lie close together, with `:low` and `:high` for their bounds."""
    return _statement(source, units, sql.placeholder_rank("low"), sql.placeholder_rank("high"))


def found(
    source: Source,
    units: UnitTable,
    known: int,
    low: int | None,
    high: int | None,
    ask: Callable[[str], dict[str, Any]],
) -> bool:
    """Whether any of the `known` ids, all integers from `low` to `high`, repeats; `ask` runs the statement."""
    if low is None or high is None:
        return False
    span = high - low + 1
    if span < known:
        return True
    if span <= min(BITS_PER_ROW * known, MOST_BITS):
        return known > int(ask(_statement(source, units, sql.integer(low), sql.integer(high)))["z_distinct"])
    return known > int(ask(_statement(source, units))["z_distinct"])


def _statement(source: Source, units: UnitTable, *bounds: sql.Expr) -> str:
    unit, marked = source.unit(units.unit, "unit"), source.hooks.marked
    count = marked(unit, *bounds) if marked is not None and bounds else sql.distinct(unit)
    select = sql.Select({"z_distinct": count}, source.text, where=source.condition(units.filter, "filter"))
    return sql.Statement().sql(select, source.hooks.name)
