"""Charts as documents: well-formed, named for those who do not see them, and true to their scale."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paribus.charts import (
    Bar,
    Cumulative,
    Figure,
    Interval,
    Line,
    axis_of,
    bars,
    cumulative_effect,
    interval_plot,
    interval_strip,
    power_curve,
)
from paribus.charts.scale import Scale, domain, ticks
from paribus.charts.theme import DARK, LIGHT
from paribus.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    Interval("orders", 0.05, 0.01, 0.09, se=0.02, tone="better", heading="success"),
    Interval("latency", -0.01, -math.inf, 0.02, se=0.015, margin=0.03, harm="above", heading="guardrail"),
    Interval("refunds", 0.4, 0.3, 0.5, se=0.05, tone="worse"),
    Interval("revenue", note="undetermined: the metric does not vary"),
]
DAYS = [date(2026, 3, 2) + timedelta(days=i) for i in range(10)]
POINTS = [
    Cumulative(DAYS[0]),
    *(
        Cumulative(
            day,
            value=0.03,
            lower=0.03 - 0.1 / i,
            upper=0.03 + 0.1 / i,
            se=0.05 / i,
            boundary=None if i % 3 else (-0.2 / i, 0.2 / i),
            is_look=i % 3 == 0,
        )
        for i, day in enumerate(DAYS[1:], start=1)
    ),
]


def figures() -> list[Figure]:
    return [
        interval_plot(ROWS, title="Effects", scale_title="relative effect"),
        interval_plot(ROWS, title="Effects", width=340),
        interval_plot([], title="No effects"),
        cumulative_effect(POINTS, title="orders", margin=-0.01),
        cumulative_effect(POINTS[:2], title="one day"),
        cumulative_effect(POINTS[:1], title="nothing yet"),
        power_curve(
            [Line("fixed", (1, 2, 3), (0.3, 0.2, 0.1)), Line("anytime", (1, 2, 3), (math.inf, 0.3, 0.2))],
            title="Detectable effect",
            x_title="days",
            y_title="effect",
            planned=(2, 0.2),
            threshold=0.15,
        ),
        power_curve([Line("none", (1,), (math.nan,))], title="Nothing", x_title="days", y_title="effect"),
        bars([Bar("2 Mar", 10), Bar("3 Mar", 0)], title="Units by day", marked=frozenset({1})),
        bars([], title="No bars"),
    ]


@pytest.mark.parametrize("figure", figures(), ids=lambda figure: figure.title)
def test_figures_are_well_formed_and_named(figure: Figure) -> None:
    root = ElementTree.fromstring(figure.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == figure.title
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text
    assert "nan" not in figure.svg.lower().replace("nanum", "")
    assert "inf" not in re.sub("<(style|title|desc).*?</", "", figure.svg)


def test_figures_need_nothing_from_outside() -> None:
    for figure in figures():
        assert not re.search(r"url\(|@import|href|<script|on\w+=", figure.svg)


@given(st.text(max_size=30))
def test_names_are_escaped(name: str) -> None:
    figure = interval_plot([Interval(name, 0.1, 0.0, 0.2, heading=name)], title=name)
    ElementTree.fromstring(figure.svg)
    hostile = interval_plot([Interval("<script>alert(1)</script>", 0.1, 0, 0.2)], title='"><script>')
    assert "<script" not in hostile.svg


def test_a_figure_saves_itself_as_svg_only(tmp_path: Path) -> None:
    figure = figures()[0]
    assert figure.save(tmp_path / "effects.svg").read_text(encoding="utf-8") == figure._repr_svg_()
    with pytest.raises(InputError, match="png"):
        figure.save(tmp_path / "effects.png")


def test_better_and_worse_differ_by_shape_not_only_by_color() -> None:
    better = interval_strip(Interval("a", 0.1, 0.05, 0.15, tone="better"), (-1, 1))
    worse = interval_strip(Interval("a", 0.1, 0.05, 0.15, tone="worse"), (-1, 1))
    neutral = interval_strip(Interval("a", 0.1, 0.05, 0.15), (-1, 1))
    assert "<circle" in better
    assert "<circle" not in worse
    assert ".pb-point{fill:var(--pb-paper)" in figures()[0].svg  # the neutral disk is open
    assert "pb-neutral" in neutral


def test_interval_lies_where_the_axis_says() -> None:
    """On an axis from -1 to 1, the interval [-0.5, 0.5] spans the middle half."""
    strip = interval_strip(Interval("a", 0.0, -0.5, 0.5), (-1.0, 1.0))
    assert 'x1="25.00%" x2="75.00%"' in strip


def test_description_says_every_number() -> None:
    description = interval_plot(ROWS, title="Effects").description
    assert "orders: +5.0% [+1.0%, +9.0%]" in description
    assert "revenue: undetermined: the metric does not vary" in description
    assert "(−∞, +2.0%]" in description


def test_one_absurd_interval_does_not_flatten_the_others() -> None:
    rows = [Interval(str(i), 0.01, -0.02, 0.04) for i in range(9)] + [Interval("absurd", 3.0, -50.0, 56.0)]
    lower, upper = axis_of(rows)
    assert -0.2 < lower < -0.02
    assert 0.04 < upper < 0.2


@given(
    st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), max_size=8), st.lists(st.floats(-10, 10), max_size=3)
)
def test_domain_holds_zero_and_what_it_must(spans: list[tuple[float, float]], holding: list[float]) -> None:
    lower, upper = domain(spans, holding)
    assert lower < upper
    assert all(lower <= x <= upper for x in [0.0, *holding])


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 10))
@example(879609.9999999999, 1e-06, 5)  # steps near the resolution of the numbers
def test_ticks_are_round_within_and_not_too_many(lower: float, width: float, about: int) -> None:
    upper = lower + width
    found = ticks(lower, upper, about)
    assert len(found) <= 2 * about + 2
    slack = width * 1e-6 + 4 * math.ulp(max(abs(lower), abs(upper)))
    assert all(lower - slack <= t <= upper + slack for t in found)


def test_scale_runs_both_ways() -> None:
    up = Scale(0, 10, 100, 0)
    assert (up(0), up(10), up(5), up.clamped(20)) == (100, 0, 50, 0)


def contrast(a: str, b: str) -> float:
    """WCAG 2.2 contrast ratio of two colors."""

    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent", "better", "worse", "caution"):
        for ground in ("paper", "panel"):
            assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)
