"""Times and versions as sortable keys, against the standard library and the published order of SemVer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paribus_sdk.instant import milliseconds
from paribus_sdk.semver import precedence
from tests.sdk import reference_conditions as reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones))
def test_times_are_those_of_the_standard_library(moment: datetime) -> None:
    expected = (moment.replace(microsecond=moment.microsecond // 1000 * 1000) - EPOCH) // timedelta(milliseconds=1)
    assert milliseconds(moment.isoformat()) == expected
    assert milliseconds(moment) == expected
    assert reference.instant(moment.isoformat()) == expected


@pytest.mark.parametrize("year", [0, 1, 4, 100, 400, 1900, 1970, 2000, 2024, 2100, 9999])
def test_a_year_has_its_days(year: int) -> None:
    first, last = f"{year:04d}-01-01T00:00:00Z", f"{year:04d}-12-31T00:00:00Z"
    days = (milliseconds(last) - milliseconds(first)) / 86_400_000
    assert days == (365 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 364)
    assert milliseconds(first) == reference.instant(first)


def test_the_order_of_semver_org() -> None:
    published = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    published += ["1.0.0-rc.1", "1.0.0", "2.0.0", "2.1.0", "2.1.1"]
    keys = [precedence(text) for text in published]
    assert all(left is not None and right is not None and left < right for left, right in pairwise(keys))


identifiers = st.from_regex(r"\A(0|[1-9][0-9]{0,20}|[0-9A-Za-z-]{1,4})\Z")
versions = st.builds(
    lambda numbers, labels, build: ".".join(map(str, numbers)) + labels + build,
    st.tuples(*[st.integers(0, 3)] * 3),
    st.lists(identifiers, max_size=3).map(lambda parts: "-" + ".".join(parts) if parts else ""),
    st.sampled_from(("", "+b", "+0.x")),
)


@given(versions, versions)
def test_versions_are_ordered_as_the_reference_orders_them(left: str, right: str) -> None:
    mine, other = precedence(left), precedence(right)
    assert (mine is None, other is None) == (reference.version(left) is None, reference.version(right) is None)
    if mine is not None and other is not None:
        read = reference.version(left), reference.version(right)
        assert (mine > other) - (mine < other) == reference.newer(*read)
