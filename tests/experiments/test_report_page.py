"""The HTML page: one file, valid, safe with any names, in the order in which a result is read."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.experiments.results import HOSTILE, RESULTS, SHIP

from paribus.experiments.report import csv, notebook, page, plot
from paribus.experiments.result import Result

ALL = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS.keys())
VOID = {"meta", "br", "hr", "img", "input", "link", "col"}


class Document(HTMLParser):
    """Reads a page, insists that every element is closed, and keeps what it met."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.hidden: list[str] = []
        self.data: list[str] = []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} is closed and was not open"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data.append(data)
        elif "style" not in self.open:
            (self.hidden if "details" in self.open else self.text).append(data)

    @property
    def seen(self) -> str:
        """The words that are seen without opening anything."""
        return " ".join(" ".join(self.text).split())


@ALL
def test_page_is_well_formed_and_in_order(result: Result) -> None:
    document = Document(page(result))
    titles = [
        "Health",
        "Progress",
        "Metrics",
        "Cumulative effect",
        "By day",
        "Segments",
        "Plan and data",
        "How it was computed",
    ]
    places = [document.seen.find(title) for title in titles if f"{title} " in document.seen]
    assert places == sorted(places)
    assert document.seen.index("Health") < document.seen.index("Metrics")
    ids = [attributes["id"] for _, attributes in document.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@ALL
def test_page_loads_nothing_and_runs_nothing(result: Result) -> None:
    document = Document(page(result))
    for tag, attributes in document.tags:
        assert tag not in {"img", "link", "iframe", "object", "embed", "form", "base"}
        assert not any(name.startswith("on") for name in attributes)
        if tag == "script":
            assert attributes["type"] == "application/json"
        if "href" in attributes:
            assert str(attributes["href"]).startswith("data:")
        assert "src" not in attributes
    assert not re.search(r"@import|url\(", page(result).split("</style>")[0])
    policy = next(str(a["content"]) for t, a in document.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


@ALL
def test_the_result_can_be_taken_from_the_page(result: Result) -> None:
    document = Document(page(result))
    assert json.loads("".join(document.data)) == result.to_dict()
    links = {str(a["download"]): str(a["href"]).split(",")[1] for _, a in document.tags if "download" in a}
    assert json.loads(base64.b64decode(links["result.json"])) == result.to_dict()
    assert base64.b64decode(links["result.csv"]).decode() == csv(result)


@ALL
def test_every_drawing_has_a_name(result: Result) -> None:
    for tag, attributes in Document(page(result)).tags:
        if tag == "svg" and "pb-figure" in (attributes.get("class") or ""):
            assert attributes.get("aria-hidden") == "true" or (attributes["role"] == "img" and attributes["aria-label"])


@ALL
def test_no_false_zero_and_no_certainty_is_shown(result: Result) -> None:
    seen = Document(page(result)).seen
    assert not re.search(r"\b0?\.0000\b|(?<!\d)-0(\.0+)?%|\bnan\b", seen, re.IGNORECASE)
    assert not re.search(r"(P\(|chance)[^.]*\b(100|0)%", seen)


def test_hostile_names_stay_text() -> None:
    document = Document(page(HOSTILE))
    assert [t for t, _ in document.tags].count("script") == 1
    assert "<script>alert(1)</script>" in document.seen
    assert "<b>bold</b>" in document.seen
    assert "\x1b" not in page(HOSTILE)
    assert "<script" not in notebook(HOSTILE)
    assert "<script" not in plot(HOSTILE).svg


def test_an_invalid_result_hides_its_effects_behind_a_click() -> None:
    document = Document(page(RESULTS["invalid"]))
    assert "+5.7%" not in document.seen
    assert "Effects are hidden: 50,212 and 48,104 units do not fit" in document.seen
    hidden = " ".join(" ".join(document.hidden).split())
    assert "+5.7%" in hidden
    assert "These numbers are not valid" in hidden
    assert "better" not in hidden.split("SQL")[0]
    details = [a for t, a in document.tags if t == "details"]
    assert not any("open" in a for a in details)
    assert "+5.7%" not in notebook(RESULTS["invalid"])
    assert "+5.7%" not in plot(RESULTS["invalid"]).svg


def test_an_unregistered_reading_never_says_ship() -> None:
    for name in ("unregistered", "undetermined"):
        document = Document(page(RESULTS[name]))
        assert not re.search(r"\bship\b", document.seen, re.IGNORECASE)
        assert not re.search(r"\bship\b", notebook(RESULTS[name]).split("</style>")[1], re.IGNORECASE)


def test_undetermined_shows_a_reason_in_place_of_numbers() -> None:
    seen = Document(page(RESULTS["undetermined"])).seen
    assert "undetermined: the metric does not vary (every unit has 10)" in seen
    assert "%" not in seen.split("Metrics")[1].split("Plan and data")[0]


def test_intervals_state_level_side_and_method() -> None:
    seen = Document(page(RESULTS["ship"])).seen
    assert "95% two-sided intervals, intervals and p adjusted together (Holm); fixed horizon" in seen
    assert "97.5% one-sided intervals, judged by the interval against the margin" in seen


def test_looks_and_boundaries_are_drawn() -> None:
    written = page(RESULTS["sequential"])
    assert "look 4" in written
    assert "pb-boundary" in written.split("</style>")[1]
    assert "pb-boundary" not in page(RESULTS["anytime"]).split("</style>")[1]


def test_all_metrics_of_all_arms_are_shown() -> None:
    document = Document(page(RESULTS["many"]))
    rows = [a for t, a in document.tags if t == "tr" and (a.get("class") or "").startswith("line")]
    assert len(rows) == 60
    assert "one page" in document.seen


def test_plot_of_a_result_is_a_figure() -> None:
    figure = RESULTS["ship"].plot()
    assert figure._repr_svg_().startswith("<svg")
    assert "converted: +5.7% [+1.9%, +9.6%]" in figure.description
    assert "<table" in RESULTS["ship"]._repr_html_()


def test_no_password_reaches_the_page() -> None:
    statement = replace(SHIP.statements[0], sql="ATTACH 'postgresql://ada:hunter2@db/shop'")
    notes = ("read from mysql://ada:hunter2@db/shop",)
    assert "hunter2" not in page(replace(SHIP, statements=(statement,), data_notes=notes))
