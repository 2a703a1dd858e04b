"""A beta of volunteers on a real server: the cap, who is served, and that the analysis counts none of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.workflow.launched import KEY, PRODUCTION, Scene, launched, stages

from paribus.monitoring.rebuild import rebuild
from paribus.monitoring.watch import stored
from paribus.rollout import beta
from paribus.workflow.facts.architect import ArchitectFacts, Stage
from paribus.workflow.launching.health import settled
from paribus.workflow.waiting import Waiting

CAP = 2
VOLUNTEERS = ("u000001", "u000002", "u000003")
CONTEXT = {"device": "mobile", "returning": True}


def with_beta(scene: Scene) -> None:
    """The scene's rollout with a day of volunteers between staff and experiment."""
    asked = Stage(
        name="beta",
        traffic_bp=0,
        hold_hours=24,
        criteria=("no blocker",),
        in_analysis=False,
        evidence="e",
        cap_units=CAP,
    )
    known = scene.context("setup").facts("architect", ArchitectFacts)
    first, *rest = stages()
    scene.know("architect", known.model_copy(update={"stages": (first, asked, *rest)}))


def until(claim: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def go_on(scene: Scene) -> None:
    with pytest.raises(Waiting):
        scene.make("rollout")


def test_volunteers_up_to_the_cap_are_served_and_never_analyzed(tmp_path: Path) -> None:
    with launched(tmp_path) as scene:
        with_beta(scene)
        setup = scene.make("setup")
        assert [each["cap_units"] for each in setup.facts["stages"]] == [None, CAP, None, None]
        store = scene.live.store
        found = beta.join(store, PRODUCTION, KEY, VOLUNTEERS, clock=scene.clock, author="test")
        assert (found.admitted, found.waiting) == (VOLUNTEERS[:CAP], VOLUNTEERS[CAP:])
        go_on(scene)  # staff
        with scene.client() as client:
            assert client.peek(KEY, unit=VOLUNTEERS[0], context=CONTEXT).reason != "OVERRIDE"
            scene.pass_time(hours=24)
            go_on(scene)  # volunteers
            until(lambda: client.peek(KEY, unit=VOLUNTEERS[0], context=CONTEXT).reason == "OVERRIDE")
            assert [client.peek(KEY, unit=unit, context=CONTEXT).variant for unit in VOLUNTEERS] == [
                "treatment",
                "treatment",
                "control",
            ]
            scene.pass_time(hours=24)
            go_on(scene)  # the experiment at 10%
            until(lambda: any(client.peek(KEY, unit=f"x{i}", context=CONTEXT).reason == "SPLIT" for i in range(99)))
            met = scene.played(client, range(1500))
            assert {client.peek(KEY, unit=unit, context=CONTEXT).reason for unit in VOLUNTEERS[:CAP]} == {"OVERRIDE"}
        settled(scene.context("rollout"))
        reader, watch = scene.operations.lake(), stored(store, KEY)
        assert reader is not None
        assert watch is not None
        state = rebuild(reader, watch)
        assert state.reasons["OVERRIDE"] == CAP
        assert state.tally.units() == met
        assert [state.tally.arm_of(unit) for unit in VOLUNTEERS[:CAP]] == [None, None]
        scene.pass_time(hours=1)
        result = scene.operations.analyze(KEY)
        assert result.units == met
