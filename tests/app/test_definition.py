"""Definitions through the store: what is written can always be evaluated, and everyone sees the same."""

from datetime import UTC, datetime

import pytest
from paribus_sdk import Evaluator

from paribus.app import definition
from paribus.errors import Conflict, DefinitionError, InputError, NotFound
from paribus.flags import change
from paribus.flags.record import Placement
from paribus.store import Address, open_store

WHO = {"author": "tester", "reason": "test"}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "definitions.sqlite", clock=lambda: datetime.now(UTC))
    yield opened
    opened.close()


def flag(key="checkout", **given):
    return change.create(key, environment="dev", **given)


def with_rule(body, **rule):
    rules = [{"id": "first", **rule}, *body["environments"]["dev"]["rules"]]
    return body | {"environments": {"dev": body["environments"]["dev"] | {"rules": rules}}}


def test_what_is_written_is_what_an_evaluator_decides_by(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    evaluator = Evaluator(definition.snapshot(store, "default", "dev"))
    shares = [evaluator.evaluate("checkout", f"u{i}", {}).variant for i in range(4000)]
    # Binomial(4000, .5): four standard deviations are 126.
    assert abs(shares.count("treatment") - 2000) < 130
    assert evaluator.evaluate("checkout", "u1", {}).reason == "SPLIT"


def test_a_ramp_moves_nobody_who_was_in(store):
    definition.write(store, "flag", "checkout", flag(traffic_bp=2000), expected=0, **WHO)
    before = Evaluator(definition.snapshot(store, "default", "dev"))
    definition.change(store, "flag", "checkout", lambda body: change.ramped("checkout", body, "dev", 6000), **WHO)
    after = Evaluator(definition.snapshot(store, "default", "dev"))
    units = [f"u{i}" for i in range(5000)]
    inside = [unit for unit in units if before.evaluate("checkout", unit, {}).reason == "SPLIT"]
    assert 850 < len(inside) < 1150
    for unit in inside:
        assert after.evaluate("checkout", unit, {}).variant == before.evaluate("checkout", unit, {}).variant


def test_a_kill_gives_everyone_the_default(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    definition.change(store, "flag", "checkout", lambda body: change.killed("checkout", body, "dev"), **WHO)
    evaluator = Evaluator(definition.snapshot(store, "default", "dev"))
    decisions = {(d.variant, d.reason) for d in (evaluator.evaluate("checkout", f"u{i}", {}) for i in range(100))}
    assert decisions == {("control", "KILLED")}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"when": {"attribute": "x", "op": "matches", "value": "("}, "variant": "treatment"}, "checkout"),
        ({"when": {"audience": "nobody"}, "variant": "treatment"}, "nobody"),
        ({"when": {"attribute": "x", "op": "near", "value": 1}, "variant": "treatment"}, "near"),
        ({"variant": "purple"}, "purple"),
    ],
)
def test_a_rule_that_no_evaluator_could_use_is_refused_and_nothing_is_written(store, rule, said):
    with pytest.raises(DefinitionError, match=said):
        definition.write(store, "flag", "checkout", with_rule(flag(), **rule), expected=0, **WHO)
    assert store.find(Address("default", "flag", "checkout")) is None


def test_an_audience_in_use_cannot_be_broken_or_removed(store):
    audience = {"when": {"attribute": "plan", "op": "equals", "value": "pro"}}
    definition.write(store, "audience", "pro", audience, expected=0, **WHO)
    body = with_rule(flag(), when={"audience": "pro"}, variant="treatment")
    definition.write(store, "flag", "checkout", body, expected=0, **WHO)
    with pytest.raises(DefinitionError, match="checkout"):
        definition.write(store, "audience", "pro", {"when": {"audience": "gone"}}, expected=1, **WHO)
    with pytest.raises(DefinitionError, match="checkout"):
        definition.write(store, "audience", "pro", None, expected=1, **WHO)


def test_a_stale_write_is_a_conflict_and_a_change_reads_again(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    definition.change(store, "flag", "checkout", lambda body: change.ramped("checkout", body, "dev", 1000), **WHO)
    with pytest.raises(Conflict):
        definition.write(store, "flag", "checkout", flag(), expected=1, **WHO)

    interfered = iter([True])

    def step(body):
        if next(interfered, False):  # someone else writes between our read and our write
            definition.change(store, "flag", "checkout", lambda b: change.killed("checkout", b, "dev"), **WHO)
        return change.ramped("checkout", body, "dev", 2000)

    written = definition.change(store, "flag", "checkout", step, **WHO)
    state = written.body["environments"]["dev"]
    assert state["killed"]
    assert state["rules"][0]["rollout"]["traffic_bp"] == 2000


def test_doing_nothing_writes_nothing(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    same = definition.change(store, "flag", "checkout", lambda body: body, **WHO)
    assert same.number == 1


def test_an_override_reaches_evaluators_and_names_no_unit_in_a_document(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    before = store.position("default")
    definition.place(store, Placement("default", "dev", "checkout", "tester-7", "treatment", "override"), **WHO)
    assert store.position("default") > before
    decided = Evaluator(definition.snapshot(store, "default", "dev")).evaluate("checkout", "tester-7", {})
    assert (decided.variant, decided.reason) == ("treatment", "OVERRIDE")
    assert "tester-7" not in str([each.body for each in store.history(Address("default", "flag", "checkout"))])
    store.erase(["tester-7"])
    decided = Evaluator(definition.snapshot(store, "default", "dev")).evaluate("checkout", "tester-7", {})
    assert decided.reason == "SPLIT"


def test_a_misspelled_key_is_answered_with_the_nearest(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    with pytest.raises(NotFound) as missing:
        definition.read(store, "flag", "chekout")
    assert missing.value.fix == "did you mean 'checkout'?"


def test_an_unknown_kind_is_refused(store):
    with pytest.raises(InputError, match="no kind"):
        definition.write(store, "flags", "x", {}, expected=0, **WHO)


def test_an_environment_where_a_flag_is_not_set_up_serves_the_default(store):
    definition.write(store, "flag", "checkout", flag(), expected=0, **WHO)
    decided = Evaluator(definition.snapshot(store, "default", "production")).evaluate("checkout", "u1", {})
    assert (decided.variant, decided.reason) == ("control", "DISABLED")


def test_a_new_split_moves_nobody_and_is_for_new_units_only(store):
    definition.write(store, "flag", "checkout", flag(traffic_bp=3000), expected=0, **WHO)
    before = Evaluator(definition.snapshot(store, "default", "dev"))
    weights = {"control": 1000, "treatment": 9000}
    definition.change(store, "flag", "checkout", lambda body: change.resplit("checkout", body, "dev", weights), **WHO)
    definition.change(store, "flag", "checkout", lambda body: change.ramped("checkout", body, "dev", 10_000), **WHO)
    after = Evaluator(definition.snapshot(store, "default", "dev"))
    units = [f"u{i}" for i in range(6000)]
    earlier = {unit: before.evaluate("checkout", unit, {}) for unit in units}
    later = {unit: after.evaluate("checkout", unit, {}) for unit in units}
    kept = [unit for unit in units if earlier[unit].reason == "SPLIT"]
    new = [unit for unit in units if earlier[unit].reason == "DEFAULT"]
    assert all(later[unit].variant == earlier[unit].variant and later[unit].epoch == 1 for unit in kept)
    assert {later[unit].epoch for unit in new} == {2}
    share = sum(later[unit].variant == "treatment" for unit in new) / len(new)
    assert share == pytest.approx(0.9, abs=0.02)  # four standard errors of a share of .9 among 4,200
