"""Step 8: the page follows the facts; in Chromium both variants work, and its tests fail when what matters is gone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sdk.browser.conftest import CHROMIUM, SDK, built, missing
from tests.workflow.planned import EVENTS, INTERACTIONS, architecture, instrumentation
from tests.workflow.stage import staged

from paribus.workflow import Artifact
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.code.trial import write_files
from paribus.workflow.facts.code import FrontendFacts
from paribus.workflow.facts.instrument import InstrumentFacts, MetricEvents
from paribus.workflow.steps import backend, frontend

__all__ = ["built"]
BY_PAGE = instrumentation(
    metrics=(
        MetricEvents(metric="order_rate", role="success", events=("order_completed",), sent_by="backend"),
        MetricEvents(
            metric="views", role="secondary", events=("product_viewed", "cart_item_added"), sent_by="frontend"
        ),
    )
)


def made(
    folder: Path, kind: str = "plain", framework: str = "fastapi", instrument: InstrumentFacts = BY_PAGE
) -> tuple[Artifact, Artifact]:
    """The artifacts of backend and frontend."""
    config = {"implementation": {"backend": framework, "frontend": kind}}
    facts = {"architect": architecture(), "instrument": instrument}
    service = backend.run(staged(folder, config, **facts))
    context = staged(folder, config, **facts)
    context = replace(context, artifacts={**context.artifacts, "backend": service})
    page = frontend.run(context)
    refuse_unsupported(page, context.artifacts)
    assert frontend.run(context).hash == page.hash
    return service, page


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact]:
    return made(tmp_path_factory.mktemp("plain"))


def test_the_page_offers_what_the_service_serves(plain: tuple[Artifact, Artifact]) -> None:
    service, page = plain
    facts = FrontendFacts.model_validate(page.facts)
    assert page.blocked == ()
    assert facts.interactions == service.facts["interactions"] == INTERACTIONS
    assert facts.same_events
    assert facts.sent_by_page == ("product_viewed", "cart_item_added")
    assert facts.variants == ("control", "treatment")
    assert "OFREP" in facts.mobile
    assert len(frontend.present(page)) > 5


def test_its_script_types_the_planned_properties(plain: tuple[Artifact, Artifact]) -> None:
    text = next(file.text for file in plain[1].files if file.path == "page.js")
    [types] = re.findall(r"^const TYPES = (.*);$", text, flags=re.MULTILINE)
    assert json.loads(types)["cart_item_added"] == {"product": "string", "price": "number", "quantity": "number"}
    assert "search_performed" not in types


def test_a_renamed_event_moves_into_the_page(tmp_path: Path) -> None:
    events = {("Viewed Item" if name == "product_viewed" else name): body for name, body in EVENTS.items()}
    changed = instrumentation(
        plan={"events": events},
        funnel=("session_started", "Viewed Item", "cart_item_added"),
        interactions={"view-product": "Viewed Item", "add-to-cart": "cart_item_added"},
        metrics=(MetricEvents(metric="m", role="success", events=("Viewed Item",), sent_by="frontend"),),
    )
    _, page = made(tmp_path, "react", instrument=changed)
    texts = {file.path: file.text for file in page.files}
    assert "events.viewedItem(client" in texts["src/tracked.ts"]
    assert "export function onViewProduct" in texts["src/api.ts"]
    assert "events.viewedItem(sender" in texts["mobile/App.tsx"]
    assert not any("product_viewed" in text for text in texts.values())


# In Chromium -----------------------------------------------------------------------------------------------------


class Site:
    """Service and page in a folder, the page built."""

    def __init__(self, folder: Path, kind: str, framework: str, dist: Path) -> None:
        service, page = made(folder, kind, framework)
        self.folder, self.kind, self.dist = folder, kind, dist
        write_files({file.path: file.text for file in service.files}, folder / "backend")
        write_files({file.path: file.text for file in page.files}, folder / "frontend")
        if kind == "react":
            self.link()
            self.build()

    def link(self) -> None:
        """The packages that npm would install, from the browser SDK's own folder."""
        modules = self.folder / "frontend" / "node_modules"
        (modules / "@paribus").mkdir(parents=True)
        (modules / "@paribus" / "browser").symlink_to(SDK)
        for entry in (SDK / "node_modules").iterdir():
            if not entry.name.startswith("."):
                (modules / entry.name).symlink_to(entry)

    def build(self) -> None:
        types = [str(SDK / "node_modules" / ".bin" / "tsc"), "--noEmit"]
        for command in (types, ["node", "build.mjs"]):
            done = subprocess.run(command, cwd=self.folder / "frontend", capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr

    def test(self, *names: str) -> subprocess.CompletedProcess[str]:
        shots = self.folder / "shots"
        shots.mkdir(exist_ok=True)
        place = self.folder / "frontend"
        environment = os.environ | {
            "SERVICE": str(self.folder / "backend"),
            "ASSETS": str(place / "dist" if self.kind == "react" else place),
            "SDK": str(self.dist),
            "SHOTS": str(shots),
            "CHROMIUM": CHROMIUM,
        }
        cases = [f"test_page.PageCase.{name}" for name in names] or ["test_page"]
        command = [sys.executable, "-m", "unittest", "-q", *cases]
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)


@pytest.fixture
def site(tmp_path: Path, built: Path) -> Callable[..., Site]:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    return lambda kind, framework="fastapi": Site(tmp_path, kind, framework, built)


def side_by_side(folder: Path) -> Path:
    """Both variants in one picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 460})
        images = "".join(f'<img width="630" src="file://{folder}/{name}.png">' for name in ("control", "treatment"))
        (folder / "both.html").write_text(f"<body style='margin:5px'>{images}</body>")
        page.goto(f"file://{folder}/both.html")
        page.screenshot(path=str(folder / "both.png"))
        browser.close()
    return folder / "both.png"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "framework"), [("plain", "fastapi"), ("plain", "django"), ("react", "flask")])
def test_both_variants_in_chromium(site: Callable[..., Site], kind: str, framework: str) -> None:
    """Every interaction once, vitals and errors with their variant, no shift, consent, no scripts needed."""
    found = site(kind, framework)
    done = found.test()
    assert done.returncode == 0, done.stderr
    assert side_by_side(found.folder / "shots").stat().st_size > 5_000


PLAIN: dict[str, tuple[str, str, str]] = {
    "an event": ("page.js", "client.track(event, properties(form, event));", ""),
    "its mark": ("page.js", "form.append(mark);", ""),
    "the boundary": ("page.js", "control(section);\n    client", "throw error;\n    client"),
    "the boundary's event": ("page.js", 'client.captureError(error, { kind: "boundary" });', ""),
    "the variant": ("page.js", "Object.assign(client.variants, settings.variants);", ""),
    "vitals": ("page.js", "vitals: true", "vitals: false"),
    "views": ("page.js", "pageViews: true", "pageViews: false"),
    "consent": ("page.js", "consent: settings.consent", 'consent: "granted"'),
}
REACT: dict[str, tuple[str, str, str]] = {
    "an event": ("src/page.tsx", "track(client, form);", ""),
    "its mark": ("src/page.tsx", 'form["sent-by"] = "page";', ""),
    "the boundary": ("src/page.tsx", "fallback={control}", ""),
    "the variant": ("src/main.tsx", "Object.assign(client.variants, settings.variants);", ""),
    "the variants' difference": ("src/page.tsx", "if (section.variant === screen.control)", "if (screen.control)"),
}
CHECKS = {
    "an event": "test_each_interaction_performed_is_tracked_once",
    "its mark": "test_each_interaction_performed_is_tracked_once",
    "the boundary": "test_a_treatment_that_throws_leaves_control",
    "the boundary's event": "test_a_treatment_that_throws_leaves_control",
    "the variant": "test_it_reports_vitals_and_views_with_its_variant",
    "vitals": "test_it_reports_vitals_and_views_with_its_variant",
    "views": "test_it_reports_vitals_and_views_with_its_variant",
    "consent": "test_without_consent_nothing_is_sent",
    "the variants' difference": "test_both_variants_offer_the_same_and_nothing_shifts",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "deleted"), [*(("plain", each) for each in PLAIN), *(("react", each) for each in REACT)]
)
def test_a_deletion_fails_the_page_tests(site: Callable[..., Site], kind: str, deleted: str) -> None:
    found = site(kind)
    path, old, new = {"plain": PLAIN, "react": REACT}[kind][deleted]
    file = found.folder / "frontend" / path
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    if kind == "react":
        found.build()
    done = found.test(CHECKS[deleted])
    assert done.returncode != 0
    assert re.search(r"Ran \d+ test", done.stderr), done.stderr
    assert "FAILED (" in done.stderr
