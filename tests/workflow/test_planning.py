"""Step 3's questions that the history answers by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.lake.sending import HandClock, decode, event, request
from tests.workflow.business import store
from tests.workflow.drawn import explored

from paribus.lake import Lake, LakeReader
from paribus.store import Store
from paribus.workflow import Config, Context, Feature
from paribus.workflow.facts.explore import EventProfile
from paribus.workflow.facts.hypothesize import Hypothesis
from paribus.workflow.operations import Operations
from paribus.workflow.planning import interference, past_of
from paribus.workflow.roles.agent import Deterministic


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


@dataclass(frozen=True)
class Installation:
    """A data folder as the plan sees it."""

    reader: LakeReader
    store: Store

    def lake(self) -> LakeReader:
        return self.reader


@pytest.mark.parametrize(
    ("days", "window", "followed"),
    [(28, 7, 14), (14, 7, 14), (20, 7, 14), (9, 7, 9), (60, 7, 46), (28, 0, 14), (14, 0, 7)],
)
def test_a_history_stretches_so_far_that_entries_can_be_followed(
    tmp_path: Path, days: int, window: int, followed: int
) -> None:
    """Whoever enters in its first week has to reach the end of the window inside it, where the history allows that."""
    clock = HandClock()
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        lake.landing.append([request([event("e1", "checkout_started", unit="u1")], received=clock())])
        lake.drain()
    found = explored()
    explore = found.model_copy(update={"window": found.window.model_copy(update={"days": days})})
    context = Context(
        feature=Feature(key="checkout", requirement="a faster checkout"),
        config=Config(),
        artifacts={},
        operations=cast("Operations", Installation(LakeReader(tmp_path, clock=clock), store(tmp_path / "store"))),
        folder=tmp_path,
        clock=clock,
        once=lambda name, effect: effect(),
        agent=Deterministic(),
    )
    chosen = cast("Hypothesis", SimpleNamespace(findings=()))
    metrics = [{"name": "orders", "event": "order_completed", "window_days": window}]
    with past_of(context, explore, chosen, None, metrics) as past:
        pass
    assert past.days == followed
    assert past.since == datetime.fromisoformat(f"{found.window.end}T00:00:00+00:00") - timedelta(days=followed)
