"""CSV files as people send them: each is read as written and says how, or is refused with the line in the way."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.errors import InputError
from paribus.warehouse import open_engine

Read = Callable[..., tuple[dict[str, str], list[tuple[Any, ...]], list[str]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a file, reads it as a relation: kinds, rows, and notes without the file's name."""

    def read_file(
        content: str | bytes, name: str = "data.csv"
    ) -> tuple[dict[str, str], list[tuple[Any, ...]], list[str]]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        engine = open_engine(None, base_dir=tmp_path)
        try:
            kinds = engine.columns(name)
            rows = engine.query(f"SELECT * FROM {engine.relation_sql(name)}").rows
            return kinds, rows, [note.removeprefix(f"{name}: ") for note in engine.notes]
        finally:
            engine.close()

    return read_file


def test_a_plain_file_needs_no_note(read: Read) -> None:
    kinds, rows, notes = read("user,group,n,revenue,ok,day\na,x,1,2.5,true,2026-01-02\nb,y,,,,\n")
    assert list(kinds.values()) == ["text", "text", "integer", "number", "boolean", "date"]
    assert rows == [("a", "x", 1, 2.5, True, date(2026, 1, 2)), ("b", "y", None, None, None, None)]
    assert notes == []


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "vertical bar")])
def test_the_delimiter_is_found_and_stated(read: Read, sign: str, name: str) -> None:
    kinds, rows, notes = read(f"id{sign}v\n1{sign}2\n3{sign}4\n")
    assert (list(kinds), rows, notes) == (["id", "v"], [(1, 2), (3, 4)], [f"delimiter: {name}"])


def test_semicolons_with_decimal_commas(read: Read) -> None:
    kinds, rows, notes = read("id;v;w\n1;2,5;1.234,50\n2;3;-0,25\n")
    assert kinds == {"id": "integer", "v": "number", "w": "number"}
    assert rows == [(1, 2.5, 1234.5), (2, 3.0, -0.25)]
    assert "column 'v': the comma is read as the decimal sign (2,5 is 2.5)" in notes


def test_thousands_separators(read: Read) -> None:
    kinds, rows, notes = read('id,v\n1,"1,234.5"\n2,"12,000"\n3,7\n')
    assert kinds["v"] == "number"
    assert [row[1] for row in rows] == [1234.5, 12000.0, 7.0]
    assert notes == ["column 'v': the comma is read as a thousands separator (1,234 is 1234)"]


def test_commas_that_fit_both_readings_stay_text(read: Read) -> None:
    kinds, _, notes = read("id;v\n1;1,234\n2;5,678\n")
    assert kinds["v"] == "text"
    assert any("fit both thousands separators and decimal signs" in note for note in notes)


def test_excel_names_its_delimiter_in_the_first_line(read: Read) -> None:
    assert read("sep=;\nid;v\n1;2\n")[1] == [(1, 2)]


@pytest.mark.parametrize(
    ("encoding", "mark", "note"),
    [
        ("utf-8", "", None),
        ("utf-8", "\ufeff", "encoding: UTF-8 with a byte order mark"),
        ("cp1252", "", "encoding: Windows-1252, read through a temporary UTF-8 copy"),
        ("utf-16", "", "encoding: UTF-16, read through a temporary UTF-8 copy"),
        ("utf-16-le", "", "encoding: UTF-16-LE, read through a temporary UTF-8 copy"),
        ("utf-16-be", "", "encoding: UTF-16-BE, read through a temporary UTF-8 copy"),
    ],
)
def test_encodings(read: Read, encoding: str, mark: str, note: str | None) -> None:
    kinds, rows, notes = read(f"{mark}id,pays\n1,Curaçao €\n2,Perú\n".encode(encoding))
    assert list(kinds) == ["id", "pays"]
    assert rows == [(1, "Curaçao €"), (2, "Perú")]
    assert notes == ([note] if note else [])


def test_bytes_that_windows_leaves_undefined_are_latin_1(read: Read) -> None:
    assert read(b"id,v\n1,\xe9\x81\n")[1] == [(1, "é\x81")]


def test_an_encoding_that_shows_only_late_in_the_file(read: Read) -> None:
    early = "".join(f"{i},plain\n" for i in range(40_000))
    kinds, rows, notes = read(("id,v\n" + early).encode() + "7,café\n".encode("cp1252"))
    assert kinds == {"id": "integer", "v": "text"}
    assert len(rows) == 40_001
    assert rows[-1] == (7, "café")
    assert any("Windows-1252" in note for note in notes)


def test_compressed_by_gzip(read: Read) -> None:
    assert read(gzip.compress(b"id,v\n1,2\n"), "data.csv.gz")[1] == [(1, 2)]
    assert read(gzip.compress("id,v\n1,é\n".encode("cp1252")), "late.csv.gz")[1] == [(1, "é")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(read: Read, end: str) -> None:
    assert read(f'id,v{end}1,a{end}2,"b{end}c"{end}')[1] == [(1, "a"), (2, f"b{end}c")]


def test_mixed_line_ends(read: Read) -> None:
    assert read("id,v\r\n1,2\n3,4\r\n")[1] == [(1, 2), (3, 4)]


def test_blank_lines_and_padded_cells(read: Read) -> None:
    kinds, rows, _ = read("id , v\n 1, 2\n\n3, 4\n\n")
    assert (list(kinds), rows) == (["id", "v"], [(1, 2), (3, 4)])


def test_quotes_that_first_appear_after_the_sample(read: Read) -> None:
    early = "".join(f"{i},plain\n" for i in range(50_000))
    rows = read("id,v\n" + early + '7,"a, ""b"""\n')[1]
    assert rows[-1] == (7, 'a, "b"')


def test_title_lines_above_the_header_are_skipped_and_counted(read: Read) -> None:
    kinds, rows, notes = read("Report of March\n\nid,v\n1,2\n3,4\n")
    assert (list(kinds), rows, notes) == (["id", "v"], [(1, 2), (3, 4)], ["2 lines above the header skipped"])


@pytest.mark.parametrize(
    "content",
    ["1,a,2.5\n2,b,3.5\n", "2026-01-01,5\n2026-01-02,6\n", "u1,control\nu2,treatment\nu3,control\nu4,treatment\n"],
)
def test_without_a_header_the_first_row_is_counted(read: Read, content: str) -> None:
    kinds, rows, notes = read(content)
    assert next(iter(kinds)) == "col0"
    assert len(rows) == content.count("\n")
    assert "no header" in notes[0]


def test_repeated_and_blank_names_in_the_header(read: Read) -> None:
    kinds, rows, notes = read("id,ID,,id_1\n1,2,3,4\n")
    assert list(kinds) == ["id", "ID_2", "column2", "id_1"]
    assert rows == [(1, 2, 3, 4)]
    assert len(notes) == 2


# ── types over the whole file ──


def test_text_after_many_numbers_makes_the_column_text_and_says_where(read: Read) -> None:
    body = "".join(f"{i},{i}\n" for i in range(30_000))
    kinds, rows, notes = read("id,v\n" + body + "30000,oops\n")
    assert kinds == {"id": "integer", "v": "text"}
    assert len(rows) == 30_001
    assert notes == ["column 'v' is read as text: 1 of 30,001 values are not numbers, first 'oops' in data row 30,001"]


def test_decimals_after_many_integers_make_the_column_a_number(read: Read) -> None:
    body = "".join(f"{i},{i}\n" for i in range(30_000))
    kinds, rows, notes = read("id,v\n" + body + "30000,0.5\n")
    assert (kinds["v"], rows[-1], notes) == ("number", (30_000, 0.5), [])


def test_markers_of_missing_values_in_a_numeric_column(read: Read) -> None:
    kinds, rows, notes = read("id,v,country\n1,NA,NA\n2,3.5,US\n3,NULL,DE\n")
    assert kinds == {"id": "integer", "v": "number", "country": "text"}
    assert rows == [(1, None, "NA"), (2, 3.5, "US"), (3, None, "DE")]  # Namibia stays
    assert notes == ["column 'v': 2 of 3 values are markers such as NA or NULL, read as missing"]


def test_words_for_none_in_a_column_of_text(read: Read) -> None:
    kinds, rows, notes = read("id,country\na,NULL\nb,NA\nnan,None\nd,\\N\n")
    assert kinds == {"id": "text", "country": "text"}
    assert rows == [("a", None), ("b", "NA"), (None, "None"), ("d", None)]  # Namibia is a country
    assert notes == [
        "column 'id': 1 value is a word for none, such as NULL or NaN, and read as missing",
        "column 'country': 2 values are words for none, such as NULL or NaN, and read as missing",
    ]


def test_a_cast_to_text_means_the_value_and_not_the_characters(tmp_path: Path) -> None:
    """DuckDB 2 reads the file's characters where a statement casts a column, unless it is told not to."""
    (tmp_path / "t.csv").write_text("a,b\nTrue,1.50\nFALSE,2.00\n")
    engine = open_engine(None, base_dir=tmp_path)
    try:
        source = engine.relation_sql("t.csv")
        said = engine.query(f"SELECT CAST(a AS VARCHAR) AS a, CAST(b AS VARCHAR) AS b FROM {source}").rows
    finally:
        engine.close()
    assert said == [("true", "1.5"), ("false", "2.0")]


def test_infinities_and_nan_are_numbers_to_be_counted_later(read: Read) -> None:
    kinds, rows, _ = read("v\n1.5\ninf\n-Infinity\nNaN\n1e400\n")
    assert kinds == {"v": "number"}
    values = [row[0] for row in rows]
    assert values[:3] == [1.5, float("inf"), float("-inf")]
    assert values[3] != values[3]
    assert values[4] == float("inf")


@pytest.mark.parametrize(
    ("first", "second"),
    [("007", "008"), ("1234567890123456789012", "1234567890123456789013"), ("1_000", "1_001"), ("0x1A", "0x1B")],
)
def test_ids_that_look_like_numbers_keep_every_sign(read: Read, first: str, second: str) -> None:
    kinds, rows, _ = read(f"id,v\n{first},1\n{second},2\n")
    assert kinds["id"] == "text"
    assert [row[0] for row in rows] == [first, second]


def test_whole_numbers_beyond_double_precision_stay_exact(read: Read) -> None:
    kinds, rows, _ = read("id\n9007199254740993\n9223372036854775807\n")
    assert (kinds["id"], rows) == ("integer", [(9007199254740993,), (9223372036854775807,)])


def test_times_with_offsets_are_instants(read: Read) -> None:
    kinds, rows, notes = read("t\n2026-01-02T03:04:05+02:00\n2026-01-02 03:04:05Z\n2026-01-02 03:04:05\n")
    assert kinds == {"t": "timestamp_tz"}
    assert [row[0].astimezone(UTC).hour for row in rows] == [1, 3, 3]
    assert notes == [
        "column 't': 1 of 3 times have no zone and are read as UTC",
        "column 't': times are written in 2 different offsets, all converted to UTC",
    ]


def test_times_without_offsets(read: Read) -> None:
    kinds, rows, notes = read("t,d\n2026-01-02 03:04:05.123456,2026-01-02\n2026-01-02,2026-02-28\n")
    assert kinds == {"t": "timestamp", "d": "date"}
    assert rows[0] == (datetime(2026, 1, 2, 3, 4, 5, 123456), date(2026, 1, 2))
    assert notes == []


def test_a_date_that_does_not_exist_makes_the_column_text(read: Read) -> None:
    kinds, _, notes = read("d\n2026-01-31\n2026-02-28\n2026-02-31\n")
    assert kinds == {"d": "text"}
    assert "1 of 3 values are not dates, first '2026-02-31' in data row 3" in notes[0]


def test_dates_by_day_and_by_month(read: Read) -> None:
    assert read("d\n13/01/2026\n02/01/2026\n")[1][1] == (datetime(2026, 1, 2),)
    assert read("d\n01/13/2026 10:30\n01/02/2026\n", "b.csv")[1][1] == (datetime(2026, 1, 2),)
    kinds, _, notes = read("d\n01/02/2026\n03/04/2026\n", "c.csv")
    assert kinds == {"d": "text"}
    assert "fit both day/month/year and month/day/year" in notes[0]


def test_a_header_and_no_row(read: Read) -> None:
    kinds, rows, notes = read("id,v\n")
    assert (list(kinds), rows, notes) == (["id", "v"], [], ["a header and no data row"])


def test_a_column_without_values(read: Read) -> None:
    assert read("id,v\n1,\n2,\n")[2] == ["column 'v' holds no value"]


# ── errors ──


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        ("", "data.csv", "is empty"),
        (" \n\n", "data.csv", "is empty"),
        ("id,v,w\n1,2,3\n4,5\n", "data.csv:3", "this row has 2 fields, the header has 3"),
        ("id,v,w\n1,2,3\n4,5,6\n7,8,9,10\n", "data.csv:4", "this row has 4 fields, the header has 3"),
        ('id,v\n1,2\n2,"never closed\n3,4\n', "data.csv:3", "a quoted value does not end"),
        (b"id,v\n1,\x00\x00\n", "data.csv", "NUL"),
    ],
)
def test_files_that_cannot_be_read(read: Read, content: str | bytes, where: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert caught.value.where == where
    assert says in caught.value.what


def test_a_ragged_row_far_from_the_start(read: Read) -> None:
    body = "".join(f"{i},{i}\n" for i in range(60_000))
    with pytest.raises(InputError) as caught:
        read("id,v\n" + body + "1,2,3\n")
    assert caught.value.where == "data.csv:60002"


def test_files_read_together_have_one_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,v\n1,2\n")
    (tmp_path / "b.csv").write_text("id,v\n3,4\n")
    engine = open_engine(None, base_dir=tmp_path)
    assert engine.query(f"SELECT sum(v) FROM {engine.relation_sql('*.csv')}").rows == [(6,)]
    (tmp_path / "c.csv").write_text("v,id\n1,2\n")
    with pytest.raises(InputError, match=r"a.csv has the columns id, v; c.csv has v, id"):
        engine.columns("[a-c].csv")
    engine.close()


_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00", exclude_categories=("Cs",)), max_size=8)


@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=8), st.sampled_from(",;\t|"))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_row_is_ever_lost(rows: list[tuple[str, str]], delimiter: str) -> None:
    """Whatever the cells hold, every row arrives or the file is refused."""
    import csv
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "data.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerow(("key", "the value"))
            writer.writerows(rows)
        engine = open_engine(None, base_dir=folder)
        try:
            found = engine.query(f"SELECT count(*) FROM {engine.relation_sql('data.csv')}").rows
        except InputError:
            return
        finally:
            engine.close()
        assert found == [(len(rows),)]
