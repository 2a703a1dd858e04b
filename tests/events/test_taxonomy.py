"""Names of events: past tense, snake_case, no two for one thing."""

from __future__ import annotations

import pytest

from paribus.events.taxonomy import is_near, is_past, lint, past, spelled, verb_of

SHOP = [
    "session_started",
    "product_viewed",
    "search_performed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
    "login_completed",
    "refund_requested",
    "survey_answered",
    "support_ticket_opened",
    "error_shown",
]


def test_a_well_named_plan_has_no_lapse() -> None:
    assert lint(SHOP) == ()
    assert lint(["$exposure", "$page_view"]) == ()


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("OrderCompleted", "order_completed"), ("Order Completed", "order_completed"), ("page_view", "page_viewed"),
        ("cart.item.add", "cart_item_added"), ("email_send", "email_sent"), ("form-submit", "form_submitted"),
    ],
)  # fmt: skip
def test_a_better_name_is_known(name: str, better: str) -> None:
    assert spelled(name) == better
    assert lint([name])[0].instead == better


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        ("order_completed", "order_complete", True), ("order_completed", "completed_order", True),
        ("order_completed", "purchase_completed", True), ("cart_item_added", "cart_items_added", True),
        ("order_completed", "order_cancelled", False), ("product_viewed", "product_added", False),
    ],
)  # fmt: skip
def test_near_duplicates_are_told(a: str, b: str, near: bool) -> None:
    assert is_near(a, b) is near


@pytest.mark.parametrize(
    "verb", ["view", "add", "submit", "apply", "send", "complete", "save", "pay", "start", "create", "show", "place"]
)
def test_a_verb_comes_back_from_its_participle(verb: str) -> None:
    assert is_past(past(verb))
    assert verb_of(past(verb)) == verb
