"""Step 10 in a real Chromium: the generated page is green as generated; what nobody tracks turns it red."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.browser.conftest import CHROMIUM, built, missing
from tests.workflow.launched import KEY, Scene, launched
from tests.workflow.test_validate import generated, messages, shopped

from paribus.workflow.artifact import Artifact, Evidence, File
from paribus.workflow.code.page import PageCode
from paribus.workflow.code.service import plan_service
from paribus.workflow.config import Config
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.code import FrontendFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.validate import PageCoverage
from paribus.workflow.validation import browser, verdict
from paribus.workflow.validation.paging import cover_page

__all__ = ["built"]


def page_of(scene: Scene) -> Artifact:
    """The frontend's artifact."""
    service = plan_service(
        scene.context("backend").facts("architect", ArchitectFacts),
        scene.context("backend").facts("instrument", InstrumentFacts),
        framework="fastapi",
        provider="paribus",
        feature=KEY,
        requirement="one-click checkout",
        flag_key=KEY,
    )
    page = PageCode("plain", service)
    facts = FrontendFacts(
        kind="plain",
        assets=".",
        script="page.js",
        interactions={},
        page_events=(),
        variants=service.arms,
        same_events=True,
        recording="off",
        mobile="",
        test_command="",
    )
    return Artifact(
        step="frontend",
        role="r",
        feature=KEY,
        requirement="one-click checkout",
        summary="Generated.",
        facts=facts.model_dump(mode="json"),
        evidence={"generation": Evidence(kind="run", title="generated")},
        files=tuple(File(path=path, text=text) for path, text in page.files().items()),
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Scene]:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    with pytest.MonkeyPatch.context() as patched, launched(tmp_path_factory.mktemp("page")) as made:
        patched.setenv("PAGE_SDK", str(built))
        made.artifacts["backend"] = generated(made)
        made.artifacts["frontend"] = page_of(made)
        shopped(made, "staging", 60)
        yield made


Crawl = Callable[..., PageCoverage]


@pytest.fixture
def crawl(scene: Scene) -> Crawl:
    """The coverage of the page with some of its files, or those of the service, changed."""

    def crawling(**changes: tuple[str, str]) -> PageCoverage:
        context = scene.context("validate")
        for slug in ("backend", "frontend"):
            files = {file.path: file.text for file in context.artifacts[slug].files}
            for name, (old, new) in changes.items():
                for path in [each for each in files if each.rpartition("/")[2].partition(".")[0] == name]:
                    assert files[path].count(old) == 1, (path, old)
                    files[path] = files[path].replace(old, new)
            changed = tuple(File(path=path, text=text) for path, text in files.items())
            context.artifacts[slug] = context.artifacts[slug].model_copy(update={"files": changed})  # type: ignore[index]
        return cover_page(context, scene.live.lake)

    return crawling


def test_as_generated_every_click_is_tracked_and_the_access_log_agrees(scene: Scene) -> None:
    made = scene.make("validate")
    assert messages(made.checks) == {}
    page = made.facts["page"]
    assert page["script"] == "run"
    assert page["tracked"] == page["performed"] == page["requests"] == page["logged"] == 4
    assert page["acts_tracked"] == page["acts"] == 4
    assert page["sent"] > 0
    assert page["lost"] == 0
    assert page["unperformed"] == []
    events = {each["element"]: each["events"] for each in page["interactions"]}
    assert events["start-checkout"] == ["checkout_started"]
    assert events["pay"] == ["order_completed", "payment_submitted"]
    assert "4 of 4 clicks in a real browser are tracked" in made.summary
    again = scene.make("validate")
    assert again.body() == made.body()


PLANTED = """
if (location.pathname === "/") {
  document.querySelector("main").insertAdjacentHTML("beforeend", `
    <button id="wish" type="button">Wish</button>
    <div style="cursor: pointer">Wish for it</div>
    <p id="listening">Listening</p>
    <a href="https://elsewhere.example/">Elsewhere</a>
    <details><summary>More</summary><button id="hidden-wish" type="button">Wish</button></details>
    <button id="off" type="button" disabled>Off</button>
    <button id="refund" type="button">Refund</button>`);
  document.getElementById("listening").addEventListener("click", () => {});
  document.getElementById("refund").onclick = () => client.track("refund_requested", { value: 1 });
}
Object.assign(client"""


def test_what_a_script_adds_and_nobody_tracks_is_named(crawl: Crawl) -> None:
    found = crawl(page=("\nObject.assign(client", PLANTED))
    names = ["wish", "Wish for it", "listening", "Elsewhere", "More", "hidden-wish"]
    assert sorted(found.missing) == sorted(f"{name} on /" for name in names)
    assert (found.tracked, found.performed) == (5, 11)
    events = {each["element"]: each["events"] for each in found.interactions}
    assert events["refund"] == ["refund_requested"]
    assert found.unperformed == ("off on /: it is switched off",)
    outcome = verdict.page_covered(found)
    assert outcome.status == "failed"
    assert "5 of 11 interactions on 5 pages left an event (45.5%)" in outcome.message
    assert "wish on /" in outcome.message


@pytest.mark.slow
def test_a_button_that_the_service_serves_and_nobody_tracks_is_named(scene: Scene) -> None:
    context = scene.context("validate")
    context.artifacts["backend"] = generated(scene, button=True)  # type: ignore[index]
    found = cover_page(context, scene.live.lake)
    assert found.tracked == 4
    assert found.performed == 4 + found.pages
    assert all(each.startswith("wish on ") for each in found.missing)
    assert found.acts - found.acts_tracked == found.pages, "the access log says the same by itself"


@pytest.mark.slow
def test_a_script_that_breaks_the_page_loses_clicks(crawl: Crawl) -> None:
    stop = "document.addEventListener('submit', (event) => event.preventDefault());"
    found = crawl(page=("\nconst client =", f"\n{stop}\nconst client ="))
    assert found.tracked == 0
    assert set(found.missing) == {each["element"] + " on " + each["page"] for each in found.interactions}


@pytest.mark.slow
def test_a_page_of_ones_own_is_clicked_through_where_it_serves(scene: Scene, tmp_path: Path) -> None:
    from paribus.workflow.facts.code import BackendFacts
    from paribus.workflow.validation.service import running
    from paribus.workflow.validation.staging import endpoint_of, key

    context = scene.context("validate")
    backend = context.artifacts["backend"]
    files = {file.path: file.text for file in backend.files}
    with key(endpoint_of(context), "server", "release") as door:
        facts = BackendFacts.model_validate(backend.facts)
        offset = (scene.clock() - datetime.now(UTC)).total_seconds()
        with running(files, facts, door, tmp_path, offset=offset) as service:
            given = Config.model_validate({"implementation": {"page": service.url + "/"}})
            found = cover_page(scene.context("validate", config=given), scene.live.lake)
    assert found.address == service.url + "/"
    assert (found.performed, found.tracked, found.requests) == (4, 4, 0)


def test_without_a_browser_it_says_what_was_not_counted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "PROGRAMS", ("no-such-browser",))
    made = scene.make("validate", generation=7)
    [check] = [each for each in made.checks if each.name == "Coverage in a browser"]
    assert check.status == "not_applicable"
    assert check.message == "not counted: no Chromium is installed: none of no-such-browser is on the path"
    assert any("No browser clicked through the page" in each for each in made.assumptions)
    assert made.facts["coverage"]["tracked"] == 4


@pytest.mark.slow
def test_without_the_browser_sdk_the_page_is_clicked_without_its_script(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAGE_SDK", str(tmp_path))
    found: Any = cover_page(scene.context("validate"), scene.live.lake)
    assert found.script.startswith("not run: the browser SDK is not built here")
    assert (found.performed, found.tracked, found.sent) == (4, 4, 0)
