"""Numbers as a paper prints them; the expected strings are written by hand."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.charts import numbers

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
STANDARD_ERRORS = st.floats(min_value=1e-9, max_value=1e9)


@pytest.mark.parametrize(
    ("value", "se", "unit", "signed", "written"),
    [
        (1794.34, 671.0, "number", False, "1,794"),  # LaLonde: effect on re78 and its Welch standard error
        (0.1203, 0.0019, "percent", False, "12.03%"),
        (0.0573, 0.0171, "percent", True, "+5.7%"),
        (-0.0573, 0.171, "percent", True, "-6%"),
        (0.0069, 0.00206, "points", True, "+0.69 pp"),
        (0.00213, 0.00004, "number", False, "0.002130"),
        (1234567.0, None, "number", False, "1,234,567"),
        (0.0, 0.01, "percent", True, "0%"),
        (-0.0, None, "number", True, "0"),
        (0.00003, 0.01, "number", True, "+0.00003"),  # would round to 0.000
        (math.nan, 1.0, "number", False, "–"),
        (math.inf, 1.0, "percent", True, "+∞"),
        (-math.inf, 1.0, "percent", True, "-∞"),
    ],
)
def test_number(value: float, se: float | None, unit: numbers.Unit, signed: bool, written: str) -> None:
    assert numbers.number(value, se=se, unit=unit, signed=signed) == written


@pytest.mark.parametrize(
    ("p", "written"),
    [
        (0.0, "< .0001"),
        (3e-9, "< .0001"),
        (0.0001, ".0001"),
        (0.0079, ".0079"),
        (0.00996, ".010"),
        (0.0432, ".043"),
        (0.5, ".500"),
        (0.9999, "> .999"),
        (1.0, "> .999"),
        (math.nan, "–"),
    ],
)
def test_p_value(p: float, written: str) -> None:
    assert numbers.p_value(p) == written


@given(st.floats(min_value=0, max_value=1))
def test_no_p_value_is_zero_or_one(p: float) -> None:
    written = numbers.p_value(p)
    assert re.fullmatch(r"< \.0001|> \.999|\.\d{3,4}", written)
    assert not re.fullmatch(r"\.0+", written)


@given(st.floats(min_value=0, max_value=1))
def test_no_chance_is_certain(p: float) -> None:
    assert numbers.chance(p) not in {"0.0%", "100.0%", "0%", "100%"}


@given(FINITE, STANDARD_ERRORS, st.sampled_from(["number", "percent", "points"]))
def test_what_is_not_zero_is_not_written_as_zero(x: float, se: float, unit: numbers.Unit) -> None:
    written = numbers.number(x, se=se, unit=unit)
    assert (not re.search("[1-9]", written)) == (x == 0)
    assert not written.startswith("-0%")


@given(FINITE, FINITE, STANDARD_ERRORS)
def test_interval_keeps_its_order(a: float, b: float, se: float) -> None:
    low, high = sorted((a, b))
    first, second = numbers.interval(low, high, se=se)[1:-1].replace(",", "").split(" ")
    assert float(first) <= float(second)


@given(FINITE)
def test_significant_digits_keep_the_value(x: float) -> None:
    assert float(numbers.significant(x, 3).replace(",", "")) == pytest.approx(x, rel=0.0051)


def test_open_intervals() -> None:
    assert numbers.interval(-math.inf, 0.0089, se=0.003, unit="percent") == "(-∞, +0.89%]"
    assert numbers.interval(-0.0089, math.inf, se=0.003, unit="percent") == "[-0.89%, ∞)"


def test_shares_tell_zero_from_small() -> None:
    assert [numbers.share(x) for x in (0.0, 0.00001, 0.0003, 0.5, 0.999999, 1.0)] == [
        "0%", "< 0.01%", "0.03%", "50.0%", "> 99.99%", "100%",
    ]  # fmt: skip


def test_dates() -> None:
    assert numbers.day(date(2026, 3, 4)) == "4 Mar 2026"
    assert numbers.moment(datetime(2026, 3, 4, 9, 5, tzinfo=UTC)) == "4 Mar 2026, 09:05 UTC"
    assert numbers.level(0.95) == "95%"
