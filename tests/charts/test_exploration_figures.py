"""Charts of exploration: bars as long as what they count, ribbons that add up, empty cells that are not zeros."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from paribus.charts import Figure, FunnelBar, HeatRow, Stream, day_series, funnel_bars, heat_map, journey

SVG = "{http://www.w3.org/2000/svg}"
STEPS = [
    FunnelBar("came", 1000),
    FunnelBar("looked <b>", 400, 0.4, 0.37, 0.43, 42.0),
    FunnelBar("bought", 100, 0.25, 0.21, 0.29, 7200.0),
]
COHORTS = [HeatRow("2026-10-05", 200, [1.0, 0.4, 0.2]), HeatRow("2026-10-12", 100, [1.0, 0.3, None])]
STREAMS = [
    Stream(0, "came", "looked", 60),
    Stream(0, "came", "leave", 40, True),
    Stream(1, "looked", "bought", 20),
    Stream(1, "looked", "leave", 40, True),
]


def figures() -> list[Figure]:
    return [
        funnel_bars(STEPS, title="Funnel", weakest=2),
        funnel_bars([], title="Nothing"),
        heat_map(COHORTS, ["week 0", "week 1", "week 2"], title="Retention"),
        heat_map([], [], title="Nothing"),
        day_series(["10-05", "10-06", "10-07"], [5, 0, 7], title="Days", flagged={1: "missing day"}, changed=2),
        day_series(["10-05"], [5], title="One day", usual=[4]),
        day_series([], [], title="Nothing"),
        journey(STREAMS, title="Journeys", columns=("first", "second", "third")),
        journey([], title="Nothing"),
    ]


@pytest.mark.parametrize("figure", figures(), ids=lambda figure: figure.title)
def test_figures_are_well_formed_and_say_what_they_show(figure: Figure) -> None:
    root = ElementTree.fromstring(figure.svg)
    assert root.find(f"{SVG}title") is not None
    description = root.find(f"{SVG}desc")
    assert description is not None
    assert description.text
    assert "NaN" not in figure.body
    assert "<b>" not in figure.body


def widths(figure: Figure, class_: str) -> list[float]:
    root = ElementTree.fromstring(figure.svg)
    return [float(each.get("width", "0")) for each in root.iter(f"{SVG}rect") if each.get("class") == class_]


def test_bars_of_a_funnel_are_as_long_as_their_units() -> None:
    long, middle, short = widths(funnel_bars(STEPS, title="Funnel"), "pb-bar")
    assert middle / long == pytest.approx(0.4, abs=0.001)
    assert short / long == pytest.approx(0.1, abs=0.001)


def test_the_marked_step_is_marked_without_color_too() -> None:
    marked = funnel_bars(STEPS, title="Funnel", weakest=2)
    assert "▼ 25.0% went on" in marked.body
    assert "falls shortest" in marked.description
    assert "▼" not in funnel_bars(STEPS, title="Funnel").body


def test_a_cell_that_cannot_be_known_is_empty() -> None:
    figure = heat_map(COHORTS, ["week 0", "week 1", "week 2"], title="Retention")
    assert figure.body.count("pb-heat") == 3
    assert "2026-10-12 (100): week 0 100.0%, week 1 30.0%" in figure.description


def test_a_day_left_out_breaks_the_line_and_says_why() -> None:
    figure = day_series(["a", "b", "c", "d"], [5, 0, 7, 8], title="Days", flagged={1: "missing day"})
    assert figure.body.count("<polyline") == 2
    assert "b left out: missing day" in figure.description
    assert figure.body.count("pb-cross") == 1


def test_ribbons_leave_a_node_as_wide_as_it_is() -> None:
    figure = journey(STREAMS, title="Journeys")
    root = ElementTree.fromstring(figure.svg)
    heights = {
        (each.find(f"{SVG}title").text or "").partition(":")[0]: float(each.get("height", "0"))  # type: ignore[union-attr]
        for each in root.iter(f"{SVG}rect")
        if each.find(f"{SVG}title") is not None
    }
    assert heights["looked"] / heights["came"] == pytest.approx(0.6, abs=0.01)
    thick = []
    for path in root.iter(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", path.get("d", ""))]
        thick.append(numbers[8] - numbers[7])  # down the right side
    assert sum(thick) / heights["came"] == pytest.approx(1.6, abs=0.02)


def test_many_small_nodes_are_one() -> None:
    figure = journey([Stream(0, "a", f"b{i}", 10 - i) for i in range(10)], title="Journeys", most=3)
    assert "others" in figure.description
    assert figure.body.count("pb-end") == 1 + 3 + 1


def test_days_left_out_one_after_another_are_named_once() -> None:
    names = [f"10-{day:02d}" for day in range(1, 31)]
    flagged = dict.fromkeys((25, 26, 27, 28), "thin day") | {2: "missing day"}
    figure = day_series(names, [100.0] * 30, title="Days", flagged=flagged)
    assert figure.body.count("pb-cross") == 5
    assert figure.body.count("thin day, 4 days") == 1
    assert figure.body.count(">missing day<") == 1


def test_two_reasons_in_one_place_do_not_lie_over_each_other() -> None:
    names = [f"10-{day:02d}" for day in range(1, 31)]
    figure = day_series(names, [100.0] * 30, title="Days", flagged={14: "missing day", 15: "thin day"})
    assert [why for why in ("missing day", "thin day") if f">{why}<" in figure.body] == ["missing day"]
    assert "10-16: 100 — thin day" in figure.body  # it is still said where one points at it
    assert "10-16 left out: thin day" in figure.description


def test_the_last_column_of_a_grid_ends_with_the_picture() -> None:
    rows = [HeatRow("1997-01-01", 10, [1.0] + [0.1] * 12)]
    figure = heat_map(rows, [f"week {number}" for number in range(13)], title="Retention")
    last = figure.body[: figure.body.index("week 12")].rpartition("<text")[2]
    assert 'x="720"' in last
    assert 'text-anchor="end"' in last
