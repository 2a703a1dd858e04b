"""Requirements, hypotheses, their words, priors and ranks."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.errors import DefinitionError, InputError
from paribus.experiments.hypothesis import Statement, checked_requirement, complaints, direction, refuse_unsound
from paribus.experiments.prior import ENOUGH, Past, effect_prior, family_of
from paribus.experiments.ranking import CONFIDENCE, Candidate, rank
from paribus.experiments.words import stems, subjects, target

SOUND = Statement(
    because="many stop at payment",
    change="one-click checkout",
    for_whom="returning mobile users",
    will="the share of units with an order rises",
    measured_by="orders",
    findings=("b1",),
)


CHANGES = ["dark mode", "one-click checkout", "faster search for new visitors", "show reviews on product pages"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "make it better",
        "make checkout better",
        "improve conversion",
        "checkout",
        "a",
        "more revenue",
        "123 456",
    ],
)
def test_a_wish_is_no_requirement(text: str) -> None:
    with pytest.raises(InputError) as error:
        checked_requirement(text)
    assert error.value.fix is not None
    assert "one-click checkout for returning mobile users" in error.value.fix


@pytest.mark.parametrize("text", CHANGES)
def test_a_change_is_a_requirement(text: str) -> None:
    assert checked_requirement(f" {text}  ") == text


def test_several_changes_in_one_requirement_are_refused() -> None:
    with pytest.raises(InputError, match="characters"):
        checked_requirement("one-click checkout " * 20)


def test_the_linter_rejects_what_cannot_be_wrong() -> None:
    from dataclasses import replace

    assert complaints(SOUND, ["orders"]) == ()
    assert [c.where for c in complaints(replace(SOUND, measured_by=""), ["orders"])] == ["measured_by"]
    assert [c.where for c in complaints(replace(SOUND, measured_by="order"), ["orders"])] == ["measured_by"]
    assert [c.where for c in complaints(replace(SOUND, will="users will like it"), ["orders"])] == ["will"]
    both = replace(SOUND, because=" ", will="orders rise and returns fall")
    assert [c.where for c in complaints(both, ["orders"])] == ["because", "will"]
    with pytest.raises(DefinitionError, match="direction"):
        refuse_unsound(replace(SOUND, will="it changes"), ["orders"])
    assert SOUND.sentence.startswith("Because many stop at payment we believe that one-click checkout, for returning")


def test_direction_is_read_off_the_words() -> None:
    assert direction("errors drop") == "decrease"
    assert direction("more orders") == "increase"
    assert direction("orders") is None


def test_words_meet_by_their_stems() -> None:
    assert set(stems("purchases paid by phone")) == {"order", "pay", "mobil"}
    assert set(subjects("orderCompleted")) & set(subjects("a purchase"))
    assert target("free shipping") == ""
    assert target("for returning users") == ""


def test_twenty_completed_experiments_make_a_prior_and_fewer_do_not() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0.01, 0.03, 200)
    past = [Past(str(i), "share", float(e + rng.normal(0, 0.01)), 0.01, bool(e > 0.03)) for i, e in enumerate(true)]
    found = effect_prior(past, "share")
    assert found.is_own
    assert found.count == 200
    assert found.mean == pytest.approx(0.01, abs=3.3 * (0.03**2 + 0.01**2) ** 0.5 / 200**0.5)
    assert found.sd == pytest.approx(0.03, rel=0.2)
    assert found.win_rate == pytest.approx(np.mean(true > 0.03))
    few = effect_prior(past[: ENOUGH - 1], "share")
    assert not few.is_own
    assert "Feit" in few.origin
    assert not effect_prior(past, "amount").is_own


def test_the_published_prior_holds_on_log_odds() -> None:
    # d p / p = (1 - p) d logit: half of the relative spread of a share near zero at .5.
    at = {p: effect_prior([], "share", share=p).sd for p in (0.0, 0.5, 0.68)}
    assert at[0.5] == pytest.approx(at[0.0] / 2)
    assert at[0.68] == pytest.approx(2**0.5 * 0.03 / 0.68)
    with pytest.raises(KeyError, match="no metric type"):
        family_of({"type": "quantil"})


def candidate(name: str, **more: object) -> Candidate:
    given = {"reach": 10_000.0, "gain": 100.0, "evidence": "finding", "days": 14.0, **more}
    return Candidate(name, **given)  # type: ignore[arg-type]


def test_ice_and_rice_by_hand() -> None:
    found = rank([candidate("a"), candidate("b", gain=50.0, evidence="opinion", days=42.0)], planned_days=14, seed=1)
    assert found.ice["a"].value == pytest.approx(10 * CONFIDENCE["finding"] * 5)
    assert found.ice["b"].value == pytest.approx(5 * CONFIDENCE["opinion"] * 2.5)
    assert found.rice["a"].value == pytest.approx(2_500 * 3 * 0.5)
    assert found.rice["b"].value == pytest.approx(2_500 * (0.25 + 2.75 / 2) * 0.2)
    assert found.order == ("a", "b")
    assert found.by == "RICE"


def test_a_clear_order_is_stable_and_a_tie_is_not() -> None:
    clear = rank(
        [candidate("a", gain=10_000.0), candidate("b", gain=10.0, evidence="opinion")], planned_days=14, seed=1
    )
    tie = rank([candidate("a"), candidate("b")], planned_days=14, seed=1)
    assert clear.stability > 0.95
    assert clear.agreement > 0.9
    assert tie.stability == pytest.approx(0.5, abs=0.03)
    assert rank([candidate("a")], planned_days=14, seed=1).stability == 1.0
    assert rank([], planned_days=14, seed=1).order == ()


def test_where_money_is_known_it_leads_and_costs_do_not_vary_with_it() -> None:
    found = rank(
        [candidate("a", value=1_000.0, gain=10.0), candidate("b", value=5_000.0, gain=1.0)], planned_days=14, seed=1
    )
    assert found.order == ("b", "a")
    assert found.by == "expected value"
    sunk = rank(
        [candidate("a", value=-900.0, spent=1_000.0), candidate("b", value=-999.0, spent=1_000.0)],
        planned_days=14,
        seed=1,
    )
    assert sunk.stability > 0.95
