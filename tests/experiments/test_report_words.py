"""When a result may be read, by what rule, and how far it is: the words around the numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.experiments.results import ANYTIME, CONVERTED, ERRORS, LATENCY, NOT_YET, RESULTS, SEQUENTIAL, SHIP

from paribus.experiments.decision import RULES
from paribus.experiments.report import csv, method, page
from paribus.experiments.report.row import Reading, absolute_effect, margin, reading, row
from paribus.stats.estimate import Estimate, Reason, Undetermined


def test_every_rule_of_the_decision_has_words() -> None:
    assert sorted(method.CONDITIONS) == [rule.row for rule in RULES]


def test_when_a_result_may_be_read() -> None:
    assert method.may_be_read(SHIP) == "May be read once, at the plan's end on 16 Mar 2026, which is reached."
    assert method.may_be_read(NOT_YET) == "May be read once, at the plan's end on 16 Mar 2026, which lies ahead."
    assert method.may_be_read(ANYTIME).startswith("May be read at any time")
    assert "days 4, 7, 10, 14 after 2 Mar 2026" in method.may_be_read(SEQUENTIAL)
    assert method.may_be_read(RESULTS["unregistered"]).startswith("No plan says when to read it")


def test_a_corrected_relative_interval_has_no_uncorrected_absolute_one_beside_it() -> None:
    relative = CONVERTED.relative
    assert isinstance(relative, Estimate)
    alone = replace(CONVERTED, simultaneous=(relative.lower, relative.upper))
    assert "[" in absolute_effect(alone)
    wider = replace(CONVERTED, simultaneous=(relative.lower - 0.01, relative.upper + 0.01))
    assert absolute_effect(wider) == absolute_effect(alone).partition(" [")[0] + " pp"


def test_progress_counts_days_and_units() -> None:
    assert method.progress_words(NOT_YET) == (
        "8,698 of 100,000 planned units",
        "smallest arm 4,310 of at least 10,000",
        "day 2 of 14, 12 days left",
    )
    assert method.progress(NOT_YET).share == 0.08698
    naive = replace(NOT_YET, as_of=datetime(2026, 3, 4, 6, 30))
    assert method.progress(naive).days == 2


def test_a_plan_without_end_ends_after_its_runtime() -> None:
    inner = {**SHIP.plan["plan"], "end": None, "runtime_days": 7}
    result = replace(SHIP, plan={**SHIP.plan, "plan": inner})
    assert method.planned_end(result) == datetime(2026, 3, 9, tzinfo=UTC)


def test_the_corrected_interval_and_p_are_shown_together() -> None:
    shown = reading(CONVERTED)
    assert isinstance(shown, Reading)
    assert (shown.lower, shown.upper, shown.p_value) == (0.0191, 0.0957, 0.0016)


def test_without_a_relative_effect_the_absolute_one_is_shown() -> None:
    zero = replace(CONVERTED, simultaneous=None, relative=Undetermined(Reason.ZERO_BASELINE))
    shown = row(zero)
    assert shown.effect == "+0.69 pp"
    assert shown.interval == "[+0.29, +1.09] pp"
    corrected = row(replace(zero, simultaneous=(0.002, 0.0118)))
    assert corrected.interval == "[+0.20, +1.18] pp"
    neither = row(replace(zero, absolute=Undetermined(Reason.NO_VARIANCE)))
    assert (neither.effect, neither.interval, neither.p) == ("", "", "")
    assert neither.reason == "the metric does not vary"


def test_margins_say_which_way_harm_lies() -> None:
    assert margin(LATENCY) == "≤+2%"
    assert margin(replace(ERRORS, direction="increase")) == "≥-5%"
    assert margin(replace(CONVERTED, margin=0.004, margin_absolute=True)) == "≥-0.400 pp"
    assert margin(CONVERTED) == ""


def test_p_values_are_named_after_the_method() -> None:
    assert [method.p_name(r) for r in (SHIP, SEQUENTIAL, ANYTIME)] == ["p", "repeated p", "always-valid p"]


def test_arms_are_counted_with_the_control_named() -> None:
    result = replace(SHIP, units={"a": 1_000, "b": 1_001}, control="a")
    assert method.arms_words(result) == "a (control) 1,000 · b 1,001"


def test_a_reading_that_the_plan_forbids_shows_no_arm_either() -> None:
    shown = row(NOT_YET.comparisons[0])
    assert (shown.control, shown.treatment) == ("–", "–")
    for written in (repr(NOT_YET), csv(NOT_YET), page(NOT_YET).split("<script")[0]):
        assert "12.03%" not in written
        assert "0.1203" not in written
        assert "6,041" not in written
