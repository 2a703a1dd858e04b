"""The recommendation follows the verdict, whatever else is true; money is withheld where it would mislead."""

from __future__ import annotations

import pytest

from paribus.experiments.result import VerdictValue
from paribus.impact.recommendation import BY_VERDICT, recommendation, withheld

NONE = "none because carts are not shared"


@pytest.mark.parametrize("verdict", VerdictValue)
def test_every_verdict_has_one_recommendation_that_cannot_contradict_it(verdict: VerdictValue) -> None:
    found = recommendation(verdict, 3, "a sentence.")
    assert (found.action == "full rollout") == (verdict is VerdictValue.SHIP)
    assert (found.action == "roll back") == (verdict is VerdictValue.ROLL_BACK)
    assert found.action == BY_VERDICT[verdict]
    assert "rule 3" in found.why
    assert "a sentence." in found.why


def test_money_is_withheld_for_hidden_results_shared_resources_and_unknown_economics() -> None:
    def reason(
        verdict: VerdictValue = VerdictValue.SHIP, *, hidden: bool = False, interference: str = NONE, money: bool = True
    ) -> str:
        return withheld(verdict, hidden=hidden, interference=interference, money=money)

    assert reason() == ""
    assert reason(VerdictValue.ROLL_BACK) == ""
    assert "health check" in reason(hidden=True)
    assert "health check" in reason(VerdictValue.INVALID)
    assert "shared_resource" in reason(interference="shared_resource")
    assert "value_per_conversion" in reason(money=False)
    assert "plan" in reason(VerdictValue.NOT_YET)
    assert "registered" in reason(VerdictValue.UNREGISTERED)
