"""Metrics that were written as text: yes and no, $1,234.50, 12,5 %, (3.00). Read as numbers, or refused with a value.

The reading is a SQL fragment like any other, so it is part of the plan and of the proof, and it is confirmed on every
row: a column with one value that it cannot read is refused, with how many there are and the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from paribus.errors import InputError
from paribus.warehouse.engine import Engine

YES = ("yes", "y", "true", "t", "on", "1", "ja", "oui", "si", "sí")
NO = ("no", "n", "false", "f", "off", "0", "nein", "non")
MISSING = ("", "na", "n/a", "null", "none", "nan", "#n/a", "\\n")
MOST_VALUES = 2_000
ROWS = 20_000

_CURRENCY = ("US$", "$", "€", "£", "¥", "₹", "USD", "EUR", "GBP", "CHF", "JPY")
_BLANKS = (" ", "'", "\u2019")
_THOUSANDS_COMMA = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]*)?|-?[0-9]+(\.[0-9]*)?|-?\.[0-9]+")
_DECIMAL_COMMA = re.compile(r"-?[0-9]{1,3}(\.[0-9]{3})*(,[0-9]+)?|-?[0-9]+(,[0-9]+)?")


@dataclass(frozen=True, slots=True)
class WrittenNumbers:
    """How the text of a column is read: the fragment, whether its values are yes and no, and a sentence."""

    fragment: str
    is_binary: bool
    said: str


def read_text(engine: Engine, relation: str, column: str, quoted: str, fragment: str) -> WrittenNumbers:
    """The reading of a text column that a metric names.

    Args:
        engine: where the table is.
        relation, column: as in errors.
        quoted: the column as the engine's SQL writes it.
        fragment: the column as a fragment writes it.

    Raises:
        InputError: some values are no numbers; they are counted and the first is shown.
    """
    source = engine.relation_sql(relation)
    first = engine.query(f"SELECT DISTINCT {quoted} AS v FROM (SELECT {quoted} FROM {source} AS s LIMIT {ROWS}) AS t")
    texts = [str(value).strip() for value in first.column("v")[:MOST_VALUES] if value is not None]
    known = [text for text in texts if text.lower() not in MISSING]
    reading = _reading(known, fragment, column) if engine.dialect == "duckdb" and known else None
    if reading is None:
        if any("," in text for text in known) and _ambiguous(known):
            _refuse(column, relation, f"its commas fit both thousands and decimals, as in {_example(known)}")
        _refuse(column, relation, f"it holds values such as {_example(known)}" if known else "it holds no value")
    blank = _listed(MISSING)
    value = f"LOWER(TRIM({quoted}))"
    missed = f"{quoted} IS NOT NULL AND {value} NOT IN ({blank}) AND ({reading.fragment}) IS NULL"
    row = engine.query(
        f"SELECT COUNT(CASE WHEN {missed} THEN 1 END) AS missed, COUNT(CASE WHEN {value} NOT IN ({blank}) THEN 1 END) "
        f"AS given, MIN(CASE WHEN {missed} THEN {quoted} END) AS example FROM {source} AS t"
    ).rows[0]
    if int(row[0]):
        among = f"{int(row[0]):,} of {int(row[1]):,} values"
        _refuse(column, relation, f"{among} are no numbers, such as {str(row[2])[:40]!r}")
    return reading


def _reading(known: Sequence[str], fragment: str, column: str) -> WrittenNumbers | None:
    """What most of the values say, None for text that is none of this."""
    words = {text.lower() for text in known}
    if words <= {*YES, *NO}:
        yes, no = (sorted(words.intersection(group)) for group in (YES, NO))
        tested = f"LOWER(TRIM({fragment}))"
        parts = [f"WHEN {tested} IN ({_listed(group)}) THEN {n}" for group, n in ((yes, 1), (no, 0)) if group]
        said = f"column {column!r}: its text is taken as " + " and ".join(
            f"{n} for {', '.join(group)}" for group, n in ((yes, 1), (no, 0)) if group
        )
        return WrittenNumbers(f"CASE {' '.join(parts)} END", True, said)
    signs = [sign for sign in (*_CURRENCY, "%", *_BLANKS, "+") if any(sign in text for text in known)]
    is_negative = any(text.startswith("(") and text.endswith(")") for text in known)
    if any("\u2212" in text for text in known):
        signs.append("\u2212")
    bare = [_bare(text, signs) for text in known]
    thousands = sum(bool(_THOUSANDS_COMMA.fullmatch(text)) for text in bare)
    decimal = sum(bool(_DECIMAL_COMMA.fullmatch(text)) for text in bare)
    if max(thousands, decimal) <= len(known) / 2:
        return None
    has_commas = any("," in text for text in bare)
    if has_commas and thousands == decimal:
        return None  # 1,234 alone is 1234 to some and 1.234 to others
    return WrittenNumbers(
        _number(fragment, signs, is_negative, decimal > thousands, has_commas),
        False,
        f"column {column!r}: its text is taken as numbers{_shown(signs, is_negative)}"
        + (", the comma as the decimal sign" if decimal > thousands and has_commas else ""),
    )


def _ambiguous(known: Sequence[str]) -> bool:
    bare = [_bare(text, (*_CURRENCY, "%", *_BLANKS)) for text in known]
    return all(_THOUSANDS_COMMA.fullmatch(text) and _DECIMAL_COMMA.fullmatch(text) for text in bare)


def _number(fragment: str, signs: Sequence[str], is_negative: bool, is_decimal: bool, has_commas: bool) -> str:
    text = f"TRIM({fragment})"
    for sign in (*signs, *(("(", ")") if is_negative else ())):
        text = f"REPLACE({text}, {_literal(sign)}, {_literal('-' if sign == chr(0x2212) else '')})"
    if is_decimal:
        text = f"REPLACE(REPLACE({text}, '.', ''), ',', '.')"
    elif has_commas:
        text = f"REPLACE({text}, ',', '')"
    number = f"TRY_CAST({text} AS DOUBLE)"
    return f"CASE WHEN TRIM({fragment}) LIKE '(%' THEN -{number} ELSE {number} END" if is_negative else number


def _bare(text: str, signs: Sequence[str]) -> str:
    for sign in signs:
        text = text.replace(sign, "-" if sign == "\u2212" else "")
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _shown(signs: Sequence[str], is_negative: bool) -> str:
    shown = [{"%": "% (5% is 5)", " ": "blanks", "\u2212": "the long minus"}.get(sign, sign) for sign in signs]
    shown += ["parentheses ((3) is -3)"] if is_negative else []
    return f", without {', '.join(shown)}" if shown else ""


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(_literal, texts))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _example(known: Sequence[str]) -> str:
    return ", ".join(repr(text[:40]) for text in sorted(known)[:3])


def _refuse(column: str, relation: str, what: str) -> NoReturn:
    raise InputError(
        f"the metric column {column!r} is of kind text: {what}",
        where=relation,
        rule="a metric's column holds numbers, or true and false",
        fix=f"correct them, or let them count as missing: in experiment.yaml, value: TRY_CAST({column} AS DOUBLE)",
    )
