"""Scenario files: what is read, and what is refused in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from paribus.app.published import texts
from paribus.errors import DefinitionError, InputError, NotFound
from paribus.shop import case, load, parse

HEAD = "paribus_scenario: 1\ntitle: x\n"


def test_on_and_no_are_words() -> None:
    made = parse(HEAD + "effects: [{on: payment_submitted, relative: 0.1, who: {country: NO}}]", "f.yaml")
    assert made.effects[0].on == "payment_submitted"
    assert made.effects[0].who.country == "NO"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: x", "paribus_scenario is missing"),
        (HEAD + "funel: {}", "did you mean 'funnel'?"),
        (HEAD + "funnel: {product_view: 1}", "did you mean 'product_viewed'?"),
        (HEAD + "defects: [{kind: eror}]", "no kind of defect"),
        (HEAD + "defects: [{kind: errors, rat: 1}]", "did you mean 'rate'?"),
        (HEAD + "effects: [{on: revenue}]", "an effect changes something"),
        (HEAD + "effects: [{on: payment_submitted, relative: yes}]", "effects[0].relative"),
        (HEAD + "population: {visits_per_week: -1}", "-1 is refused"),
        (HEAD + "defects: [{kind: property_missing, event: order_completed, property: price}]", "has no property"),
        (HEAD + "defects: [{kind: property_missing, event: order_completed}]", "needs the name of property"),
        ("- 1", "no mapping"),
        ("a: [", "f.yaml:1"),
        (HEAD + "population: {device: {}}", "add up to nothing"),
        (HEAD + "title: y", "given twice"),
        (HEAD + "effects: [{on: paymnt_submitted, relative: 0.1}]", "did you mean 'payment_submitted'?"),
        (HEAD + "defects: [{event: order_completed}]", "kind is missing"),
        (HEAD + "defects: [{kind: event_mising, event: order_completed}]", "did you mean 'event_missing'?"),
        (HEAD + "segments: [{who: {channel: ad}, visits_factor: 2}]", "a channel is of visits"),
        (HEAD + "calendar: {start: 9999-12-20}", "9999-12-20 is refused"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text, "f.yaml")
    assert said in str(caught.value)
    assert "f.yaml" in str(caught.value)


def test_all_errors_are_named_at_once() -> None:
    with pytest.raises(DefinitionError, match="2 errors"):
        parse(HEAD + "funel: {}\nlate: {share: 2}", "f.yaml")


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'winner'"):
        case("winer")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(tmp_path / "none.yaml")


def test_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(HEAD.encode() + b"story: \xff")
    with pytest.raises(DefinitionError, match="UTF-8"):
        load(tmp_path / "f.yaml")


def test_the_schema_is_published() -> None:
    assert "scenario.schema.json" in texts()
