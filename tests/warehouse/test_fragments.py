"""Fragments: nothing hostile passes in any dialect, everything useful does, and what passes keeps its meaning."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.warehouse.expressions import KINDS, ROWS, Writer
from tests.warehouse.loading import load, relation

from paribus.errors import EngineError, FragmentError
from paribus.warehouse.sql.fragments import MAX_CHARACTERS, Fragment, parse_fragment

HERE = Path(__file__).parent
LONGER = "fragments_hostile_more.txt"


def _words(text: str) -> list[str]:
    return text.split(" ")


DIALECTS = _words(
    "duckdb postgres mysql sqlite clickhouse bigquery snowflake tsql spark databricks trino athena redshift druid"
)
COLUMNS = {
    **dict.fromkeys(("revenue", "refund", "discount"), "number"),
    "qty": "integer",
    **dict.fromkeys(("country", "plan", "name", "url"), "text"),
    **dict.fromkeys(("ts", "signup"), "timestamp"),
    "day": "date",
    "active": "boolean",
    "props": "json",
    "payload": "other",
    "items": "other",
    "order value": "number",
    "größe": "number",
}


def _lines(name: str) -> list[str]:
    lines = (HERE / name).read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("# ")]


def _hostile(name: str = "fragments_hostile.txt") -> list[str]:
    return [json.loads(line[5:]) if line.startswith("json:") else line for line in _lines(name)]


def _accepted(fragments: list[str], dialect: str) -> list[tuple[str, str]]:
    accepted = []
    for text in fragments:
        with contextlib.suppress(FragmentError):
            accepted.append((text, parse_fragment(text, dialect=dialect, columns=COLUMNS).sql()))
    return accepted


def _useful() -> list[tuple[str, str, str, set[str]]]:
    cases = []
    for line in _lines("fragments_useful.txt"):
        dialects, kind, columns, text = line.split("\t")
        for dialect in DIALECTS if dialects == "all" else dialects.split(","):
            cases.append((dialect, kind, text, set(columns.split(",")) - {"-"}))
    return cases


def test_the_corpora_are_large_enough() -> None:
    assert len(_hostile()) >= 600
    assert len(_hostile(LONGER)) >= 1_000
    assert len(_lines("fragments_useful.txt")) >= 350


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_hostile_fragment_is_accepted(dialect: str) -> None:
    accepted, said = [], []
    for text in _hostile():
        try:
            accepted.append((text, parse_fragment(text, dialect=dialect, columns=COLUMNS).sql()))
        except FragmentError as error:
            said.append(str(error))
    assert accepted == []
    assert not [message for message in said if "\x1b" in message or "\x00" in message]


@pytest.mark.parametrize("turn", range(len(DIALECTS)))
def test_no_fragment_of_the_longer_list_is_accepted(turn: int) -> None:
    """Each in one dialect here, and in all of them below."""
    assert _accepted(_hostile(LONGER)[turn :: len(DIALECTS)], DIALECTS[turn]) == []


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_fragment_of_the_longer_list_is_accepted_in_any_dialect(dialect: str) -> None:
    assert _accepted(_hostile(LONGER), dialect) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_declared_columns_only_names_pass(dialect: str) -> None:
    for text in _hostile():
        try:
            fragment = parse_fragment(text, dialect=dialect, columns=None)
        except FragmentError:
            continue
        assert fragment.columns, f"{text!r} passed without reading a column"


def test_every_useful_fragment_is_accepted() -> None:
    refused = []
    for dialect, kind, text, columns in _useful():
        try:
            fragment = parse_fragment(text, dialect=dialect, columns=COLUMNS, kind=kind)  # type: ignore[arg-type]
        except FragmentError as error:
            refused.append((dialect, text, str(error)))
        else:
            assert set(fragment.columns) == columns, (dialect, text)
    assert refused == []


def _all_parentheses(fragment: Fragment) -> str:
    """The tree written with parentheses around every operation."""
    tree = exp.Paren(this=fragment.expression.copy())
    for node in reversed(list(tree.find_all(exp.Binary, exp.Unary, exp.Between, exp.In))):
        if not isinstance(node, exp.Paren):
            node.replace(exp.Paren(this=node.copy()))
    return tree.sql(fragment.dialect)


@pytest.mark.parametrize("engine_name", ["duckdb_file", "sqlite", "chdb", "postgres", "mariadb"])
def test_engines_compute_the_same_from_the_text_and_from_what_is_written(
    engine_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The engine's own parser is the judge: of the text as it came, of the fragment, and of the tree's structure."""
    url = request.getfixturevalue(f"{engine_name}_url") if engine_name in {"postgres", "mariadb"} else None
    engine = load(engine_name, {"t": ROWS}, folder=tmp_path, url=url)
    writer = Writer(engine.dialect, seed=7)
    table = engine.relation_sql(relation(engine_name, "t"))

    def values(sql: str) -> list[str] | str:
        try:
            return [repr(row[0]) for row in engine.query(f"SELECT {sql} AS v, id FROM {table} ORDER BY id").rows]
        except EngineError:
            return "error"

    compared = 0
    for _ in range(120):
        text = writer.expression()
        fragment = parse_fragment(text, dialect=engine.dialect, columns=KINDS)
        expected = values(text)
        assert values(fragment.sql()) == expected, text
        assert values(_all_parentheses(fragment)) == expected, text
        compared += expected != "error"
    engine.close()
    assert compared > 100


STRINGS = [
    "plain",
    "it's",
    "a\\",
    "a\\'b",
    "\\n",
    "100%",
    "%s %(x)s",
    ":x",
    "?",
    "{}",
    "line\nbreak",
    "tab\there",
    "日本",
    "--",
    "/* */",
]


@pytest.mark.parametrize("engine_name", ["duckdb_file", "sqlite", "chdb", "postgres", "mariadb"])
def test_strings_arrive_as_they_were_written(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{engine_name}_url") if engine_name in {"postgres", "mariadb"} else None
    engine = load(engine_name, {"t": {"s": ["x"]}}, folder=tmp_path, url=url)
    backslash_escapes = engine.dialect in {"mysql", "clickhouse"}
    for string in STRINGS:
        literal = string.replace("\\", "\\\\") if backslash_escapes else string
        literal = "'" + literal.replace("'", "''") + "'"
        fragment = parse_fragment(f"COALESCE({literal}, s)", dialect=engine.dialect, columns={"s": "text"})
        rows = engine.query(f"SELECT {fragment.sql()} AS v FROM {engine.relation_sql('t')}").rows
        assert rows == [(string,)]
    engine.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("revenu", "did you mean 'revenue'?"),
        ("SUM(revenue)", "Paribus sums and counts rows itself"),
        ("(SELECT 1)", "holds a statement"),
        ("revenue; DROP TABLE x", "holds a semicolon"),
        ('country = "US"', "a text is written with single quotes: 'US'"),
        ("events.revenue", "write revenue"),
        ("greatst(revenue, 1)", "did you mean 'greatest'?"),
        ("ts > CURRENT_DATE", "depends on when it runs"),
        ("ts < signup + INTERVAL '1' MONTH", "months have no fixed length"),
        ("revenue::regclass", "casts to"),
        ("(revenue", "parentheses that do not match"),
        ("revenue -- net", "comment"),
        ("", "is empty"),
        ("1" * (MAX_CHARACTERS + 1), "characters"),
        ("revenue" + " + 1" * 200, "nested too deeply"),
        ("(" * 300 + "revenue" + ")" * 300, "nested too deeply"),
        ("CASE WHEN active THEN " * 100 + "1" + " END" * 100, "nested too deeply"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(text: str, says: str) -> None:
    with pytest.raises(FragmentError) as caught:
        parse_fragment(text, dialect="duckdb", columns=COLUMNS, where="experiment.yaml: metrics.revenue.value")
    assert says in str(caught.value)
    assert str(caught.value).startswith("experiment.yaml: metrics.revenue.value: ")


@pytest.mark.parametrize(
    ("text", "columns", "accepted"),
    [
        ("active", COLUMNS, True),
        ("(active)", COLUMNS, True),
        ("revenue > 0", COLUMNS, True),
        ("COALESCE(active, FALSE)", COLUMNS, True),
        ("CAST(qty AS BOOLEAN)", COLUMNS, True),
        ("anything", None, True),
        ("revenue", COLUMNS, False),
        ("country", COLUMNS, False),
        ("revenue + 1", COLUMNS, False),
        ("'yes'", COLUMNS, False),
        ("1", COLUMNS, False),
    ],
)
def test_a_filter_is_a_condition(text: str, columns: dict[str, str] | None, accepted: bool) -> None:
    if accepted:
        parse_fragment(text, dialect="duckdb", columns=columns, kind="boolean")
    else:
        with pytest.raises(FragmentError, match="no condition"):
            parse_fragment(text, dialect="duckdb", columns=columns, kind="boolean")


def test_columns_are_quoted_by_their_declared_spelling() -> None:
    columns = {"Order Value": "number", "user": "text", "Revenue": "number"}
    fragment = parse_fragment('"Order Value" + revenue', dialect="postgres", columns=columns)
    assert fragment.sql() == '"Order Value" + "Revenue"'
    assert fragment.columns == ("Order Value", "Revenue")
    # unquoted, PostgreSQL would read the name of the session's user
    assert parse_fragment("user = 'x'", dialect="postgres", columns=columns).sql() == "\"user\" = 'x'"
    assert parse_fragment("revenue", dialect="snowflake", columns={"revenue": "number"}).sql() == '"REVENUE"'


def test_two_columns_that_differ_by_case_are_told_apart() -> None:
    columns = {"value": "number", "Value": "number"}
    assert parse_fragment("Value", dialect="duckdb", columns=columns).columns == ("Value",)
    with pytest.raises(FragmentError, match="VALUE"):
        parse_fragment("VALUE", dialect="duckdb", columns=columns)


def test_a_fragment_is_written_for_the_dialect_it_runs_in() -> None:
    fragment = parse_fragment("IFNULL(qty, 0)", dialect="mysql", columns={"qty": "integer"}, target="postgres")
    assert fragment.sql("postgres") == 'COALESCE("qty", 0)'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ROUND(revenue, 2)", 'ROUND(CAST("revenue" AS DECIMAL), 2)'),
        ("ROUND(revenue)", 'ROUND("revenue")'),
        ("LOG10(revenue)", 'LOG("revenue")'),
        ("LN(revenue)", 'LN("revenue")'),
    ],
)
def test_postgresql_is_asked_for_what_it_has(text: str, written: str) -> None:
    """It rounds to digits, and takes a logarithm to a base, of NUMERIC only."""
    for dialect in ("postgres", "duckdb"):
        fragment = parse_fragment(text, dialect=dialect, columns=COLUMNS, target="postgres")
        assert fragment.sql("postgres") == written


@pytest.mark.parametrize(
    "text",
    ["name ~ '^a'", "DATE_DIFF('day', signup, ts)", "STRFTIME(ts, '%Y')", "payload.price", "items[1]", "EPOCH(ts)"],
)
def test_what_engines_read_differently_runs_where_it_was_written_for(text: str) -> None:
    assert parse_fragment(text, dialect="duckdb", columns=COLUMNS).columns
    with pytest.raises(FragmentError, match="which duckdb and postgres read differently"):
        parse_fragment(text, dialect="duckdb", columns=COLUMNS, target="postgres")


@pytest.mark.parametrize(
    "text",
    [",revenue", "revenue AS", "CAST(qty AS INT FORMAT)", "ABS(ALL revenue)", "revenue:", "ABS(revenue) (+)", "INT()"],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake", "tsql"])
def test_what_a_parser_passes_over_in_silence_is_refused(text: str, dialect: str) -> None:
    with pytest.raises(FragmentError):
        parse_fragment(text, dialect=dialect, columns=COLUMNS)


@pytest.mark.parametrize("text", ["name ~ '^a'", "payload.ok", "items[1]", "PREFIX(name, 'a')", "name !~ 'a'"])
def test_patterns_and_parts_are_conditions(text: str) -> None:
    dialect = "postgres" if "!~" in text else "duckdb"
    assert parse_fragment(text, dialect=dialect, columns=COLUMNS, kind="boolean").columns


def test_now_is_a_word_in_a_text_and_the_time_of_the_run_elsewhere() -> None:
    assert parse_fragment("name = 'now'", dialect="postgres", columns=COLUMNS).columns == ("name",)
    for columns in (COLUMNS, list(COLUMNS), None):
        with pytest.raises(FragmentError, match="time of the run"):
            parse_fragment("ts = 'now'", dialect="postgres", columns=columns)


_PIECES = st.sampled_from(
    _words(
        "revenue qty country ts props password SELECT FROM WHERE AND OR NOT IN ( ) , ; . * + - / % = < > <> || :: : ? "
        "@ "
        "@@ $ $1 [ ] { } -> ->> 'a' 'it''s' \"x\" `x` 1 1.5 0x1F NULL TRUE CASE WHEN THEN ELSE END CAST( AS INT) SUM( "
        "COALESCE( LOWER( sleep( INTERVAL '7' DAY DATE '2026-01-01' LIKE BETWEEN IS EXISTS ANY ALL OVER ( PARTITION "
        "BY /* */ -- # \\ E'x' N'x' $$ read_csv( pg_sleep( x -> lambda UNION COLLATE ESCAPE EXTRACT( YEAR "
        "load_extension( "
        "\n \x00 \u202e \u00a0"
    )
)


def _assert_contained(text: str, dialect: str) -> None:
    """Garbage gives FragmentError and nothing else; what passes reads declared columns and is one scalar expression."""
    try:
        fragment = parse_fragment(text, dialect=dialect, columns=COLUMNS)
    except FragmentError:
        return
    assert set(fragment.columns) <= set(COLUMNS)
    columns = {column.name.lower() for column in fragment.expression.find_all(exp.Column)}
    assert columns <= {name.lower() for name in COLUMNS}
    banned = (
        exp.Query,
        exp.AggFunc,
        exp.Window,
        exp.Command,
        exp.DDL,
        exp.DML,
        exp.Parameter,
        exp.Placeholder,
        exp.Star,
    )
    assert not list(fragment.expression.find_all(*banned))
    # fed again, it passes again and reads the same
    again = parse_fragment(fragment.sql(), dialect=dialect, columns=COLUMNS)
    assert again.sql() == fragment.sql()


@given(pieces=st.lists(_PIECES, min_size=1, max_size=14), dialect=st.sampled_from(DIALECTS))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_heaps_of_sql_words_never_escape(pieces: list[str], dialect: str) -> None:
    _assert_contained(" ".join(pieces), dialect)


@given(text=st.text(max_size=40), dialect=st.sampled_from(DIALECTS))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_never_escapes(text: str, dialect: str) -> None:
    _assert_contained(text, dialect)


@given(
    useful=st.sampled_from([text for _, _, text, _ in _useful()]),
    hostile=st.sampled_from(_hostile()),
    place=st.floats(0, 1),
    dialect=st.sampled_from(DIALECTS),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_hostile_text_planted_in_useful_text_never_escapes(
    useful: str, hostile: str, place: float, dialect: str
) -> None:
    cut = int(place * len(useful))
    _assert_contained(useful[:cut] + hostile + useful[cut:], dialect)
