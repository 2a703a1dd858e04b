"""Tables as people send them: each gives the numbers that its rows say, with a sentence, or an error that says why.

Expected means are computed here in plain Python from the rows before they were made dirty.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import paribus as pb
from paribus.errors import InputError
from paribus.experiments.result import Result

Row = tuple[str, str, int, float]
HEADER = "user_id,group,converted,revenue\n"


def _rows() -> list[Row]:
    chance = random.Random(11)
    arms = [chance.choice("AB") for _ in range(200)]
    return [
        (f"u{i}", arm, int(chance.random() < 0.3), round(chance.expovariate(0.05), 2)) for i, arm in enumerate(arms)
    ]


ROWS = _rows()


def _mean(column: int, arm: str, rows: Sequence[Row] = ROWS, factor: float = 1.0) -> float:
    values = [float(row[column]) * factor for row in rows if row[1] == arm]
    return sum(values) / len(values)


def _csv(change: Callable[[int, list[Any]], list[Any]] = lambda i, row: row, header: str = HEADER) -> str:
    changed = [change(i, list(row)) for i, row in enumerate(ROWS)]
    return header + "".join(",".join(map(str, row)) + "\n" for row in changed)


def _with(column: int, value: Callable[[int, Row], object]) -> str:
    return _csv(lambda i, row: [value(i, ROWS[i]) if j == column else cell for j, cell in enumerate(row)])


Analyze = Callable[..., Result]


@pytest.fixture
def analyze(tmp_path: Path) -> Analyze:
    def analyze_text(content: str | bytes, name: str = "t.csv", **more: Any) -> Result:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        told = {"unit": "user_id", "variant": "group", "metrics": ["converted", "revenue"], **more}
        return pb.analyze(tmp_path / name, **told)

    return analyze_text


def _values(result: Result, metric: str) -> tuple[float, float]:
    found = next(c for c in result.comparisons if c.metric == metric)
    return found.control.value, found.treatment.value


def _said(result: Result) -> str:
    return " | ".join((*result.data_notes, *result.warnings, *(check.sentence for check in result.checks)))


@pytest.mark.parametrize(
    ("written", "factor", "said"),
    [
        (lambda v: f"${v}", 1, "without $"),
        (lambda v: f'"${v * 1000:,.2f}"', 1000, "without $"),
        (lambda v: f"{v * 1000:,.2f}".replace(",", " "), 1000, "without blanks"),
        (lambda v: f"{v * 1000:,.2f}".replace(",", "'"), 1000, "without '"),
        (lambda v: f"{v}%", 1, "% (5% is 5)"),
        (lambda v: f"EUR {v}", 1, "without EUR, blanks"),
        (lambda v: f'"{str(v).replace(".", ",")} €"', 1, "the comma as the decimal sign"),
        (lambda v: f"({v})", -1, "parentheses"),
        (lambda v: f"\u2212{v}", -1, "the long minus"),
    ],
)
def test_a_metric_that_is_written_for_people(
    analyze: Analyze, written: Callable[[float], str], factor: float, said: str
) -> None:
    result = analyze(_with(3, lambda _, row: written(row[3])))
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A", factor=factor), _mean(3, "B", factor=factor)))
    assert said in _said(result)


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("T", "F"), ("Y", "N"), ("on", "off"), ("TRUE", "0")])
def test_a_metric_of_yes_and_no_is_a_share(analyze: Analyze, yes: str, no: str) -> None:
    result = analyze(_with(2, lambda _, row: yes if row[2] else no))
    assert _values(result, "converted") == pytest.approx((_mean(2, "A"), _mean(2, "B")))
    assert result.comparisons[0].type == "proportion"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_with(3, lambda i, row: "n.a." if i % 50 == 0 else row[3]), "4 of 200 values are no numbers, such as 'n.a.'"),
        (_with(3, lambda i, row: f"{row[3]}-"), "holds values such as"),
        (_with(3, lambda i, row: f'"${i % 9 + 1},234"'), "fit both thousands and decimals"),
        (_with(1, lambda i, row: row[1] + " " * (i % 2)), "differ by case or blanks only: 'A' ("),
        (_with(1, lambda i, row: ("Control", "control")[i % 2] if row[1] == "A" else "B"), "'Control' ("),
    ],
)
def test_what_cannot_be_decided_is_counted_and_shown(analyze: Analyze, content: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        analyze(content)
    assert says in str(caught.value)
    assert caught.value.where
    assert caught.value.fix


@pytest.mark.parametrize("line", ["Total,,120,8000\n", ",Total,120,8000\n", "Total,,,8000\n"])
def test_a_line_of_totals_is_left_out_and_changes_no_method(analyze: Analyze, line: str) -> None:
    result = analyze(_csv() + line)
    assert _values(result, "converted") == pytest.approx((_mean(2, "A"), _mean(2, "B")))
    assert result.comparisons[0].type == "proportion"
    assert "1 row names no" in _said(result)


def test_words_for_a_missing_variant_are_no_arms(analyze: Analyze) -> None:
    result = analyze(_with(1, lambda i, row: ("NA", "nan", "null", "#N/A")[i % 4] if i % 10 == 0 else row[1]))
    kept = [row for i, row in enumerate(ROWS) if i % 10]
    assert set(result.units) == {"A", "B"}
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A", kept), _mean(3, "B", kept)))
    assert "20 rows (10.0%) are left out" in _said(result)


@pytest.mark.parametrize(("a", "b", "control"), [("0.0", "1.0", "0"), ("False", "True", "false"), ("0", "1", "0")])
def test_arms_that_are_numbers_or_booleans(analyze: Analyze, a: str, b: str, control: str) -> None:
    text = _with(1, lambda _, row: a if row[1] == "A" else b)
    for more in ({}, {"control": control}):
        result = analyze(text, **more)
        assert list(result.units.values()) == [sum(row[1] == arm for row in ROWS) for arm in "AB"]
        assert "left out" not in _said(result)


def test_rows_without_a_time_are_counted_and_said(analyze: Analyze) -> None:
    text = _csv(lambda i, row: [*row, "" if i % 50 == 0 else "2026-03-01"], HEADER.replace("\n", ",seen\n"))
    assert "4 of 200 rows have no time in seen" in _said(analyze(text, exposed_at="seen"))


@pytest.mark.parametrize("time", ["01/03/26", "03/04/2026", "2026-03-01 10:00 PM", "1 Mar 2026", "0000-00-00"])
def test_a_text_that_is_no_time_is_refused_and_never_guessed(analyze: Analyze, time: str) -> None:
    text = _csv(lambda _, row: [*row, time], HEADER.replace("\n", ",seen\n"))
    with pytest.raises(InputError, match="is no time"):
        analyze(text, exposed_at="seen")


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"\xef\xbb\xbf", "t.csv", "the file is empty"),
        (b"\xef\xbb\xbf\r\n\r\n", "t.csv", "the file is empty"),
        ("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "t.csv", "a web page"),
        (b"%PDF-1.7\n...", "t.csv", "a document or a picture"),
        (_csv(), "t.parquet", "named like Parquet and holds something else"),
        (b"PAR1", "t.parquet", "the Parquet file cannot be read"),
        (_csv(header=""), "t.csv", "is the header missing?"),
        (_csv() + HEADER + "u900,A,1,2\n", "t.csv", "1 of 202 values are no numbers, such as 'converted'"),
    ],
)
def test_files_that_are_something_else(analyze: Analyze, content: str | bytes, name: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        analyze(content, name)
    assert says in str(caught.value)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.97])
def test_a_damaged_parquet_file_is_named(analyze: Analyze, tmp_path: Path, part: float) -> None:
    _frame().to_parquet(tmp_path / "whole.parquet")
    data = (tmp_path / "whole.parquet").read_bytes()
    at = int(part * len(data))
    with pytest.raises(InputError) as caught:
        analyze(data[:at] + b"\xff" * min(200, len(data) - at - 8) + data[-8:], "t.parquet")
    assert "the Parquet file cannot be read" in str(caught.value)
    assert caught.value.where
    with pytest.raises(InputError, match=r"t\.parquet"):
        analyze(data[:at], "t.parquet")


def test_a_ratio_of_nothing_says_so(analyze: Analyze) -> None:
    text = _csv(lambda _, row: [*row, 0], HEADER.replace("\n", ",orders\n"))
    (found,) = analyze(text, metrics=["revenue/orders"]).comparisons
    assert str(found.relative) == "the denominator is zero"
    assert found.conclusion == "undetermined"


def test_utf_32_is_read(analyze: Analyze) -> None:
    assert _values(analyze(_csv().encode("utf-32")), "revenue") == pytest.approx((_mean(3, "A"), _mean(3, "B")))


def _frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["user_id", "group", "converted", "revenue"])


@pytest.mark.parametrize("index", [["user_id"], ["user_id", "group"]])
def test_an_index_with_a_name_is_a_column(index: list[str]) -> None:
    result = pb.analyze(_frame().set_index(index), unit="user_id", variant="group", metrics="revenue")
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A"), _mean(3, "B")))


def test_two_columns_of_one_name_are_said() -> None:
    frame = _frame()
    frame.columns = pd.Index(["user_id", "group", "revenue", "revenue"])
    result = pb.analyze(frame, unit="user_id", variant="group", metrics="revenue")
    assert _values(result, "revenue") == pytest.approx((_mean(2, "A"), _mean(2, "B")))
    assert "several columns are called 'revenue'" in _said(result)


def test_numbers_among_text_in_a_frame() -> None:
    frame = _frame().astype(object)
    frame["revenue"] = [str(v) if i % 2 else v for i, v in enumerate(frame["revenue"])]
    result = pb.analyze(frame, unit="user_id", variant="group", metrics="revenue")
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A"), _mean(3, "B")))
    frame.loc[3, "revenue"] = "abc"
    with pytest.raises(InputError, match="1 of 200 values are no numbers, such as 'abc'"):
        pb.analyze(frame, unit="user_id", variant="group", metrics="revenue")


UNITS = """paribus: 1
experiment: demo
interference: none because each user sees one page
variants: {A: 50, B: 50}
control: A
units: {table: t.csv, unit: user_id, variant: group}
metrics:
  - {name: revenue, type: mean, value: VALUE, role: success}
"""


def _of_a_plan(folder: Path, content: str, value: str) -> Result:
    (folder / "t.csv").write_text(content)
    (folder / "experiment.yaml").write_text(UNITS.replace("VALUE", value))
    return pb.analyze(folder / "experiment.yaml")


def test_a_plan_on_text_that_is_no_number_is_refused_and_its_fix_works(tmp_path: Path) -> None:
    dollars = _with(3, lambda _, row: f"${row[3]}")
    with pytest.raises(InputError, match=r"200 of its values are no numbers, such as '\$") as caught:
        _of_a_plan(tmp_path, dollars, "revenue")
    assert caught.value.where == "metrics.revenue.value"
    fix = str(caught.value.fix).removeprefix("write an expression, such as ")
    result = _of_a_plan(tmp_path, dollars, f'"{fix}"')
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A"), _mean(3, "B")))


def test_a_cast_that_fails_names_the_text_and_try_cast_counts_it(tmp_path: Path) -> None:
    some = _with(3, lambda i, row: "n.a." if i % 10 == 0 else row[3])
    with pytest.raises(InputError, match=r"the text 'n.a.' of revenue cannot be cast to DOUBLE"):
        _of_a_plan(tmp_path, some, "CAST(revenue AS DOUBLE)")
    result = _of_a_plan(tmp_path, some, "TRY_CAST(revenue AS DOUBLE)")
    kept = [row for i, row in enumerate(ROWS) if i % 10]
    assert _values(result, "revenue") == pytest.approx((_mean(3, "A", kept), _mean(3, "B", kept)))
    assert "20 units have no value of revenue and are left out of it" in _said(result)
