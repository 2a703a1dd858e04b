"""The nine roles: who plays what, what each must not do, and that trying it is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from paribus.app.feature import Workshop, workshop
from paribus.errors import AccessError, InputError
from paribus.flags import change
from paribus.settings import Settings
from paribus.store import Address
from paribus.workflow.artifact import Artifact
from paribus.workflow.roles import limits, staff
from paribus.workflow.step import STEPS, named

NINE = {
    "machine-learning-ops::data-scientist": {"explore", "design", "analyze", "optimize"},
    "business-analytics::business-analyst": {"hypothesize", "impact"},
    "data-engineering::backend-architect": {"architect"},
    "data-engineering::data-engineer": {"instrument", "pipeline", "validate"},
    "backend-development::backend-architect": {"backend"},
    "frontend-mobile-development::frontend-developer": {"frontend"},
    "machine-learning-ops::ml-engineer": {"model"},
    "cloud-infrastructure::deployment-engineer": {"setup", "rollout"},
    "observability-monitoring::observability-engineer": {"monitor"},
}


def test_the_nine_play_the_sixteen_steps() -> None:
    assert {role.id: set(role.steps) for role in staff.ROLES} == NINE
    for step in STEPS:
        assert step.slug in staff.role_of(step).steps


@pytest.mark.parametrize("role", staff.ROLES, ids=lambda role: role.id)
def test_every_role_says_what_it_is_asked_and_where_it_stops(role: Any) -> None:
    assert len(role.brief.split()) > 30
    assert role.inputs
    assert role.tools
    assert role.limits
    assert {output.split(":")[0] for output in role.outputs} == set(role.steps)
    for step in role.played:
        assert any(step.artifact.split()[-1] in output or step.slug in output for output in role.outputs)


def test_each_role_stands_in_a_file_of_its_own() -> None:
    folder = Path(staff.__file__).parent
    holding = [path for path in folder.glob("*.py") if re.search(r"^ROLE = Role\(", path.read_text(), re.MULTILINE)]
    assert len(holding) == len(staff.ROLES)


@pytest.mark.parametrize("role", staff.ROLES, ids=lambda role: role.id)
def test_the_full_id_is_accepted_verbatim(role: Any) -> None:
    assert staff.role_named(role.id) is role


def test_the_last_part_is_enough_unless_two_share_it() -> None:
    assert staff.role_named("data-scientist").id == "machine-learning-ops::data-scientist"
    with pytest.raises(InputError, match="2 roles are called"):
        staff.role_named("backend-architect")
    assert staff.role_named("backend-architect", "architect").id == "data-engineering::backend-architect"
    assert staff.role_named("backend-architect", "backend").id == "backend-development::backend-architect"


@pytest.mark.parametrize(
    ("name", "step", "said"),
    [
        ("data-scientits", None, "did you mean 'data-scientist'?"),
        ("data-scientist", "impact", "business-analytics::business-analyst --step impact"),
        ("data-scientist", "exlore", "did you mean 'explore'?"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(name: str, step: str | None, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        staff.role_named(name, step)


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    with workshop(Settings(data=tmp_path / "data")) as opened:
        yield opened


def as_role(shop: Workshop, slug: str) -> limits.BoundedOperations:
    return limits.BoundedOperations(shop.operations, staff.role_of(named(slug)))


def flag(traffic_bp: int, environment: str = "production") -> dict[str, Any]:
    body: dict[str, Any] = change.create("checkout", environment=environment, traffic_bp=traffic_bp)
    return body


MOVERS = {"setup", "rollout"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_only_the_deployment_engineer_moves_traffic(shop: Workshop, step: Any) -> None:
    shop.operations.write("flag", "checkout", flag(0), author="test", reason="draft")
    bounded = as_role(shop, step.slug)
    tries = [
        lambda: bounded.change(
            "flag", "checkout", lambda body: change.ramped("checkout", body, "production", 5000), author="r", reason="r"
        ),
        lambda: bounded.write("flag", "other", flag(500), author="r", reason="r"),
        lambda: bounded.store.put(Address("default", "flag", "third"), flag(500), author="r", reason="r", expected=0),
    ]
    for attempt in tries:
        if step.slug in MOVERS:
            attempt()
        else:
            with pytest.raises(AccessError) as caught:
                attempt()
            assert caught.value.rule
            assert step.role in str(caught.value)
    moved = shop.operations.find("flag", "other") is not None
    assert moved == (step.slug in MOVERS)


def test_the_architect_drafts_a_flag_without_traffic_and_validation_uses_staging(shop: Workshop) -> None:
    as_role(shop, "architect").write("flag", "checkout", flag(0), author="r", reason="draft")
    as_role(shop, "validate").write("flag", "planted", flag(10_000, "staging"), author="r", reason="validation")
    with pytest.raises(AccessError, match="move traffic"):
        as_role(shop, "validate").write("flag", "real", flag(10_000), author="r", reason="validation")


def test_an_audience_is_the_architects_until_it_has_traffic(shop: Workshop) -> None:
    mobile = {"when": {"attribute": "device", "op": "in", "value": ["mobile"]}}
    everyone = {"when": {"attribute": "device", "op": "in", "value": ["mobile", "desktop"]}}
    architect = as_role(shop, "architect")
    architect.write("audience", "phones", mobile, author="r", reason="draft")
    architect.write("audience", "phones", everyone, author="r", reason="made again")
    live = flag(500)
    live["environments"]["production"]["rules"][0]["when"] = {"audience": "phones"}
    as_role(shop, "setup").write("flag", "checkout", live, author="r", reason="set up")
    with pytest.raises(AccessError, match="audience phones"):
        architect.write("audience", "phones", mobile, author="r", reason="made again")


@pytest.mark.parametrize("slug", ["hypothesize", "impact"])
def test_the_business_analyst_cannot_alter_statistical_results(shop: Workshop, slug: str) -> None:
    bounded = as_role(shop, slug)
    experiment = {"experiment": "checkout"}
    for attempt in (
        lambda: bounded.write("experiment", "checkout", experiment, author="r", reason="r"),
        lambda: bounded.write("tracking_plan", "default", {"events": {}}, author="r", reason="r"),
        lambda: bounded.seal("checkout", author="r", amend="a wider margin suits us"),
        lambda: bounded.store.put(Address("default", "seal", "checkout"), {}, author="r", reason="r", expected=0),
        lambda: bounded.store.put(Address("default", "artifact", "c.analyze"), {}, author="r", reason="r", expected=0),
        lambda: bounded.store.put(Address("default", "approval", "c.impact"), {}, author="r", reason="r", expected=0),
        lambda: bounded.store.redact(Address("default", "artifact", "c.analyze"), 1, author="r", reason="r"),
    ):
        with pytest.raises(AccessError):
            attempt()
    assert shop.operations.store.position("default") == 0


def test_no_role_answers_for_another() -> None:
    impact = named("impact")
    forged = Artifact(step="analyze", role=named("analyze").role, feature="f", requirement="r", summary="s")
    with pytest.raises(AccessError, match="a role answers for itself"):
        limits.refuse_foreign(forged, impact)
    own = forged.model_copy(update={"step": "impact", "role": impact.role})
    limits.refuse_foreign(own, impact)


def test_a_kill_and_a_new_target_are_moves_too() -> None:
    running = flag(5000)
    assert limits.served(running, "production") != limits.served(
        change.killed("checkout", running, "production"), "production"
    )
    assert limits.served(flag(0), "production") == []
    assert limits.served(None, "production") == []
    assert limits.served({**running, "description": "other words"}, "production") == limits.served(
        running, "production"
    )
