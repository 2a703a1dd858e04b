"""Step 10 on a real server and the real generated service: what is counted, and what turns it red."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.workflow.launched import FUNNEL, KEY, Scene, launched

from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.code.service import plan_service
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.code import BackendFacts, TestRun
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.step import BY_SLUG
from paribus.workflow.validation import product, verdict
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
    """Users who go down the funnel, and what a broken release does to its events.

    `drop` all but each `share`-th; below 0: each of so many.
    """
    with scene.client(environment, source="release") as client:
        for number in range(users):
            unit = f"{environment}-u{number}"
            for place, name in enumerate(FUNNEL):
                if number % 5 == 4 and place >= 3:  # a fifth stops before the checkout
                    break
                if name == drop and (number % share != 0) == (share > 0):
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


def generated(scene: Scene, *, button: bool = False) -> Artifact:
    """The backend's artifact, its own tests not run; with `button` one that nobody planned stands on each page."""
    service = plan_service(
        scene.context("backend").facts("architect", ArchitectFacts),
        scene.context("backend").facts("instrument", InstrumentFacts),
        framework="fastapi",
        provider="paribus",
        feature=KEY,
        requirement="one-click checkout",
        flag_key=KEY,
    )
    files = service.files()
    if button:
        pages = f"{service.package}/pages.py"
        extra = """'<form method="post" action="/wish"><button id="wish">Wish</button></form>'"""
        files[pages] = (
            files[pages].replace("</main><footer>", "{" + "WISH" + "}</main><footer>") + f"\n\nWISH = {extra}\n"
        )
        application = f"{service.package}/application.py"
        files[application] = files[application].replace(
            '    @app.get("/health")', '    @app.post("/wish")\n    def wish() -> Response:\n'
            '        return RedirectResponse("/", status_code=303)\n\n    @app.get("/health")'
        )  # fmt: skip
        assert "/wish" in files[application]
        assert "{WISH}" in files[pages]
    facts = BackendFacts(
        framework="fastapi",
        provider="paribus",
        package=service.package,
        command=("{python}", "-m", service.package),
        variables={},
        access_log="standard output",
        routes=(),
        decisions=(),
        interactions={},
        requirements=(),
        tests=TestRun(command="", passed=0, failed=0, evidence="generation"),
        removal={},
    )
    return Artifact(
        step="backend",
        role="r",
        feature=KEY,
        requirement="one-click checkout",
        summary="Generated.",
        facts=facts.model_dump(mode="json"),
        evidence={"generation": Evidence(kind="run", title="generated")},
        files=tuple(File(path=path, text=text) for path, text in files.items()),
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    config = {"analytics_platforms": ["segment", "amplitude"], "implementation": {"page": "none"}}
    with launched(tmp_path_factory.mktemp("validate"), config) as made:
        made.artifacts["backend"] = generated(made)
        with pytest.raises(Waiting, match="staging traffic"):
            made.make("validate")
        shopped(made, "production", 400)
        shopped(made, "staging", 200)
        made.make("validate")
        yield made


def messages(checks: tuple[Outcome, ...], status: str = "failed") -> dict[str, str]:
    return {check.name: check.message for check in checks if check.status == status}


def test_a_sound_release_passes_end_to_end(scene: Scene) -> None:
    made = scene.artifacts["validate"]
    assert messages(made.checks) == {}
    facts = made.facts
    assert {each["door"] for each in facts["planted"]} == {"paribus", "segment", "amplitude"}
    assert all(each["sent"] == each["received"] == each["stored"] == 3 for each in facts["planted"])
    assert all(share == 1 for each in facts["planted"] for share in each["properties"].values())
    assert facts["coverage"]["tracked"] == facts["coverage"]["performed"] == facts["coverage"]["logged"] == 4
    assert facts["funnel"]["expected"] == facts["funnel"]["measured"] == [15, 12, 10, 8, 6, 3]
    assert [each["measured"] for each in facts["people"]] == [1, 2, 1, 2]
    assert [each["measured"] for each in facts["sessions"]] == [1, 2, 1, 1]
    assert facts["quality"]["validity"]["value"] == 1.0
    assert facts["quality"]["completeness"]["value"] == 1.0
    kept = {each["metric"]: (each["step"], each["value"]) for each in facts["quality_history"]}
    assert kept == {name: ("validate", each["value"]) for name, each in facts["quality"].items()}


def test_made_again_it_is_the_same_and_plants_nothing_twice(scene: Scene) -> None:
    from paribus.workflow.validation.arrival import arrived

    before = len(arrived(scene.live.lake, "staging", "validation").rows)
    again = scene.make("validate")
    assert again.body() == scene.artifacts["validate"].body()
    made_anew = BY_SLUG["validate"].run(scene.context("validate", generation=2))
    assert messages(made_anew.checks) == {}
    assert len(arrived(scene.live.lake, "staging", "validation").rows) == before


def test_a_button_that_nobody_planned_turns_it_red(scene: Scene) -> None:
    sound = scene.artifacts["backend"]
    try:
        scene.artifacts["backend"] = generated(scene, button=True)
        made = BY_SLUG["validate"].run(scene.context("validate", generation=3))
    finally:
        scene.artifacts["backend"] = sound
    coverage = made.facts["coverage"]
    assert coverage["tracked"] == 4
    assert coverage["performed"] > 4
    assert all(name.startswith("wish on ") for name in coverage["missing"])
    assert [check.name for check in made.blocked] == ["Coverage"]
    assert made.summary.startswith(f"{KEY} must not be launched yet. Coverage: 4 of ")


@pytest.mark.parametrize(
    ("what", "check", "said"),
    [
        ({"drop": "payment_submitted", "share": 1000}, "Every event arrives", "payment_submitted follows"),
        ({"drop": "payment_submitted", "share": 3}, "Every event arrives", "it is not always sent"),
        ({"drop": "cart_item_added", "share": -8}, "Every event arrives", "cart_item_added is there for 8"),
        ({"wrong": "order_completed"}, "Every event keeps the plan", "order_completed: "),
        ({"twice": "cart_item_added"}, "No event is sent twice", "sent twice: cart_item_added"),
    ],
)
def test_a_broken_release_is_stopped(scene: Scene, what: dict[str, Any], check: str, said: str) -> None:
    environment = "s-" + "-".join(map(str, what.values())).replace("_", "-")
    shopped(scene, environment, 200, **what)
    scene.settle()
    own = product.events(scene.live.lake, environment, ())
    passages = product.passages(scene.live.lake, FUNNEL, environment, (), wanted=FUNNEL, planned=FUNNEL)
    found = messages(verdict.product_checks(own, passages, sorted({*FUNNEL, "error_shown"}), sorted(PROPERTIES)))
    assert list(found) == [check]
    assert said in found[check]
