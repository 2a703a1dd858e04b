"""Step 10 on a real server and the real generated service: what is counted, and what turns it red."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.launched import FUNNEL, Scene, launched

from paribus.workflow.artifact import Artifact, File
from paribus.workflow.waiting import Waiting

PROPERTIES: dict[str, dict[str, Any]] = {
    "session_started": {"device": "mobile", "country": "NO", "returning": True, "channel": "ad"},
    "product_viewed": {"product": "p1", "category": "c", "price": 10.0},
    "cart_item_added": {"product": "p1", "price": 10.0, "quantity": 1},
    "checkout_started": {"items": 1, "value": 10.0},
    "payment_submitted": {"method": "card"},
    "order_completed": {"revenue": 10.0, "items": 1},
    "error_shown": {"kind": "k", "route": "/checkout"},
    "refund_requested": {"value": 1.0},
}


def shopped(
    scene: Scene, environment: str, users: int, *, drop: str = "", share: int = 1, wrong: str = "", twice: str = ""
) -> None:
    """Users who go down the funnel, and what a broken release does to its events: `drop` all but each `share`-th."""
    with scene.client(environment, source="release") as client:
        for number in range(users):
            unit = f"{environment}-u{number}"
            for place, name in enumerate(FUNNEL):
                if number % 5 == 4 and place >= 3:  # a fifth stops before the checkout
                    break
                if name == drop and number % share != 0:
                    continue
                properties = dict(PROPERTIES[name])
                if name == wrong:
                    properties = {**properties, next(iter(properties)): "ten"}
                for _ in range(2 if name == twice else 1):
                    client.track(name, unit, properties=properties)
            if number % 10 == 0:
                for name in ("error_shown", "refund_requested"):
                    client.track(name, unit, properties=PROPERTIES[name])
        assert client.flush(30)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with launched(tmp_path_factory.mktemp("validate"), {"analytics_platforms": ["segment", "amplitude"]}) as made:
        made.make("backend")
        yield made


def status(made: Artifact) -> dict[str, str]:
    return {check.name: check.status for check in made.checks}


def test_a_sound_release_passes_end_to_end(scene: Scene) -> None:
    with pytest.raises(Waiting, match="staging traffic"):
        scene.make("validate")
    shopped(scene, "production", 400)
    shopped(scene, "staging", 200)
    made = scene.make("validate")
    assert [f"{check.name}: {check.message}" for check in made.checks if check.status == "failed"] == []
    facts = made.facts
    assert {each["door"] for each in facts["planted"]} == {"paribus", "segment", "amplitude"}
    assert all(each["sent"] == each["received"] == each["stored"] == 3 for each in facts["planted"])
    assert all(share == 1 for each in facts["planted"] for share in each["properties"].values())
    assert facts["coverage"]["tracked"] == facts["coverage"]["performed"] >= 5
    assert facts["coverage"]["logged"] == facts["coverage"]["performed"]
    assert facts["funnel"]["expected"] == facts["funnel"]["measured"] == [15, 12, 10, 8, 6, 3]
    assert [each["measured"] for each in facts["people"]] == [1, 2, 1, 2]
    assert [each["measured"] for each in facts["sessions"]] == [1, 2, 1, 1]
    assert facts["quality"]["validity"]["value"] == 1.0
    assert facts["quality"]["completeness"]["value"] == 1.0
    again = scene.make("validate")
    assert again.body() == made.body()
