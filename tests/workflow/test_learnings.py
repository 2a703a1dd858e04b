"""Cards of decided features: required to close, found by words, linked to what came next, counted as a rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.made import save
from typer.testing import CliRunner

from paribus.app.feature import Workshop, workshop
from paribus.cli import app
from paribus.errors import Conflict, InputError, NotFound
from paribus.settings import Settings
from paribus.workflow.step import STEPS

FOLLOW_UPS = [
    {"id": "f1", "change": "one-click checkout on desktop", "because": "it works on mobile", "evidence": "e1"},
    {"id": "f2", "change": "a shorter address form on mobile", "because": "many stop there", "evidence": "e1"},
]


def decided(
    settings: Settings,
    key: str,
    requirement: str,
    *,
    verdict: str = "ship",
    at: str = "2026-03-30T00:00:00+00:00",
    takeaway: str = "One-click checkout raises orders by 8%.",
    last: str = "optimize",
    card: bool = True,
    previous: str = "",
) -> None:
    with workshop(settings) as shop:
        shop.new(requirement, key=key, previous=previous, author="test")
    learning: dict[str, Any] = {
        "feature": key,
        "takeaway": takeaway,
        "metric": "order_completed",
        "segment": "device=mobile",
        "decision": "full rollout",
        "decided_at": at,
        "findings": ["b1"],
    }
    facts: dict[str, dict[str, Any]] = {
        "analyze": {"verdict": verdict, "decided_at": at},
        "impact": {"recommendation": "full rollout", "why": "it is better", "learning": learning if card else {}},
        "optimize": {"follow_ups": FOLLOW_UPS},
    }
    for step in STEPS:
        save(settings, key, step.slug, facts=facts.get(step.slug, {}))
        with workshop(settings) as shop:
            if step.slug in shop.config(key).approvals.required:
                shop.approve(key, step.slug, author="bob")
        if step.slug == last:
            return


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


def test_a_feature_is_closed_with_what_was_learned(settings: Settings) -> None:
    decided(settings, "one-click", "one-click checkout for returning mobile users")
    with workshop(settings) as shop:
        with pytest.raises(InputError, match="closed with what was learned"):
            shop.close("one-click", "nice", author="ann")
        made = shop.close("one-click", "people on mobile stop at the address", tags=["Mobile", "mobile"], author="ann")
        assert made["closed"]
        assert (made["insight"], made["tags"], made["closed_by"]) == (
            "people on mobile stop at the address",
            ["mobile"],
            "ann",
        )
        assert made["card"]["takeaway"].startswith("One-click")
        shop.close("one-click", "people on mobile stop at the address form", tags=["mobile"], author="ben")
        assert [each["revision"] for each in shop.history("one-click") if each["kind"] == "learning"] == [1, 2]


def test_without_a_card_or_before_the_last_step_it_stays_open(settings: Settings) -> None:
    decided(settings, "early", "a shorter form for new users", last="analyze")
    decided(settings, "bare", "a longer form for old users", card=False)
    with workshop(settings) as shop:
        with pytest.raises(Conflict, match="step impact is open"):
            shop.close("early", "people on mobile stop at the address", author="ann")
        with pytest.raises(Conflict, match="has no learning card"):
            shop.close("bare", "people on mobile stop at the address", author="ann")


def test_cards_are_found_by_all_of_their_words_best_first(settings: Settings) -> None:
    decided(settings, "one-click", "one-click checkout for returning mobile users")
    decided(settings, "search", "a faster search for everybody", takeaway="A faster search leaves orders as they are.")
    with workshop(settings) as shop:
        shop.close("search", "nobody waits for the checkout search", author="ann")

        def found(query: str) -> list[str]:
            return [each["feature"] for each in shop.learnings(query)["learnings"]]

        assert found("") == ["one-click", "search"]
        assert found("checkout") == ["one-click", "search"]  # in requirement and takeaway, and in an insight alone
        assert found("waiting searches") == ["search"]  # by stems
        assert found("mobile search") == ["search"]  # every word somewhere: the segment is mobile
        assert found("mobile checkout returning") == ["one-click"]
        assert found("blockchain") == []


def test_the_rate_counts_cards_insights_and_answers_by_quarter(settings: Settings) -> None:
    decided(settings, "a", "one-click checkout for returning mobile users")
    decided(settings, "b", "a faster search for everybody", verdict="iterate", at="2026-05-02T00:00:00+00:00")
    decided(
        settings, "c", "a shorter form for new users", verdict="neutral", at="2026-06-02T00:00:00+00:00", card=False
    )
    decided(settings, "d", "a longer form for old users", verdict="not_yet")
    with workshop(settings) as shop:
        shop.close("a", "people on mobile stop at the address", author="ann")
        rate = shop.learnings()["rate"]
        assert (rate["decided"], rate["closed"], rate["conclusive"]) == (3, 1, 2)
        assert rate["quarters"] == {
            "2026-Q1": {"decided": 1, "conclusive": 1},
            "2026-Q2": {"decided": 2, "conclusive": 1},
        }
        assert rate["with_card"] == 2
        shop.new("a bigger button for everybody", key="new", author="test")
        assert "2 of 3 decided features" in shop.scorecard("new")["learning"]["rate"]["sentence"]


def test_a_follow_up_opens_the_next_feature_linked(settings: Settings) -> None:
    decided(settings, "one-click", "one-click checkout for returning mobile users")
    with workshop(settings) as shop:
        made = shop.follow("one-click", "f2", author="ann")
        assert (made["requirement"], made["previous"]) == ("a shorter address form on mobile", "one-click")
        assert shop.follow("one-click", "f2", author="ben")["key"] == made["key"]  # opened once
        assert shop.follow("one-click", author="ann")["requirement"] == "one-click checkout on desktop"
        with pytest.raises(NotFound, match="no follow-up 'f9'"):
            shop.follow("one-click", "f9", author="ann")
        (card,) = shop.learnings("one-click")["learnings"]
        assert {each["feature"] for each in card["next"]} == set(shop.dossier.keys()) - {"one-click"}


def test_the_next_step_2_is_cited_by_the_card(settings: Settings) -> None:
    decided(settings, "one-click", "one-click checkout for returning mobile users")
    with workshop(settings) as shop:
        key = shop.follow("one-click", "f2", author="ann")["key"]
    save(settings, key, "explore")
    facts = {"chosen": "h1", "hypotheses": [{"id": "h1", "change": "a shorter address form on mobile"}]}
    save(settings, key, "hypothesize", facts=facts)
    with workshop(settings) as shop:
        (card,) = shop.learnings()["learnings"]
    assert card["next"][0]["hypothesis"] == "a shorter address form on mobile"


def test_the_commands(settings: Settings) -> None:
    decided(settings, "one-click", "one-click checkout for returning mobile users")
    at = ["--data", str(settings.data)]

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, [*words, *at])

    refused = run("feature", "close", "one-click", "--json")
    assert refused.exit_code == 2
    assert "learned" in json.loads(refused.output)["error"]["what"]
    said = "people on mobile stop at the address"
    assert run("feature", "close", "one-click", "--insight", said, "--tag", "address").exit_code == 0
    found = json.loads(run("learnings", "address", "--json").output)
    assert [each["insight"] for each in found["learnings"]] == [said]
    told = run("learnings")
    assert "measured: One-click checkout raises orders" in told.output
    assert "Learning rate: 1 of 1 decided features have a card, 1 were closed" in told.output
    opened = run("feature", "follow", "one-click", "f2", "--until", "none", "--json")
    assert json.loads(opened.output)["previous"] == "one-click"
    assert "led to shorter-address-form-mobile" in run("learnings").output


def test_a_workshop_without_features_has_learned_nothing(settings: Settings) -> None:
    with workshop(settings) as shop:
        assert isinstance(shop, Workshop)
        found = shop.learnings("anything")
    assert found["learnings"] == []
    assert found["rate"]["sentence"] == "No feature has been decided yet."
