"""Quantile dots and tornadoes: what is drawn can be counted and is said in words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from paribus.charts import Dots, Swing, distribution, tornado

EVEN = tuple(float(x) for x in range(-10, 40))


def elements(svg: str, name: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith(name)]


def test_every_dot_is_drawn_and_those_below_are_losses() -> None:
    figure = distribution([Dots("value", EVEN)], title="Value a year")
    circles = elements(figure.svg, "circle")
    assert len(circles) == 50
    assert sum("pb-below" in (each.get("class") or "") for each in circles) == 10
    assert "10 of 50 dots below 0" in figure.description


def test_dots_that_are_alike_stand_side_by_side_and_are_still_fifty() -> None:
    figure = distribution([Dots("rule", (0.0,) * 42 + tuple(range(100, 900, 100)))], title="x")
    circles = elements(figure.svg, "circle")
    assert len(circles) == 50
    places = {(each.get("cx"), each.get("cy")) for each in circles}
    assert len(places) == 50
    assert figure.height < 160


def test_rows_share_an_axis_and_outliers_stand_at_the_rim() -> None:
    wild = (*EVEN[:-1], 1e9)
    figure = distribution([Dots("a", EVEN), Dots("b", wild)], title="x", scale_title="USD", width=600)
    xs = [float(each.get("cx") or 0) for each in elements(figure.svg, "circle")]
    assert min(xs) >= 0
    assert max(xs) <= 600
    assert len(re.findall("USD", figure.svg)) >= 1


def test_nothing_to_draw_is_said() -> None:
    assert "nothing to draw" in distribution([Dots("a", ())], title="x").description
    both = distribution([Dots("a", ()), Dots("b", EVEN)], title="x")
    assert "a: not known" in both.description
    assert "nothing" in tornado([], center=0, title="x").description


def test_text_is_escaped() -> None:
    svg = distribution([Dots("<a&b>", EVEN, "<i>")], title="<t>").svg
    assert "<a&b>" not in svg
    ElementTree.fromstring(svg)
    ElementTree.fromstring(tornado([Swing("<x>", 1, 2, "<l>", "h&")], center=1.5, title="<t>").svg)


@pytest.mark.parametrize("width", [360, 720])
def test_bars_reach_from_the_middle_to_each_end(width: float) -> None:
    swings = [Swing("effect", 2.0, 10.0, "+1%", "+5%"), Swing("money", 5.0, 7.0, "9", "11")]
    figure = tornado(swings, center=6.0, title="What it hangs on", scale_title="USD", width=width)
    bars = [
        (float(each.get("x") or 0), float(each.get("width") or 0))
        for each in elements(figure.svg, "rect")
        if "pb-bar" in (each.get("class") or "")
    ]
    (low, left), (high, right) = bars[:2]
    assert low + left == pytest.approx(high, abs=0.1)
    assert left == pytest.approx(right, rel=0.01)
    small = bars[2:]
    assert small[0][1] == pytest.approx(left / 4, rel=0.02)
    assert "From 6.00: effect +1% to +5%: 2.00 to 10.0" in figure.description
