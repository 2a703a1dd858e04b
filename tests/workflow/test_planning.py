"""Step 3's questions that the history answers by itself."""

from __future__ import annotations

import pytest
from tests.workflow.drawn import explored

from paribus.workflow.facts.explore import EventProfile
from paribus.workflow.planning import interference


def profile(name: str, **choices: tuple[str, ...]) -> EventProfile:
    return EventProfile(name=name, count=90, units=80, choices=choices, evidence="events")


@pytest.mark.parametrize(
    "event",
    [
        profile("waitlist_joined"),
        profile("error_shown", kind=("server_error", "out_of_stock")),
        profile("search_performed", outcome=("found", "Fully booked")),
    ],
)
def test_a_limited_stock_that_the_events_tell_of_is_shared(event: EventProfile) -> None:
    explore = explored()
    assert interference(None, explore).startswith("none because")
    found = explore.model_copy(update={"events": (*explore.events, event)})
    assert interference(None, found) == "shared_resource"
    assert interference("none because stock is unlimited", found) == "none because stock is unlimited"


@pytest.mark.parametrize("word", ["stockings", "notstocked", "bestsold"])
def test_words_that_only_look_alike_are_not(word: str) -> None:
    explore = explored()
    event = profile("product_viewed", category=(word,))
    found = explore.model_copy(update={"events": (*explore.events, event)})
    assert interference(None, found).startswith("none because")
