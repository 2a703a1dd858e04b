"""A difference over time with both its intervals."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from paribus.charts.svg import Figure
from paribus.charts.two_readings import TwoReadings, two_readings


def drawn(times: list[str], **given: object) -> Figure:
    points = [
        TwoReadings(
            time, 0.5, 0.1, (0.3, 0.7), (0.2, 0.8) if i else (-math.inf, math.inf)
        )
        for i, time in enumerate(times)
    ]  # fmt: skip
    return two_readings(points, title="revenue", names=("once", "always"), **given)  # type: ignore[arg-type]


def line_of(figure: Figure) -> list[float]:
    (points,) = re.findall(r'<polyline points="([^"]+)" class="pb-estimate"', figure.svg)
    return [float(pair.split(",")[0]) for pair in points.split()]


@pytest.mark.parametrize("times", [["1", "2", "5"], ["2026-03-01", "2026-03-02", "2026-03-05"]])
def test_numbers_and_dates_lie_as_far_apart_as_they_are(times: list[str]) -> None:
    a, b, c = line_of(drawn(times))
    assert (c - b) / (b - a) == pytest.approx(3, abs=0.01)


def test_other_periods_lie_evenly() -> None:
    a, b, c = line_of(drawn(["2026-Q1", "2026-Q2", "2026-Q4"]))
    assert c - b == pytest.approx(b - a, abs=0.11)


def test_what_happened_is_marked_and_said() -> None:
    figure = drawn(["1", "2", "3"], marks=[("2", "stopped by <peeking>")])
    ElementTree.fromstring(figure.svg)
    assert "stopped by &lt;peeking&gt;" in figure.svg
    assert "3 checkpoints from 1 to 3; at 3 the difference is +0.50, once [+0.30, +0.70], always" in figure.svg


@pytest.mark.parametrize("times", [[], ["1"]])
def test_none_and_one_are_drawn(times: list[str]) -> None:
    ElementTree.fromstring(drawn(times).svg)
