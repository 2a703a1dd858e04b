"""What the cells of a summarized table hold: numbers, however they are written, and periods in their order in time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from paribus.errors import InputError
from paribus.experiments.columns import NUMBERS, Facts, fragment_of_column, quoted
from paribus.experiments.written_numbers import read_text
from paribus.warehouse.engine import Engine

MOST_ROWS = 1_000_000
_ISO = re.compile(r"\d{4}(-(\d{2}(-\d{2}([T ].*)?)?|W\d{2}|Q\d))?\Z")


def number_sql(engine: Engine, relation: str, name: str, facts: Facts, part: str) -> str:
    """The SQL that reads a column as numbers; text is read as people write them, which the engine's notes say.

    Args:
        engine: where the table is.
        relation: the table's name there.
        name: the column as the table spells it.
        facts: of the table.
        part: what the column is, for errors.

    Raises:
        InputError: the column holds no numbers.
    """
    kind, spelled = facts.kinds[name], quoted(name, engine.dialect)
    if kind in NUMBERS:
        return spelled
    if kind != "text":
        raise InputError(
            f"the {part} column {name!r} is of kind {kind}", where=relation, rule="it holds numbers or yes and no"
        )
    try:
        reading = read_text(engine, relation, name, spelled, fragment_of_column(name))
    except InputError as error:
        raise InputError(
            error.what.replace("the metric column", f"the {part} column", 1),
            where=relation,
            rule="it holds numbers or yes and no",
            fix="correct these values, or leave them empty where there is none",
        ) from error
    engine.notes.append(f"{relation}: {reading.said}")
    return f"({reading.fragment})"


def summarized_rows(
    engine: Engine, relation: str, columns: Sequence[str], *, rule: str, fix: str
) -> list[tuple[Any, ...]]:
    """The expressions of every row of a table that is small because it is summarized.

    Raises:
        InputError: it has no rows, or too many; `rule` and `fix` say what is meant instead.
    """
    chosen = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(columns))
    rows = engine.query(f"SELECT {chosen} FROM {engine.relation_sql(relation)} AS s LIMIT {MOST_ROWS + 1}").rows
    if not rows:
        raise InputError("the table has no rows", where=relation)
    if len(rows) > MOST_ROWS:
        raise InputError(f"there are more than {MOST_ROWS:,} rows", where=relation, rule=rule, fix=fix)
    return rows


def refuse_missing(
    rows: Sequence[tuple[Any, ...]], names: Sequence[str], relation: str, *, numbers: int = 0, rule: str, fix: str
) -> None:
    """Refuses rows without a value in one of the first columns, whose names these are; the last `numbers` are numbers.

    Raises:
        InputError: with how many there are, and the first of them.
    """
    for i, name in enumerate(names):
        finite = i >= len(names) - numbers
        missing = [n for n, row in enumerate(rows, 1) if is_missing(row[i], finite=finite)]
        if missing:
            raise InputError(
                f"{len(missing):,} of {len(rows):,} rows have no {name!r}, the first of them row {missing[0]:,}",
                where=relation,
                rule=rule,
                fix=fix,
            )


def is_missing(value: Any, *, finite: bool) -> bool:
    """Whether a cell holds nothing: no value, blank text, not a number; with `finite` an infinite one too."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return not math.isfinite(value) if finite or isinstance(value, float) else False


def ordered_periods(values: Sequence[Any], column: str, relation: str) -> list[Any]:
    """The periods as values that sort in time: numbers as numbers, dates and ISO text as text.

    Raises:
        InputError: text whose order in time is not known.
    """
    if not any(isinstance(value, str) for value in values):
        numeric = all(isinstance(value, int | float) or hasattr(value, "as_tuple") for value in values)
        return [
            float(value) if numeric else value.isoformat(sep=" ") if _has_hour(value) else str(value)
            for value in values
        ]
    texts = [str(value).strip() for value in values]
    try:
        return [float(text) for text in texts]
    except ValueError:
        pass
    wrong = [text for text in texts if not _ISO.match(text)]
    if wrong or len({len(text) for text in texts}) > 1:
        raise InputError(
            f"the time column {column!r} holds text such as {(wrong or texts)[0]!r}, whose order in time is not known",
            where=relation,
            rule="a period is a number, a date, or text of one form in ISO 8601",
            fix="write 2026-01, 2026-W05, 2026-Q1 or 2026-01-31, or number the periods",
        )
    return texts


def told(period: Any) -> str:
    """A period as people write it.

    >>> told(27.0), told("2026-03-02 00:00:00")
    ('27', '2026-03-02')
    """
    if isinstance(period, float):
        return f"{period:.15g}"
    return str(period).removesuffix(" 00:00:00")


def _has_hour(value: Any) -> bool:
    return hasattr(value, "hour")
