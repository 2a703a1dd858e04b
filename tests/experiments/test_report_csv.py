"""The CSV: every comparison once, exact numbers, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv as reader
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.experiments.results import CONVERTED, HOSTILE, LATENCY, RESULTS, SHIP

from paribus.experiments.report import csv
from paribus.experiments.report.csv import COLUMNS
from paribus.experiments.report.lines import printable
from paribus.experiments.result import Result
from paribus.stats.estimate import Estimate


def rows(result: Result) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(csv(result))))


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS.keys())
def test_one_row_for_each_comparison(result: Result) -> None:
    found = rows(result)
    assert len(found) == len(result.comparisons) + len(result.segments)
    assert all(list(row) == list(COLUMNS) for row in found)
    assert not any(cell in {"nan", "inf", "-inf", "None"} for row in found for cell in row.values())


def test_numbers_keep_every_bit() -> None:
    row = rows(SHIP)[0]
    assert isinstance(CONVERTED.relative, Estimate)
    assert float(row["relative_effect"]) == CONVERTED.relative.value
    assert float(row["simultaneous_upper"]) == 0.0957
    assert row["control_numerator"] == "6041"
    assert row["conclusion"] == "better"
    assert row["verdict"] == "ship"


def test_an_open_end_is_empty() -> None:
    row = rows(replace(SHIP, comparisons=(LATENCY,)))[0]
    assert row["relative_lower"] == ""
    assert float(row["relative_upper"]) == pytest.approx(0.0089, abs=1e-4)
    assert (row["level"], row["alternative"]) == ("0.975", "less")


def test_no_cell_is_a_formula() -> None:
    cells = [cell for row in rows(HOSTILE) for cell in row.values()]
    assert "'=1+1" in cells
    assert "'+country" in cells
    for cell in cells:
        if cell[:1] in "=+-@\t\r" and cell:
            float(cell)  # a leading minus is allowed on numbers only


@given(st.text(max_size=20))
def test_any_name_is_read_back_or_made_harmless(name: str) -> None:
    row = rows(replace(SHIP, comparisons=(replace(CONVERTED, metric=name),)))[0]
    assert row["metric"] in {printable(name), "'" + printable(name)}
    assert not row["metric"].lstrip().startswith(("=", "+", "-", "@"))


def test_an_invalid_result_says_why_it_has_no_effects() -> None:
    row = rows(RESULTS["invalid"])[0]
    assert row["relative_effect"] == row["adjusted_p"] == row["control_value"] == row["conclusion"] == ""
    assert row["undetermined"].startswith("hidden: 50,212 and 48,104")


def test_undetermined_rows_name_the_reason() -> None:
    assert rows(RESULTS["undetermined"])[1]["undetermined"] == "the metric does not vary (every unit has 10)"
