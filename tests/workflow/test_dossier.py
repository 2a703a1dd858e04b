"""The dossier: states, staleness, approvals, redo; every number with its evidence; export that reads alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from paribus.errors import Conflict, DefinitionError, InputError, NotFound
from paribus.store import open_store
from paribus.workflow import STEPS, Artifact, Config, Evidence, Feature, Outcome, downstream, named
from paribus.workflow.artifact import refuse_unsupported, resolve
from paribus.workflow.block import Code, Heading, Listing, Paragraph, Table
from paribus.workflow.config import Approvals
from paribus.workflow.dossier import Dossier, State, key_of
from paribus.workflow.effect import Effects
from paribus.workflow.markdown import markdown
from paribus.workflow.page import marked
from paribus.workflow.walk import Stop, next_stop

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FEATURE = Feature("one-click", "one-click checkout for returning mobile users")


@pytest.fixture
def dossier(tmp_path):
    store = open_store(tmp_path / "definitions.sqlite", clock=lambda: NOW)
    yield Dossier(store)
    store.close()


def made(dossier, slug, facts=None, *, checks=(), config=None):
    """A step's artifact as the step would make it from what stands in the dossier."""
    step = named(slug)
    known = dossier.artifacts(FEATURE.key)
    return Artifact(
        step=slug,
        role=step.role,
        feature=FEATURE.key,
        requirement=FEATURE.requirement,
        summary=f"{step.title} is done.",
        facts=facts or {"n": {"value": 1, "evidence": "e"}},
        evidence={"e": Evidence(kind="config", title="said")},
        checks=checks,
        inputs={need: known[need].hash for need in step.needs if need in known},
        settings=(config or Config()).hash,
    )


def through(dossier, last, config=None):
    for step in STEPS:
        dossier.save(made(dossier, step.slug, config=config), author="ann")
        if step.slug in (config or Config()).approvals.required:
            dossier.approve(FEATURE.key, step.slug, author="bob")
        if step.slug == last:
            return


def state(dossier, slug):
    return next(each for each in dossier.states(FEATURE.key) if each.step.slug == slug)


def test_sixteen_steps_in_six_phases_depend_on_earlier_ones_only():
    assert [step.number for step in STEPS] == list(range(1, 17))
    assert [step.phase for step in STEPS] == sorted(step.phase for step in STEPS)
    assert len({step.role for step in STEPS}) == 9
    for step in STEPS:
        assert all(named(need).number < step.number for need in step.needs)
        assert step.needs or step.slug == "explore"


def test_a_changed_artifact_makes_all_that_depends_on_it_stale(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "instrument")
    assert {each.state for each in dossier.states(FEATURE.key)[:5]} == {State.DONE}
    dossier.save(made(dossier, "hypothesize", {"n": {"value": 2, "evidence": "e"}}), author="ann")
    stale = [each.step.slug for each in dossier.states(FEATURE.key) if each.state is State.STALE]
    assert stale == ["design", "architect", "instrument"]
    assert "hypothesize changed since" in state(dossier, "design").reason


def test_the_same_artifact_again_changes_nothing(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "design")
    before = dossier.store.position("default")
    dossier.save(made(dossier, "explore"), author="ann")
    assert dossier.store.position("default") == before


def test_redo_says_what_became_stale_and_the_walk_begins_there(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "instrument")
    assert dossier.redo(FEATURE.key, "design", author="ann", why="wrong margin") == ("architect", "instrument")
    at = next_stop(dossier, FEATURE.key)
    assert not isinstance(at, Stop)
    assert at.step.slug == "design"
    assert dossier.generation(FEATURE.key, "design") == 2


def test_another_configuration_makes_everything_stale(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "hypothesize")
    dossier.configure(FEATURE.key, Config(method="fixed"), author="ann")
    assert state(dossier, "explore").state is State.STALE


def test_an_approval_is_of_one_artifact_and_of_as_many_people_as_the_policy_asks(dossier):
    config = Config(approvals=Approvals(required=("explore",), roles=2))
    dossier.new(FEATURE, config, author="ann")
    dossier.save(made(dossier, "explore", config=config), author="ann")
    assert next_stop(dossier, FEATURE.key).kind == "approval"
    assert dossier.approve(FEATURE.key, "explore", author="bob").state is State.APPROVAL
    assert dossier.approve(FEATURE.key, "explore", author="bob").state is State.APPROVAL  # the same person counts once
    assert dossier.approve(FEATURE.key, "explore", author="cyn").state is State.DONE
    dossier.save(made(dossier, "explore", {"n": {"value": 3, "evidence": "e"}}, config=config), author="ann")
    assert state(dossier, "explore").state is State.APPROVAL


def test_a_rejection_needs_a_reason_and_stops_the_walk(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "explore")
    with pytest.raises(InputError, match="reason"):
        dossier.reject(FEATURE.key, "explore", author="bob", why=" ")
    assert dossier.reject(FEATURE.key, "explore", author="bob", why="too short").state is State.REJECTED
    assert next_stop(dossier, FEATURE.key) == Stop("rejected", "explore", "too short")


def test_a_failed_check_that_blocks_is_mended_and_not_approved(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    failed = Outcome(name="coverage", status="failed", message="a button is not tracked")
    dossier.save(made(dossier, "explore", checks=(failed,)), author="ann")
    assert state(dossier, "explore").state is State.BLOCKED
    with pytest.raises(Conflict, match="mended"):
        dossier.approve(FEATURE.key, "explore", author="bob")
    assert next_stop(dossier, FEATURE.key).kind == "blocked"


def test_a_vague_requirement_is_refused_and_nothing_is_stored(dossier):
    for text in ("", "  ", "42", "make it", "checkout"):
        with pytest.raises(InputError) as error:
            dossier.new(Feature("x", text), Config(), author="ann")
        assert "one-click checkout" in error.value.fix
    assert dossier.store.position("default") == 0


def test_unknown_features_and_steps_name_the_nearest(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    with pytest.raises(NotFound, match="one-click"):
        dossier.feature("one-clik")
    with pytest.raises(InputError, match="design"):
        dossier.artifact(FEATURE.key, "desing")
    with pytest.raises(Conflict):
        dossier.new(FEATURE, Config(), author="ann")


def test_a_number_without_evidence_is_refused(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    with pytest.raises(DefinitionError, match="has no evidence"):
        dossier.save(made(dossier, "explore", {"units": 12}), author="ann")
    with pytest.raises(DefinitionError, match="not there"):
        dossier.save(made(dossier, "explore", {"n": {"value": 1, "evidence": "nowhere"}}), author="ann")


def test_evidence_may_stand_in_an_earlier_artifact(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "explore")
    later = made(dossier, "hypothesize", {"n": {"value": 1, "evidence": "explore/e"}})
    refuse_unsupported(later, dossier.artifacts(FEATURE.key))
    assert resolve("explore/e", later, dossier.artifacts(FEATURE.key)).title == "said"


def test_an_effect_happens_once_in_each_making(dossier):
    done = []
    first = Effects(dossier.store, "f", "setup", 0)
    for _ in range(3):
        assert first.once("kill", lambda: done.append(1) or {"revision": len(done)}) == {"revision": 1}
    assert Effects(dossier.store, "f", "setup", 1).once("kill", lambda: {"revision": 9}) == {"revision": 9}
    assert done == [1]


def test_downstream_follows_the_whole_graph():
    assert [step.slug for step in downstream(["analyze"])] == ["impact", "optimize"]
    assert len(downstream(["explore"])) == 15


def test_keys_come_from_the_telling_words():
    assert key_of("One-click checkout for returning mobile users!") == "one-click-checkout-returning-mobile-users"
    assert key_of("Ünïcode only 日本") == "n-code-only"


def test_markdown_escapes_and_keeps_its_fences():
    text, drawings = markdown(
        [
            Heading("A"),
            Paragraph("p"),
            Listing(["x"]),
            Table(("a", "b"), [("1|2", "3")], right=("b",)),
            Code("```\n", "md"),
        ],
        prefix="01",
    )
    assert "| 1\\|2 | 3 |" in text
    assert "|---|---:|" in text
    assert "````md" in text
    assert drawings == {}


def test_html_text_is_escaped_before_it_is_marked():
    assert marked("<b> `a<b` **x**") == "&lt;b&gt; <code>a&lt;b</code> <strong>x</strong>"


def test_history_is_in_the_order_it_was_written(dossier):
    dossier.new(FEATURE, Config(), author="ann")
    through(dossier, "design")
    kinds = [revision.address.kind for revision in dossier.history(FEATURE.key)]
    assert kinds == ["feature", "artifact", "artifact", "artifact", "approval"]
    assert json.dumps([revision.body for revision in dossier.history(FEATURE.key)])
