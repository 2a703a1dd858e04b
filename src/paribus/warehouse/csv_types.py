"""What the columns of a CSV file hold, decided over the whole file, and how each is read.

The first rows suggest a reading for each column; one pass over all rows confirms it or finds one that all values allow.
What no reading allows is text, with a sentence that counts the values in the way and shows the first. Values are never
dropped to make a column fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MISSING = ("NA", "N/A", "n/a", "NULL", "null", "None", "none", "#N/A", "\\N")
# In a column of text only what no person writes: NA is Namibia, and None may be an answer.
MISSING_TEXT = ("NULL", "null", "\\N", "#N/A", "NaN", "nan", "<NA>", "NaT")
SAMPLE_ROWS = 2000
SUGGESTED_SHARE = 0.5  # a column with more numbers (or dates) than this is worth a sentence when it is read as text

Rows = Callable[[str], list[tuple[object, ...]]]  # runs SQL on the file's reader, every column as text

_DIGITS = r"(0|[1-9][0-9]{0,15})"  # a whole number of more digits is an id: DOUBLE would merge neighbors
_DAY = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_OFFSET = r" ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)"
_SLASHED = r"[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{4}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?"
_FORMATS = ("", " %H:%M", " %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read text: the pattern of its values, the DuckDB type, and the conversion when a cast is not enough.

    `check` is a further condition on values that fit the pattern (a date that exists). Both use `{v}` for the value.
    `said` completes "column x: …" in the notes, None for readings that need no sentence.
    """

    name: str
    kind: str
    pattern: str
    type: str
    check: str | None = None
    convert: str | None = None
    said: str | None = None

    def accepts(self, value: str) -> str:
        """SQL that is true when the value (a SQL expression) can be read so."""
        fits = f"regexp_full_match(trim({value}), '{self.pattern}')"
        return f"({fits} AND {self.check.format(v=value)})" if self.check else fits


def _date(order: str) -> tuple[str, str]:
    formats = ", ".join(f"'{order}{clock}'" for clock in _FORMATS)
    parsed = f"try_strptime(replace(trim({{v}}), '.', '/'), [{formats}])"
    return f"{parsed} IS NOT NULL", parsed


_DMY, _MDY = _date("%d/%m/%Y"), _date("%m/%d/%Y")

# In order of preference: the first that fits all values of the column is taken.
READINGS: tuple[Reading, ...] = (
    Reading("boolean", "boolean", "(?i)true|false", "BOOLEAN"),
    Reading(
        "integer",
        "integer",
        r"[+-]?(0|[1-9][0-9]{0,18})",
        "BIGINT",
        check="TRY_CAST({v} AS BIGINT) IS NOT NULL",
    ),
    Reading(
        "number",
        "number",
        rf"(?i)[+-]?({_DIGITS}(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(inf|infinity|nan)",
        "DOUBLE",
    ),
    Reading("date", "date", _DAY, "DATE", check="TRY_CAST({v} AS DATE) IS NOT NULL"),
    Reading(
        "timestamp",
        "timestamp",
        rf"{_DAY}([ T]{_CLOCK})?",
        "TIMESTAMP",
        check="TRY_CAST({v} AS TIMESTAMP) IS NOT NULL",
    ),
    Reading(
        "timestamp_tz",
        "timestamp_tz",
        rf"{_DAY}([ T]{_CLOCK}({_OFFSET})?)?",
        "TIMESTAMPTZ",
        check="TRY_CAST({v} AS TIMESTAMPTZ) IS NOT NULL",
    ),
    Reading("day/month/year", "timestamp", _SLASHED, "TIMESTAMP", *_DMY, said="dates read as day/month/year"),
    Reading("month/day/year", "timestamp", _SLASHED, "TIMESTAMP", *_MDY, said="dates read as month/day/year"),
    Reading(
        "thousands comma",
        "number",
        rf"[+-]?({_DIGITS}|[1-9][0-9]{{0,2}}(,[0-9]{{3}})+)(\.[0-9]*)?",
        "DOUBLE",
        convert="CAST(replace({v}, ',', '') AS DOUBLE)",
        said="the comma is read as a thousands separator (1,234 is 1234)",
    ),
    Reading(
        "decimal comma",
        "number",
        rf"[+-]?({_DIGITS}|[1-9][0-9]{{0,2}}(\.[0-9]{{3}})+)(,[0-9]+)?",
        "DOUBLE",
        convert="CAST(replace(replace({v}, '.', ''), ',', '.') AS DOUBLE)",
        said="the comma is read as the decimal sign (2,5 is 2.5)",
    ),
)
_PLURALS = {
    "boolean": "true or false",
    "integer": "numbers",
    "number": "numbers",
    "date": "dates",
    "timestamp": "times",
    "timestamp_tz": "times",
}
_PATTERNS = {reading.name: re.compile(reading.pattern) for reading in READINGS}


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it will be read: `reading` None is text; `has_markers`: NA and the like are missing values."""

    name: str
    reading: Reading | None = None
    has_markers: bool = False

    @property
    def kind(self) -> str:
        return self.reading.kind if self.reading else "text"

    @property
    def stored_type(self) -> str:
        """The type that the reader of the file produces, before any conversion."""
        plain = self.reading is not None and self.reading.convert is None and not self.has_markers
        return self.reading.type if plain and self.reading else "VARCHAR"

    def expression(self, quoted: str) -> str:
        """The column in the SELECT list of the view over the file."""
        if self.reading is None:
            kept = f"CASE WHEN {quoted} NOT IN ({_TEXT_MARKERS}) THEN {quoted} END AS {quoted}"
            return kept if self.has_markers else quoted
        if self.stored_type != "VARCHAR":
            return quoted
        value = f"CASE WHEN trim({quoted}) NOT IN ({_MARKERS}) THEN {quoted} END" if self.has_markers else quoted
        convert = self.reading.convert or f"CAST({{v}} AS {self.reading.type})"
        return f"{convert.format(v=f'({value})')} AS {quoted}"


@dataclass(slots=True)
class Types:
    """The columns of a file, and sentences about those that are not what they seem."""

    columns: list[Column]
    notes: list[str] = field(default_factory=list)


def _text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_MARKERS = ", ".join(_text_literal(marker) for marker in MISSING)
_TEXT_MARKERS = ", ".join(_text_literal(marker) for marker in MISSING_TEXT)


def decide_types(names: Sequence[str], sample: Sequence[Sequence[str]], delimiter: str, rows: Rows) -> Types:
    """The columns' readings, confirmed on every row.

    Args:
        names: the columns in order.
        sample: the first rows as text.
        delimiter: of the file; a comma-delimited file holds thousands rather than decimal commas.
        rows: runs a SELECT over `file`, where every column is text, and returns its rows.
    """
    suggested = {name: _suggest([row[i] for row in sample[:SAMPLE_ROWS]]) for i, name in enumerate(names)}
    checked = {name: reading for name, reading in suggested.items() if isinstance(reading, Reading)}
    open_columns = [name for name, reading in suggested.items() if reading is _OPEN]
    parts = ["count(*)"]
    for name, reading in checked.items():
        quoted = quote(name)
        parts.append(f"count(*) FILTER (WHERE {quoted} IS NOT NULL AND NOT coalesce({reading.accepts(quoted)}, false))")
    # Columns of text are counted too: only columns that a statement names are checked for the file's encoding.
    others = [name for name in names if name not in checked]
    parts += [f"count({quote(name)})" for name in others] + [_marked(name) for name in others]
    total, *counted = rows(f"SELECT {', '.join(parts)} FROM file")[0]
    if not total:
        return Types([Column(name) for name in names], ["a header and no data row"])
    failures = dict(zip(checked, counted, strict=False))
    open_columns += [name for name, count in failures.items() if count]
    found = {name: Column(name, reading) for name, reading in checked.items() if not failures[name]}
    notes: list[str] = []
    if open_columns:
        for column, note in _reconsider(open_columns, delimiter, rows):
            found[column.name] = column
            notes += note
    notes += _zone_notes(found, rows)
    marked = dict(zip(others, counted[len(counted) - len(others) :], strict=True))
    texts = [name for name in names if found.get(name, Column(name)).reading is None]
    late = [name for name in texts if name not in marked]  # the first rows were no text
    if late:
        marked |= dict(zip(late, rows(f"SELECT {', '.join(map(_marked, late))} FROM file")[0], strict=True))
    for name in texts:
        if n := int(str(marked[name])):
            found[name] = Column(name, has_markers=True)
            are = "value is a word" if n == 1 else "values are words"
            notes.append(f"column {name!r}: {n:,} {are} for none, such as NULL or NaN, and read as missing")
    return Types([found.get(name, Column(name)) for name in names], notes)


def _marked(name: str) -> str:
    return f"count(*) FILTER (WHERE {quote(name)} IN ({_TEXT_MARKERS}))"


def quote(name: str) -> str:
    """The name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


class _Open:
    """A column whose first rows do not settle how it is read."""


_OPEN = _Open()


def _suggest(values: Sequence[str]) -> Reading | _Open | None:
    """The first reading that fits all values; `_OPEN` when most fit, or none is given; None for plain text."""
    given = [value.strip() for value in values if value.strip()]
    known = [value for value in given if value not in MISSING]
    if not known:
        return _OPEN
    best = 0.0
    for reading in READINGS:
        fitting = sum(1 for value in known if _PATTERNS[reading.name].fullmatch(value))
        if fitting == len(given):
            return _OPEN if reading.said else reading  # a reading worth a sentence is weighed against its rivals
        best = max(best, fitting / len(known))
    return _OPEN if best > SUGGESTED_SHARE else None


def _reconsider(names: Sequence[str], delimiter: str, rows: Rows) -> list[tuple[Column, list[str]]]:
    """All readings counted over all rows, for the columns that the first rows did not settle."""
    parts = []
    for name in names:
        value = quote(name)
        parts += [f"count({value})", f"count(*) FILTER (WHERE trim({value}) IN ({_MARKERS}))"]
        parts += [f"count(*) FILTER (WHERE {reading.accepts(value)})" for reading in READINGS]
    counts = rows(f"SELECT {', '.join(parts)} FROM file")[0]
    width = 2 + len(READINGS)
    return [_choose(name, counts[i * width : (i + 1) * width], delimiter, rows) for i, name in enumerate(names)]


def _choose(name: str, counts: Sequence[object], delimiter: str, rows: Rows) -> tuple[Column, list[str]]:
    given, markers, *fitting = (int(str(count)) for count in counts)
    known = given - markers
    by_name = dict(zip((reading.name for reading in READINGS), fitting, strict=True))
    if not known:
        return Column(name), [f"column {name!r} holds no value"] if not given else []
    fits = [reading for reading in READINGS if by_name[reading.name] == known]
    if fits:
        ambiguity = _ambiguity({reading.name for reading in fits}, delimiter)
        if ambiguity and fits[0].said:
            return Column(name), [f"column {name!r} is read as text: {ambiguity}"]
        notes = []
        if fits[0].said:
            notes.append(f"column {name!r}: {fits[0].said}")
        if markers:
            share = f"{markers:,} of {given:,} values"
            notes.append(f"column {name!r}: {share} are markers such as NA or NULL, read as missing")
        return Column(name, fits[0], has_markers=bool(markers)), notes
    best = max(READINGS, key=lambda reading: by_name[reading.name])
    if by_name[best.name] <= SUGGESTED_SHARE * known:
        return Column(name), []
    value = quote(name)
    numbered = f"SELECT {value} AS v, row_number() OVER () AS r FROM file"
    first = rows(
        f"SELECT v, r FROM ({numbered}) WHERE v IS NOT NULL AND trim(v) NOT IN ({_MARKERS}) "
        f"AND NOT coalesce({best.accepts('v')}, false) ORDER BY r LIMIT 1"
    )
    others = known - by_name[best.name]
    note = f"column {name!r} is read as text: {others:,} of {known:,} values are not {_PLURALS[best.kind]}"
    return Column(name), [note + (f", first {str(first[0][0])[:40]!r} in data row {first[0][1]:,}" if first else "")]


def _ambiguity(names: set[str], delimiter: str) -> str | None:
    """Why two readings that both fit cannot be told apart; None when they can."""
    if {"day/month/year", "month/day/year"} <= names:
        return "its dates fit both day/month/year and month/day/year; write them as YYYY-MM-DD"
    if {"thousands comma", "decimal comma"} <= names and delimiter != ",":
        return "its commas fit both thousands separators and decimal signs; write a decimal point"
    return None


def _zone_notes(columns: Mapping[str, Column], rows: Rows) -> list[str]:
    """How many times carry no offset, in columns where others do; and a sentence on several offsets."""
    zoned = [name for name, column in columns.items() if column.kind == "timestamp_tz"]
    if not zoned:
        return []
    parts = []
    for name in zoned:
        offset = f"regexp_extract(trim({quote(name)}), '[0-9]({_OFFSET})$', 2)"
        parts += [
            f"count({quote(name)})",
            f"count(*) FILTER (WHERE {offset} = '')",
            f"count(DISTINCT {offset}) FILTER (WHERE {offset} <> '')",
        ]
    counts = rows(f"SELECT {', '.join(parts)} FROM file")[0]
    notes = []
    for i, name in enumerate(zoned):
        given, naive, offsets = (int(str(count)) for count in counts[3 * i : 3 * i + 3])
        if naive:
            notes.append(f"column {name!r}: {naive:,} of {given:,} times have no zone and are read as UTC")
        if offsets > 1:
            notes.append(f"column {name!r}: times are written in {offsets} different offsets, all converted to UTC")
    return notes
