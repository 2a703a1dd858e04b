"""The decision rule: every row reached, in order, with a sentence that carries the numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.experiments.decision import RULES, ArmEvidence, Evidence, Finding, decide, describe_unregistered
from paribus.experiments.result import Conclusion, VerdictValue
from paribus.metrics.definition import Role

UNITS = {"control": 12_000, "treatment": 12_000}


def success(conclusion: Conclusion, name: str = "conversion", effect: float = 0.03) -> Finding:
    return Finding(name, Role.SUCCESS, conclusion, "+3.1%, 95% interval [+1.1%, +5.1%]", effect)


def guardrail(conclusion: Conclusion, name: str = "latency", needed: int | None = None) -> Finding:
    return Finding(name, Role.GUARDRAIL, conclusion, "-0.4%, 95% interval [-2.0%, +1.2%]", 0.0, needed)


def evidence(*findings: Finding, **changes: object) -> Evidence:
    made = Evidence((ArmEvidence("treatment", findings),), dict(UNITS), min_sample_size=10_000)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_row_1_a_blocking_check_hides_everything() -> None:
    verdict = decide(evidence(success("better"), guardrail("harmful"), blocking=("The sample ratio does not fit.",)))
    assert (verdict.value, verdict.rule) == (VerdictValue.INVALID, 1)
    assert "The sample ratio does not fit." in verdict.sentence
    assert "3.1%" not in verdict.sentence + " ".join(verdict.reasons)


@pytest.mark.parametrize(
    "findings",
    [(success("better"), guardrail("harmful")), (success("worse"),), (success("better"), success("worse", "revenue"))],
)
def test_row_2_harm_rolls_back(findings: tuple[Finding, ...]) -> None:
    verdict = decide(evidence(*findings))
    assert (verdict.value, verdict.rule, verdict.arm) == (VerdictValue.ROLL_BACK, 2, "treatment")


def test_row_2_is_exempt_from_minimum_sample_and_horizon() -> None:
    few = {"control": 300, "treatment": 300}
    verdict = decide(evidence(guardrail("harmful"), units=few, ended=False))
    assert verdict.value is VerdictValue.ROLL_BACK


def test_row_3_one_unit_short_of_the_minimum() -> None:
    short = evidence(success("better"), units={"control": 9_999, "treatment": 10_000})
    verdict = decide(short)
    assert (verdict.value, verdict.rule) == (VerdictValue.NOT_YET, 3)
    assert "control has 9,999 matured units of the 10,000" in verdict.sentence
    enough = replace(short, units={"control": 10_000, "treatment": 10_000})
    assert decide(enough).value is VerdictValue.SHIP


def test_row_3_the_plan_forbids_a_reading() -> None:
    verdict = decide(evidence(success("undetermined"), forbidden=("a fixed-horizon plan is read once, at its end",)))
    assert (verdict.value, verdict.rule) == (VerdictValue.NOT_YET, 3)
    assert "read once" in verdict.sentence


def test_row_3_nothing_crossed_before_the_end() -> None:
    running = evidence(success("inconclusive"), guardrail("safe"), ended=False, until="16 Mar 2026")
    assert decide(running).value is VerdictValue.NOT_YET
    assert "16 Mar 2026" in decide(running).sentence


def test_row_4_ships_even_before_the_end() -> None:
    verdict = decide(evidence(success("better"), success("inconclusive", "revenue"), guardrail("safe"), ended=False))
    assert (verdict.value, verdict.rule, verdict.arm) == (VerdictValue.SHIP, 4, "treatment")
    assert "conversion (+3.1%" in verdict.sentence
    assert "latency shown safe" in verdict.sentence


@pytest.mark.parametrize("conclusion", ["not shown safe", "undetermined"])
def test_row_5_an_underpowered_guardrail_says_what_it_needs(conclusion: Conclusion) -> None:
    verdict = decide(evidence(success("better"), guardrail("safe", "errors"), guardrail(conclusion, needed=212_000)))
    assert (verdict.value, verdict.rule) == (VerdictValue.ITERATE, 5)
    assert "212,000 units in each arm" in verdict.sentence
    assert "errors" not in verdict.sentence


def test_row_6_neutral_when_every_success_interval_is_small() -> None:
    verdict = decide(evidence(success("equivalent"), guardrail("not shown safe")))
    assert (verdict.value, verdict.rule) == (VerdictValue.NEUTRAL, 6)
    both = decide(evidence(success("equivalent"), success("inconclusive", "revenue")))
    assert both.value is VerdictValue.ITERATE


def test_row_7_inconclusive_at_the_end() -> None:
    verdict = decide(evidence(success("inconclusive"), guardrail("safe")))
    assert (verdict.value, verdict.rule) == (VerdictValue.ITERATE, 7)
    assert decide(evidence(guardrail("safe"))).sentence == (
        "Iterate: the plan names no success metric, so nothing can be shown better."
    )


def test_the_arm_that_ships_passes_every_guardrail_itself() -> None:
    """An arm's success cannot ride on another arm's safety."""
    a = ArmEvidence("a", (success("better"), guardrail("not shown safe")))
    b = ArmEvidence("b", (success("inconclusive"), guardrail("safe")))
    assert decide(evidence(arms=(a, b))).rule == 5
    c = ArmEvidence("c", (success("better", effect=0.02), guardrail("safe")))
    verdict = decide(evidence(arms=(a, b, c)))
    assert (verdict.value, verdict.arm) == (VerdictValue.SHIP, "c")


def test_of_two_arms_that_may_ship_the_larger_effect_does() -> None:
    arms = tuple(
        ArmEvidence(n, (success("better", effect=e), guardrail("safe"))) for n, e in (("a", 0.02), ("b", 0.05))
    )
    verdict = decide(evidence(arms=arms))
    assert verdict.arm == "b"
    assert "a would do too" in verdict.sentence


def test_every_row_has_its_number() -> None:
    assert [rule.row for rule in RULES] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("findings", "would_be"),
    [
        ((success("better"), guardrail("safe")), VerdictValue.SHIP),
        ((success("worse"),), VerdictValue.ROLL_BACK),
        ((success("inconclusive"),), VerdictValue.ITERATE),
    ],
)
def test_without_a_seal_there_is_no_verdict(findings: tuple[Finding, ...], would_be: VerdictValue) -> None:
    verdict = describe_unregistered(evidence(*findings))
    assert (verdict.value, verdict.rule, verdict.would_be, verdict.arm) == (
        VerdictValue.UNREGISTERED,
        0,
        would_be,
        None,
    )
    assert "ship" not in (verdict.sentence + " ".join(verdict.reasons)).lower()


def test_an_invalid_unregistered_reading_names_its_cause() -> None:
    verdict = describe_unregistered(evidence(success("better"), blocking=("The sample ratio does not fit.",)))
    assert verdict.would_be is VerdictValue.INVALID
    assert "sample ratio" in verdict.sentence


SUCCESS: tuple[Conclusion, ...] = ("better", "worse", "inconclusive", "equivalent", "undetermined")
GUARDRAIL: tuple[Conclusion, ...] = ("safe", "harmful", "not shown safe", "undetermined")


def test_the_table_against_a_second_reading_of_it() -> None:
    """All combinations of one success metric, one guardrail, time and sample, against the table spelled out again."""
    for s, g, ended, enough, blocked, forbidden in product(SUCCESS, GUARDRAIL, *[(False, True)] * 4):
        made = evidence(
            success(s),
            guardrail(g),
            ended=ended,
            units=UNITS if enough else {"control": 1, "treatment": 1},
            blocking=("Something.",) if blocked else (),
            forbidden=("not now",) if forbidden else (),
        )
        if blocked:
            expected = 1
        elif g == "harmful" or s == "worse":
            expected = 2
        elif forbidden or not enough:
            expected = 3
        elif s == "better":
            expected = 4 if g == "safe" else 5
        elif not ended:
            expected = 3
        else:
            expected = 6 if s == "equivalent" else 7
        assert decide(made).rule == expected, (s, g, ended, enough)


@given(
    st.lists(st.tuples(st.sampled_from(SUCCESS), st.sampled_from(GUARDRAIL)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["better", "worse", "inconclusive"]),
)
def test_secondary_metrics_never_touch_the_verdict(
    arms: list[tuple[Conclusion, Conclusion]], ended: bool, secondary: Conclusion
) -> None:
    extra = Finding("clicks", Role.SECONDARY, secondary, "+90%")
    plain = tuple(ArmEvidence(f"t{i}", (success(s), guardrail(g))) for i, (s, g) in enumerate(arms))
    more = tuple(ArmEvidence(arm.variant, (*arm.findings, extra)) for arm in plain)
    assert decide(evidence(arms=plain, ended=ended)) == decide(evidence(arms=more, ended=ended))
