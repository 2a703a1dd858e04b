"""The funnel is the plan's, else what nearly all did before their first conversion, in that order."""

from __future__ import annotations

import pandas as pd
from tests.exploration.shopping import FUNNEL

from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel_choice import choose_funnel, conversion_event
from paribus.exploration.opening import open_frame


def test_it_is_found_in_the_data(log: EventLog) -> None:
    found = choose_funnel(log)
    assert found is not None
    assert (found.events, found.origin, found.conversion) == (FUNNEL, "data", "order_completed")
    assert min(found.coverage) > 0.9


def test_names_do_not_matter(events: pd.DataFrame) -> None:
    words = dict(zip(FUNNEL, ("arrival", "look", "pick", "desk", "pay", "deal"), strict=True))
    other = events.assign(event=events["event"].replace(words)).rename(
        columns={"user_id": "customer", "event": "activity", "time": "created_at", "revenue": "total_price"}
    )
    with open_frame(other) as log:
        found = choose_funnel(log)
    assert found is not None
    assert found.events == tuple(words[name] for name in FUNNEL)


def test_a_plan_comes_first(log: EventLog) -> None:
    steps = {"session_started": 1, "checkout_started": 2, "order_completed": 3, "never_seen": 4}
    plan = {"events": {name: {"funnel": {"funnel": "buy", "step": step}} for name, step in steps.items()}}
    found = choose_funnel(log, plan=plan)
    assert found is not None
    assert (found.name, found.origin) == ("buy", "plan")
    assert found.events == ("session_started", "checkout_started", "order_completed")


def test_the_plan_says_what_a_conversion_is(log: EventLog) -> None:
    plan = {"events": {"cart_item_added": {"semantics": "conversion"}}}
    assert conversion_event(log, plan) == "cart_item_added"
    found = choose_funnel(log, plan=plan)
    assert found is not None
    assert found.events == FUNNEL[:3]


def test_without_anything_like_a_conversion_there_is_none() -> None:
    at = pd.to_datetime(["2026-10-05", "2026-10-06"], utc=True)
    with open_frame(pd.DataFrame({"user_id": ["u", "v"], "event": ["a", "b"], "time": at})) as log:
        assert choose_funnel(log) is None


def lessons(users: int = 40) -> pd.DataFrame:
    steps = (("Opened Lesson", 1), ("Started Exercise", 2), ("Certificate Earned", 4))
    rows = [
        (f"u{user}", event, pd.Timestamp("2026-10-05", tz="UTC") + pd.Timedelta(hours=user, minutes=minute))
        for user in range(users)
        for minute, (event, every) in enumerate(steps)
        if user % every == 0
    ]
    return pd.DataFrame(rows, columns=["user_id", "event", "time"])


def test_what_nothing_names_is_guessed_and_said_so() -> None:
    with open_frame(lessons()) as log:
        assert conversion_event(log, {}) is None
        found = choose_funnel(log)
    assert found is not None
    assert found.events == ("Opened Lesson", "Started Exercise", "Certificate Earned")
    assert found.origin == "guessed"


def test_what_almost_nobody_does_is_no_success() -> None:
    with open_frame(lessons(20)) as log:  # five certificates
        found = choose_funnel(log)
    assert found is not None
    assert found.conversion == "Started Exercise"
