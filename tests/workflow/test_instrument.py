"""Step 5: what the facts before it and the plan that stands change in the tracking plan, its checks and its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.workflow.drawn import FEATURE, Scene, designed, explored, hypothesized

from paribus.errors import DefinitionError
from paribus.events.plan import parse_plan
from paribus.workflow.artifact import Artifact, refuse_unsupported
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.steps import architect, instrument


def scene_of(folder: Path, explore: ExploreFacts | None = None, config: Config | None = None, **design: Any) -> Scene:
    made = Scene(folder, config)
    made.give("explore", explore or explored())
    made.give("hypothesize", hypothesized(design.get("order", "order_completed")))
    made.give("design", designed(**design))
    made.step(architect.run)
    return made


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = scene_of(tmp_path)
    yield made
    made.close()


def facts(artifact: Artifact) -> InstrumentFacts:
    return InstrumentFacts.model_validate(artifact.facts)


def files(artifact: Artifact) -> dict[str, str]:
    return {each.path: each.text for each in artifact.files}


def test_every_observed_event_is_planned_with_types_owner_class_and_place(scene: Scene) -> None:
    made = scene.step(instrument.run)
    assert not made.blocked
    refuse_unsupported(made, scene.context.artifacts)
    plan = parse_plan(facts(made).plan)
    assert plan == parse_plan(scene.context.operations.tracking_plan() or {})
    assert plan.events["order_completed"].semantics == "conversion"
    assert plan.events["error_shown"].semantics == "error"
    assert plan.events["order_completed"].properties["revenue"].required
    assert plan.events["order_completed"].properties["revenue"].type == "number"
    assert [plan.events[name].funnel.step for name in facts(made).funnel] == [1, 2, 3, 4, 5, 6]  # type: ignore[union-attr]
    assert all(event.owner for event in plan.events.values())
    assert facts(made).interactions["submit-payment"] == "payment_submitted"
    assert "order_completed" not in facts(made).interactions.values()
    assert facts(made).senders["order_completed"] == "backend"
    assert set(facts(made).cohort_keys) >= {"first_seen", "first_exposure", "device", "returning"}


def test_a_second_run_gives_the_same_body_and_writes_nothing(scene: Scene) -> None:
    first = scene.step(instrument.run)
    position = scene.store.position("default")
    assert scene.step(instrument.run).hash == first.hash
    assert scene.store.position("default") == position
    assert facts(first).added == tuple(sorted(facts(first).plan["events"]))


def test_a_renamed_event_moves_into_plan_funnel_clients_and_map(tmp_path: Path) -> None:
    renamed = explored(rename={"order_completed": "order_paid"})
    scene = scene_of(tmp_path, renamed, order="order_paid")
    made = scene.step(instrument.run)
    assert "order_paid" in facts(made).plan["events"]
    assert "order_completed" not in json.dumps(made.facts)
    assert facts(made).funnel[-1] == "order_paid"
    assert facts(made).metrics[0].events == ("order_paid",)
    assert "def order_paid(" in files(made)["events.py"]
    assert "orderPaid(" in files(made)["events.ts"]
    scene.close()


def test_a_metric_of_an_event_that_nobody_sends_blocks(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, order="order_finished")
    made = scene.step(instrument.run)
    assert any("order_finished" in each for each in facts(made).unmapped)
    assert [each.name for each in made.blocked] == ["metrics map to events"]
    scene.close()


def test_a_dead_step_leaves_the_funnel_and_is_not_planned_anew(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, explored(dead=("cart_item_added",)))
    made = scene.step(instrument.run)
    assert "cart_item_added" not in facts(made).funnel
    assert "cart_item_added" not in facts(made).plan["events"]
    scene.close()


def test_what_stands_is_kept_and_a_changed_place_raises_the_version(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    standing = {
        "events": {
            "order_completed": {"owner": "checkout", "properties": {"revenue": {"type": "number", "minimum": 0}}},
            "newsletter_sent": {"owner": "crm", "properties": {}},
        }
    }
    scene.context.operations.write("tracking_plan", "default", standing, author="t", reason="before")
    made = facts(scene.step(instrument.run))
    plan = parse_plan(made.plan)
    assert plan.events["newsletter_sent"].owner == "crm"
    order = plan.events["order_completed"]
    assert (order.owner, order.version, order.properties["revenue"].minimum) == ("checkout", 2, 0)
    assert not order.properties["items"].required
    assert "order_completed" in made.changed
    assert "order_completed" not in made.added
    assert made.quiet == ("newsletter_sent",)
    again = facts(scene.step(instrument.run))
    assert again == made
    scene.close()


def test_a_property_of_another_type_is_left_out_and_said(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    standing = {"events": {"support_ticket_opened": {"properties": {"items": {"type": "string"}}}}}
    scene.context.operations.write("tracking_plan", "default", standing, author="t", reason="before")
    made = facts(scene.step(instrument.run))
    assert "items" not in made.plan["events"]["order_completed"].get("properties", {})
    assert any("order_completed.items" in each for each in made.conflicts)
    scene.close()


def test_names_are_linted(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, explored(rename={"cart_item_added": "AddToCart", "refund_requested": "order_complete"}))
    lapses = {each.event: each for each in facts(scene.step(instrument.run)).lapses}
    assert lapses["AddToCart"].what == "is not snake_case"
    assert "order_complete" in lapses
    scene.close()


def test_presence_in_the_history_becomes_required_and_values_seen_forbid_no_others(tmp_path: Path) -> None:
    seen = explored()
    events = tuple(
        each.model_copy(update={"present": {"method": 1.0}, "choices": {"method": ("card", "invoice")}})
        if each.name == "payment_submitted"
        else each
        for each in seen.events
    )
    scene = scene_of(tmp_path, seen.model_copy(update={"events": events}))
    made = scene.step(instrument.run)
    method = parse_plan(facts(made).plan).events["payment_submitted"].properties["method"]
    assert (method.enum, method.required) == (None, True)
    schema = json.loads(files(made)["schemas/payment_submitted.1.json"])
    jsonschema.validate({"method": "cash"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)
    scene.close()


def test_the_guides_python_runs_and_sends_what_the_plan_accepts(scene: Scene, tmp_path: Path) -> None:
    made = scene.step(instrument.run)
    (tmp_path / "events.py").write_text(files(made)["events.py"])
    text = files(made)["guide.md"]
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    sent: list[tuple[str, dict[str, Any]]] = []

    class Tracker:
        def __init__(self, *given: object) -> None:
            self.given = given

        def variant(self, flag: str, unit: str) -> str:
            assert flag == FEATURE.key
            return "treatment"

        def track(self, name: str, /, unit: Any = None, time: Any = None, *, properties: Any = None) -> None:
            sent.append((name, properties))

    module: dict[str, Any] = {"__name__": "events"}
    exec(files(made)["events.py"], module)
    namespace: dict[str, Any] = {
        "Client": Tracker,
        "events": type("Events", (), {k: staticmethod(v) for k, v in module.items() if callable(v)}),
    }
    for block in blocks:
        lines = [line for line in block.splitlines() if "import" not in line]
        exec("\n".join(lines), namespace)
    named = {name: text for name, text in files(made).items() if name.startswith("schemas/")}
    schemas = {name.split(".")[0].split("/")[1]: json.loads(text) for name, text in named.items()}
    assert {name for name, _ in sent} >= {"order_completed"}
    for name, properties in sent:
        jsonschema.validate(properties, schemas[name])


def test_other_platforms_get_the_same_plan(tmp_path: Path) -> None:
    config = Config.model_validate({"analytics_platforms": ["segment", "amplitude", "mixpanel"]})
    scene = scene_of(tmp_path, config=config)
    made = scene.step(instrument.run)
    events = set(facts(made).plan["events"])
    segment = json.loads(files(made)["platforms/segment-tracking-plan.json"])["tracking_plan"]["rules"]["events"]
    assert {each["name"] for each in segment} == events
    for each in segment:
        jsonschema.Draft7Validator.check_schema(each["rules"])
    order = next(each for each in segment if each["name"] == "order_completed")["rules"]
    jsonschema.validate({"properties": {"revenue": 3.5}}, order)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"properties": {"revenue": "much"}}, order)
    amplitude = json.loads(files(made)["platforms/amplitude-tracking-plan.json"])
    assert {each["event_type"] for each in amplitude["event"]} == events
    mixpanel = json.loads(files(made)["platforms/mixpanel-tracking-plan.json"])["entries"]
    assert {each["name"] for each in mixpanel} == events
    scene.close()


def test_a_breaking_plan_is_refused_by_the_store(scene: Scene) -> None:
    body = facts(scene.step(instrument.run)).plan
    del body["events"]["order_completed"]
    with pytest.raises(DefinitionError, match="removed without having been deprecated"):
        scene.context.operations.write("tracking_plan", "default", body, author="t", reason="t")


def test_presentation_is_pure_and_names_the_metrics(scene: Scene) -> None:
    made = scene.step(instrument.run)
    assert repr(instrument.present(made)) == repr(instrument.present(made))
    assert replace(scene.context).artifacts["instrument"] is made
