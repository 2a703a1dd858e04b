"""The values of a variant column: which of them are arms, and which are one arm written in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.errors import InputError
from paribus.metrics.source import Source
from paribus.warehouse.engine import Engine
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import hooks

FEW_ROWS = 3
# What programs write where there is no value. Never an arm where two others are left; "none" may well be one.
MARKERS = frozenset({"null", "na", "n/a", "nan", "#n/a", "\\n", "<na>", "nat"})


def levels_of(engine: Engine, relation: str, variant: str, unit: str | None) -> dict[str, int]:
    """Rows by value of the variant column, as the text that it is compared as; rows that name a unit, where given.

    Missing and blank values are no levels, and neither are the words that stand for them: their rows are left out and
    counted by the analysis.
    """
    own = hooks(engine.dialect)
    kinds = engine.columns(relation)
    table = Source(relation, sql.verbatim("t"), kinds, own, engine.dialect)
    column, text = (expression.sql(engine.dialect) for expression in (own.column(variant), table.as_text(variant, "")))
    source = engine.relation_sql(relation)
    # Values are grouped as they are and written as text then, which costs less, unless the engine would merge a and A.
    grouped, shown = (text, "level") if own.exact is not None else (column, text)

    def counted(where: str = "") -> dict[str, int]:
        named = f"{grouped} AS level" if own.exact is not None else grouped
        groups = f"SELECT {named}, COUNT(*) AS n FROM {source} AS s{where} GROUP BY {grouped}"
        found = engine.query(f"SELECT {shown} AS level, n FROM ({groups}) AS t").rows
        return {_shown(level): int(n) for level, n in found if level is not None and _shown(level).strip()}

    levels = counted()
    few = [level for level, n in levels.items() if n <= FEW_ROWS]
    if unit is not None and few and len(levels) > 2:  # a line of totals names no unit
        name = own.column(unit).sql(engine.dialect)
        told = f"{name} IS NOT NULL" + (f" AND TRIM({name}) <> ''" if kinds[unit] == "text" else "")
        with_units = counted(f" WHERE {told}")
        levels = {level: n for level, n in levels.items() if level in with_units or level not in few}
    arms = {level: n for level, n in levels.items() if level.strip().lower() not in MARKERS}
    return dict(sorted((arms if len(arms) >= 2 else levels).items()))


def same_level(name: str, levels: Sequence[str]) -> str | None:
    """The level that a person means: as it is, else the only one by letters in any case, else by its number.

    >>> same_level("control", ["Control", "new"]), same_level("0", ["0.0", "1.0"])
    ('Control', '0.0')
    """
    if name in levels:
        return name
    for same in (
        lambda level: level.lower() == name.lower(),
        lambda level: _number(level) == _number(name) is not None,
    ):
        found = [level for level in levels if same(level)]
        if len(found) == 1:
            return found[0]
    return None


def refuse_look_alikes(levels: Mapping[str, int], variant: str, relation: str) -> None:
    """One arm that is written in two ways would be two arms, each with a part of its units.

    Raises:
        InputError: two levels differ by case or blanks only.
    """
    groups: dict[str, list[str]] = {}
    for level in levels:
        groups.setdefault(" ".join(level.split()).casefold(), []).append(level)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        shown = "; ".join(", ".join(f"{level!r} ({levels[level]:,} rows)" for level in group) for group in alike[:4])
        raise InputError(
            f"values of {variant!r} differ by case or blanks only: {shown}",
            where=relation,
            rule="each arm is written in one way",
            fix="write them alike in the data; otherwise each would be an arm with a part of its units",
        )


def _shown(level: object) -> str:
    """A level as it compares with variant names: True is "true"."""
    return str(level).lower() if isinstance(level, bool) else str(level)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
