"""The evaluator's surface: all flags at once, forced variants, breakers, problems, types, and the cost of importing."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from paribus_sdk import Decision, Evaluator
from tests.sdk.snapshots import compare, flag, gives, rolls, snapshot

WEIGHTED = {"control": 3000, "treatment": 7000}


def test_a_split_decision_carries_all_that_an_exposure_needs() -> None:
    rule = rolls(WEIGHTED, 9_999, epoch=4, when=compare("country", "equals", "SE"))
    evaluator = Evaluator(snapshot({"f": flag(rule, unit_type="account")}))
    decision = next(
        decision
        for number in range(100)
        if (decision := evaluator.evaluate("f", f"u{number}", {"country": "SE", "plan": "pro"})).variant == "treatment"
    )
    assert decision.to_dict() == {
        "flag": "f",
        "value": True,
        "variant": "treatment",
        "assigned": "treatment",
        "served": "treatment",
        "reason": "SPLIT",
        "error_code": None,
        "error_message": None,
        "revision": 3,
        "epoch": 4,
        "traffic_bp": 9_999,
        "split_bp": 7_000,
        "probability": 0.7,
        "rule": "r1",
        "unit": decision.unit,
        "unit_type": "account",
        "attributes": {"country": "SE"},
    }


def test_all_flags_are_decided_in_their_order_and_browsers_see_theirs_only() -> None:
    flags = {
        "one": flag(gives("treatment")),
        "secret": flag(gives("treatment"), client=False),
        "broken": flag(gives("nothing"), client=False),
        "no default": flag(default_variant="nothing"),
        "unmarked": {name: part for name, part in flag(gives("treatment")).items() if name != "client"},
    }
    evaluator = Evaluator(snapshot(flags))
    for _ in range(2):
        assert [(decision.flag, decision.value) for decision in evaluator.evaluate_all("u1")] == [
            ("one", True),
            ("secret", True),
            ("broken", False),
            ("no default", None),
            ("unmarked", True),
        ]
        assert [decision.flag for decision in evaluator.evaluate_all("u1", {}, client_only=True)] == [
            "one",
            "no default",
        ]
    assert evaluator.flags == tuple(flags)


def test_a_tripped_breaker_keeps_the_assignment_and_serves_the_default() -> None:
    evaluator = Evaluator(snapshot({"f": flag(rolls({"treatment": 10_000}, when=compare("a", "exists", True)))}))
    tripped = evaluator.evaluate("f", "u1", {"a": 1}).tripped()
    assert (tripped.reason, tripped.assigned, tripped.served) == ("BREAKER", "treatment", "control")
    assert (tripped.variant, tripped.value, tripped.unit) == ("control", False, "u1")
    assert (tripped.epoch, tripped.split_bp, tripped.attributes) == (1, 10_000, {"a": 1})
    assert tripped.tripped() is tripped


def test_a_decision_that_is_not_randomized_does_not_trip() -> None:
    decision = Evaluator(snapshot({"f": flag(gives("treatment"))})).evaluate("f", "u1")
    assert decision.tripped() is decision


def test_a_variant_can_be_forced() -> None:
    evaluator = Evaluator(snapshot({"f": flag(gives("control")), "broken": flag(gives("nothing"))}))
    forced = evaluator.force("f", 7, "treatment")
    assert forced is not None
    assert (forced.value, forced.reason, forced.unit, forced.revision) == (True, "OVERRIDE", "7", 3)
    assert evaluator.force("f", "u1", "nothing") is None
    assert evaluator.force("nothing", "u1", "treatment") is None
    assert (broken := evaluator.force("broken", "u1", "treatment")) is not None
    assert broken.value is True


def test_problems_say_which_flag_where_and_why() -> None:
    flags = {
        "checkout": flag(gives("treatment", {"all": [compare("age", "at_least", "18")]})),
        "lists": flag(gives("control"), overrides={"u1": "gone"}),
    }
    checkout, lists = sorted(Evaluator(snapshot(flags)).problems, key=lambda problem: str(problem.flag))
    assert str(checkout) == "checkout: rules[0].when.all[0].value: the value must be a number"
    assert (lists.flag, lists.where, lists.broken) == ("lists", "overrides", False)
    assert str(lists).endswith("a unit is given 'gone', which is no variant: ignored")


@pytest.mark.parametrize(
    ("part", "where"),
    [
        (None, "snapshot"),
        ([], "snapshot"),
        ({"flags": {}}, "format"),
        ({"format": 2, "flags": {}}, "format"),
        ({"format": True, "flags": {}}, "format"),
        ({"format": 1, "flags": []}, "flags"),
    ],
)
def test_a_snapshot_that_cannot_be_read_says_so(part: Any, where: str) -> None:
    evaluator = Evaluator(part)
    assert not evaluator.usable
    assert [problem.where for problem in evaluator.problems] == [where]
    assert evaluator.evaluate("f", "u1", default="mine").error_code == "FLAG_NOT_FOUND"


def test_the_snapshot_says_where_it_comes_from() -> None:
    evaluator = Evaluator(snapshot({}))
    assert (evaluator.project, evaluator.environment, evaluator.revision) == ("default", "test", 1)
    assert evaluator.usable


@pytest.mark.parametrize(("kind", "value", "shown"), [("integer", 7, "7"), ("float", 7.0, "7.0"), (None, 7, "7")])
def test_an_integer_may_be_read_as_a_float(kind: str | None, value: float, shown: str) -> None:
    definition = flag(type="integer", variants=[{"name": "control", "value": 7}])
    decision = Evaluator(snapshot({"f": definition})).evaluate("f", "u1", kind=kind, default=1)
    assert (decision.value, repr(decision.value), decision.variant) == (value, shown, "control")


def test_whole_numbers_take_the_type_of_their_flag() -> None:
    flags = {
        "integer": flag(type="integer", variants=[{"name": "control", "value": 7.0}]),
        "float": flag(type="float", variants=[{"name": "control", "value": 7}]),
    }
    evaluator = Evaluator(snapshot(flags))
    assert [repr(evaluator.evaluate(key, "u1").value) for key in flags] == ["7", "7.0"]


def test_times_may_be_datetimes_with_a_zone() -> None:
    evaluator = Evaluator(snapshot({"f": flag(gives("treatment", compare("t", "before", "2026-01-31T12:00:00Z")))}))
    moment = datetime(2026, 1, 31, 12, 59, tzinfo=timezone(timedelta(hours=1)))
    assert evaluator.evaluate("f", "u1", {"t": moment}).variant == "treatment"
    assert evaluator.evaluate("f", "u1", {"t": moment.replace(tzinfo=None)}).variant == "control"


def test_decisions_compare_copy_and_travel() -> None:
    evaluator = Evaluator(snapshot({"f": flag(rolls(when=compare("a", "equals", 1)))}))
    first, second = (evaluator.evaluate("f", "u1", {"a": 1}) for _ in range(2))
    assert first == second
    assert first.outcome is second.outcome
    assert first != evaluator.evaluate("f", "u1", {"a": 2})
    assert copy.copy(first) == first
    assert pickle.loads(pickle.dumps(first)) == first
    assert repr(first) == f"Decision('f', unit='u1', variant={first.variant!r}, value={first.value!r}, reason=SPLIT)"


def test_threads_share_an_evaluator_from_its_first_decision_on() -> None:
    flags = {f"f{number}": flag(rolls(salt=f"s{number}", when=compare("a", "equals", number))) for number in range(50)}
    evaluator, found = Evaluator(snapshot(flags)), []
    barrier = threading.Barrier(8)

    def decide() -> None:
        barrier.wait()
        found.append([decision.variant for decision in evaluator.evaluate_all("u1", {"a": 1})])

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each == found[0] for each in found)


def test_importing_costs_little_and_takes_no_regular_expressions_or_network_along() -> None:
    # Process CPU varies with the machine's load: the standard library's part, about 18 ms, is the measure.
    code = (
        "import sys, time; started = time.process_time(); import dataclasses, functools, re, typing; "
        "standard = time.process_time(); from paribus_sdk import Evaluator; "
        "print((time.process_time() - standard) / (standard - started)); "
        "print([name for name in ('re2', 'urllib3', 'paribus', 'asyncio') if name in sys.modules])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    ratio, loaded = min(run.stdout.split() for run in runs)
    assert loaded == "[]"
    assert float(ratio) < 3.5


def test_a_decision_is_one_object() -> None:
    assert isinstance(Evaluator(snapshot({})).evaluate("f", "u1"), Decision)
    assert not hasattr(Evaluator(snapshot({})).evaluate("f", "u1"), "__dict__")
