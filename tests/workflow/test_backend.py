"""Step 7: generated services run and pass their own tests, which fail when what matters is taken out."""

from __future__ import annotations

import ast
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.workflow.planned import EVENTS, FLAG, FUNNEL, INTERACTIONS, architecture, event, instrumentation
from tests.workflow.stage import REQUIREMENT, staged

from paribus.errors import DefinitionError
from paribus.workflow import Artifact, Part
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.code.service import Service, plan_service
from paribus.workflow.code.survey import count_decisions, stray_evaluations
from paribus.workflow.code.trial import try_tests, write_files
from paribus.workflow.facts.architect import ArchitectFacts, DecisionPoint
from paribus.workflow.facts.code import BackendFacts
from paribus.workflow.facts.instrument import InstrumentFacts, MetricEvents
from paribus.workflow.steps import backend

PACKAGE = "one_click_checkout"


def service(
    framework: str = "fastapi",
    provider: str = "paribus",
    architect: ArchitectFacts | None = None,
    instrument: InstrumentFacts | None = None,
) -> Service:
    return plan_service(
        architect or architecture(),
        instrument or instrumentation(),
        framework=framework,
        provider=provider,
        feature="one-click-checkout",
        requirement=REQUIREMENT,
        flag_key="one-click-checkout",
    )


def made(folder: Path, config: dict[str, Any] | None = None, **facts: Part) -> tuple[Artifact, BackendFacts]:
    context = staged(folder, config, **({"architect": architecture(), "instrument": instrumentation()} | facts))
    artifact = backend.run(context)
    refuse_unsupported(artifact, context.artifacts)
    return artifact, BackendFacts.model_validate(artifact.facts)


def test_the_service_of_the_shop(tmp_path: Path) -> None:
    """Facts by hand: every planned event has its route, the decision stands after its event, its tests pass."""
    artifact, facts = made(tmp_path)
    assert artifact.blocked == ()
    assert [check.status for check in artifact.checks] == ["passed"] * 3
    assert facts.interactions == INTERACTIONS
    assert {sent for route in facts.routes for sent in route.events} == set(EVENTS)
    [decision] = facts.decisions
    assert (decision.after, decision.path, decision.evaluations, decision.exposures) == (
        "checkout_started", "/checkout-started", 1, 1,
    )  # fmt: skip
    assert facts.command == ("{python}", "-m", PACKAGE)
    assert facts.attributes == ("country", "device", "returning")
    assert facts.openapi["paths"]["/interactions/pay"]["post"]["x-events"] == ["payment_submitted", "order_completed"]
    assert str(facts.tests.passed) in artifact.summary
    assert len(backend.present(artifact)) > 8
    again, _ = made(tmp_path)
    assert again.hash == artifact.hash


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["paribus", "unleash"])
@pytest.mark.parametrize("framework", ["flask", "django"])
def test_other_frameworks_and_providers(tmp_path: Path, framework: str, provider: str) -> None:
    config = {"implementation": {"backend": framework}, "feature_flags": {"provider": provider}}
    artifact, facts = made(tmp_path, config)
    assert artifact.blocked == ()
    assert facts.tests.passed >= 16
    assert any("OpenFeature" in each for each in artifact.assumptions) == (provider != "paribus")


def test_another_provider_goes_through_openfeature(tmp_path: Path) -> None:
    artifact, facts = made(tmp_path, {"feature_flags": {"provider": "launchdarkly"}})
    texts = {file.path: file.text for file in artifact.files}
    assert artifact.blocked == ()
    assert "get_boolean_details" in texts[f"{PACKAGE}/decisions.py"]
    assert "paribus-sdk[openfeature]" in facts.requirements
    assert any("SPLIT" in each for each in artifact.assumptions)


# What upstream facts change --------------------------------------------------------------------------------------


def test_a_renamed_event_moves_through_all_of_it(tmp_path: Path) -> None:
    events = {("basket opened" if name == "checkout_started" else name): body for name, body in EVENTS.items()}
    funnel = tuple("basket opened" if name == "checkout_started" else name for name in FUNNEL)
    instrument = instrumentation(
        plan={"events": events}, funnel=funnel, interactions={**INTERACTIONS, "start-checkout": "basket opened"}
    )
    point = DecisionPoint(id="checkout", where="service", event="basket opened")
    artifact, facts = made(tmp_path, architect=architecture(decision_points=(point,)), instrument=instrument)
    assert artifact.blocked == ()
    assert facts.decisions[0].path == "/basket-opened"
    assert not any("checkout_started" in file.text for file in artifact.files)


def test_an_event_without_an_interaction_follows_from_the_one_before() -> None:
    found = service(instrument=instrumentation(interactions={k: v for k, v in INTERACTIONS.items() if k != "pay"}))
    by_path = {screen.path: screen for screen in found.journey.screens}
    assert [each.event for each in by_path["/checkout-started"].outcomes] == ["payment_submitted", "order_completed"]
    assert try_tests(found.files()).failed == 0


def test_routes_links_page_views_two_decisions_and_three_arms() -> None:
    """What another product may have: GET routes, an event per view, optional and untyped properties, three variants."""
    events = {
        "Viewed Home": {"semantics": "page_view", "properties": {"path": {"type": "string"}}},
        "Opened Offer": event(
            seen={"type": "datetime"}, extra={"type": "json"}, level={"type": "integer", "enum": [2, 3]}
        ),
        "Bought": event("conversion", total={"type": "number"}, gift={"type": "boolean"}),
        "class": event(),
    }
    found = service(
        architect=architecture(
            flag={
                **FLAG,
                "type": "string",
                "variants": {"off": "off", "blue": "b", "green": "g"},
                "default_variant": "off",
            },
            decision_points=(
                DecisionPoint(id="Offer 1", where="page", event="Viewed Home"),
                DecisionPoint(id="import", where="page", event="Opened Offer"),
            ),
        ),
        instrument=instrumentation(
            plan={"events": events},
            funnel=("Viewed Home", "Opened Offer", "Bought"),
            interactions={
                "GET /": "Viewed Home",
                "GET /offer": "Opened Offer",
                "POST /buy": "Bought",
                "klasse": "class",
            },
            metrics=(MetricEvents(metric="m", role="success", events=("Bought",), sent_by="frontend"),),
            cohort_keys=(),
        ),
    )
    files = found.files()
    assert [point.function for point in found.journey.decisions] == ["offer_1", "import_"]
    assert all((each.evaluations, each.exposures, each.callers) == (1, 1, 1) for each in
               count_decisions(files, PACKAGE, ("offer_1", "import_")))  # fmt: skip
    trial = try_tests(files)
    assert (trial.failed, trial.note) == (0, "")
    assert trial.passed >= 18


@pytest.mark.parametrize(
    ("architect", "instrument", "said"),
    [
        ({"control_function": "x; import os"}, {}, "no name of a function"),
        ({"decision_points": ()}, {}, "no decision point"),
        ({"flag": {}}, {}, "no variants"),
        ({}, {"funnel": ("session_started", "gone")}, "'gone' is not in the tracking plan"),
    ],
)
def test_what_cannot_be_coded_is_refused(architect: dict[str, Any], instrument: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        service(architect=architecture(**architect), instrument=instrumentation(**instrument))


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    """Names and texts that would break out of a string, a docstring, HTML or a script stay what they are."""
    nasty = '"""); import os; os.abort() #\\</script><b>{{ 7*7 }}{% raise %}\n'
    found = plan_service(
        architecture(decision_points=(DecisionPoint(id=nasty, where=nasty, event="checkout_started"),)),
        instrumentation(interactions={**INTERACTIONS, nasty: "search_performed"}),
        framework="fastapi",
        provider="paribus",
        feature="one-click-checkout",
        requirement=nasty,
        flag_key="one-click-checkout",
    )
    files = found.files()
    for path, text in files.items():
        if path.endswith(".py"):
            assert not any(
                isinstance(node, ast.Attribute) and node.attr == "abort" for node in ast.walk(ast.parse(text))
            )
    assert try_tests(files).failed == 0


# Deletions -------------------------------------------------------------------------------------------------------


def without_call(text: str, name: str) -> str:
    """The module without the statements that call `….name(…)`."""

    class Deletion(ast.NodeTransformer):
        hits = 0

        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            call = node.value
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == name:
                self.hits += 1
                return ast.copy_location(ast.Pass(), node)
            return node

    deletion = Deletion()
    tree = deletion.visit(ast.parse(text))
    assert deletion.hits, name
    return ast.unparse(tree)


def exposure(text: str) -> str:
    return re.sub(r"self\._client\.variant\((.*), default=CONTROL\)", r"str(self._client.peek(\1).variant)", text)


def fallback(text: str) -> str:
    return re.sub(r"(_failed\(.*\)\n\s+)return control\(\)", r"\1raise", text)


def openfeature_exposure(text: str) -> str:
    return without_call(text, "_expose")


DECISIONS, JOURNEY, APPLICATION = (f"{PACKAGE}/{name}.py" for name in ("decisions", "journey", "application"))
DELETIONS: dict[str, tuple[str, Callable[[str], str]]] = {
    "flag check": (DECISIONS, lambda text: text.replace("if variant == CONTROL:", "if True:")),
    "control": (DECISIONS, lambda text: text.replace("if variant == CONTROL:", "if False:")),
    "exposure": (DECISIONS, exposure),
    "fallback": (DECISIONS, fallback),
    "error event": (DECISIONS, lambda text: without_call(text, "track")),
    "breaker": (DECISIONS, lambda text: without_call(text, "report")),
    "event of an interaction": (JOURNEY, lambda text: without_call(text, "cart_item_added")),
    "event of an outcome": (JOURNEY, lambda text: without_call(text, "order_completed")),
    "event of a visit": (JOURNEY, lambda text: without_call(text, "session_started")),
    "decision's line": (DECISIONS, lambda text: without_call(text, "decided")),
    "fallback's count": (DECISIONS, lambda text: without_call(text, "inc")),
    "arm of a request": (DECISIONS, lambda text: text.replace("visit.variants[FLAG] = variant", "pass")),
    "request's line": (APPLICATION, lambda text: without_call(text, "line")),
    "latency": (APPLICATION, lambda text: without_call(text, "request")),
    "requests without a decision": (APPLICATION, lambda text: re.sub(r"(every_request\W+)True", r"\1False", text)),
    **{
        f"event {name}": (JOURNEY, lambda text, name=name: without_call(text, name))  # type: ignore[misc]
        for name in ("product_viewed", "search_performed", "checkout_started", "payment_submitted")
    },
}
FORKED = """
import os, sys
import fastapi, fastapi.responses, paribus_sdk.middleware.asgi, paribus_sdk.testing, prometheus_client, unittest.mock
for folder in sys.argv[1:]:
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path[0] = folder
        sys.stderr = open("report.txt", "w")
        unittest.main(module=None, argv=["unittest", "-q", "-f", "tests.test_service"])
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the tests of the FastAPI service say after each deletion, run in forks of one process."""
    files = dict(service().files())
    folders = {}
    for deleted, (path, change) in {"nothing": (DECISIONS, str), **DELETIONS}.items():
        changed = change(files[path])
        assert deleted == "nothing" or changed != files[path]
        folders[deleted] = tmp_path_factory.mktemp("deleted")
        write_files({**files, path: changed}, folders[deleted])
    subprocess.run([sys.executable, "-c", FORKED, *map(str, folders.values())], check=True, stdout=subprocess.DEVNULL)
    return {deleted: (folder / "report.txt").read_text() for deleted, folder in folders.items()}


@pytest.mark.xdist_group("backend deletions")
@pytest.mark.parametrize("deleted", DELETIONS)
def test_a_deletion_fails_the_generated_tests(reports: dict[str, str], deleted: str) -> None:
    assert reports["nothing"].rstrip().endswith("OK")
    assert "FAILED (" in reports[deleted], reports[deleted]


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["flask", "django"])
@pytest.mark.parametrize("deleted", DELETIONS)
def test_a_deletion_fails_the_tests_of_other_frameworks(framework: str, deleted: str) -> None:
    path, change = DELETIONS[deleted]
    files = service(framework).files()
    changed = change(files[path])
    assert changed != files[path]
    assert try_tests({**files, path: changed}).failed > 0


@pytest.mark.slow
@pytest.mark.parametrize("deleted", ["flag check", "control", "fallback", "error event", "openfeature"])
def test_a_deletion_fails_through_openfeature_too(deleted: str) -> None:
    files = service("fastapi", "split").files()
    change = {**{name: change for name, (_, change) in DELETIONS.items()}, "openfeature": openfeature_exposure}[deleted]
    changed = change(files[DECISIONS])
    assert changed != files[DECISIONS]
    assert try_tests({**files, DECISIONS: changed}).failed > 0


def test_the_survey_sees_a_second_evaluation_and_a_stray_one() -> None:
    files = service().files()
    line = "        variant = self._client.variant(FLAG, visit.unit, visit.attributes, default=CONTROL)\n"
    twice = {**files, DECISIONS: files[DECISIONS].replace(line, line * 2)}
    [counted] = count_decisions(twice, PACKAGE, ("checkout",))
    assert (counted.evaluations, counted.exposures) == (2, 2)
    stray = files[JOURNEY].replace(
        "        base = Section(", '        self._client.variant("x")\n        base = Section(', 1
    )
    assert stray_evaluations(files, PACKAGE) == ()
    assert stray_evaluations({**files, JOURNEY: stray}, PACKAGE) == (JOURNEY,)


# The end of the experiment, and the start of the service ------------------------------------------------------------


@pytest.mark.parametrize("keep", ["control", "treatment"])
def test_one_diff_removes_the_loser(tmp_path: Path, keep: str) -> None:
    """`patch -p1` applies it; no flag is left, the remaining tests pass, the winner is what everyone sees."""
    found = service()
    write_files(found.files(), tmp_path)
    diff = found.removal("control" if keep == "control" else "treatment")
    subprocess.run(["patch", "-p1", "--quiet"], cwd=tmp_path, input=diff, text=True, check=True)
    left = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    code = {path: text for path, text in left.items() if path.endswith(".py")}
    assert not any("client.variant(" in text or "FLAG" in text for text in code.values())
    loser = "checkout_treatment" if keep == "control" else "checkout_control"
    assert not any(loser in text for text in code.values())
    trial = try_tests(left)
    assert (trial.failed, trial.note) == (0, "")
    assert trial.passed >= 8


def test_the_code_is_linted_and_its_description_valid(tmp_path: Path) -> None:
    found = service()
    write_files(found.files(), tmp_path)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--line-length",
        "130",
        "--select",
        "E,F,W,B,UP",
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    _, facts = made(tmp_path)
    for path in facts.openapi["paths"].values():
        for operation in path.values():
            for body in operation.get("requestBody", {}).get("content", {}).values():
                Draft202012Validator.check_schema(body["schema"])


def test_alerts_and_dashboard_ask_for_what_the_service_measures() -> None:
    files = service().files()
    rules = [rule for group in yaml.safe_load(files["monitoring/alerts.yml"])["groups"] for rule in group["rules"]]
    panels = json.loads(files["monitoring/dashboard.json"])["panels"]
    asked = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    measured = set(re.findall(r'(?:Counter|Histogram)\(\s*"(\w+)"', files[f"{PACKAGE}/measures.py"]))
    for expression in asked:
        names = {re.sub(r"_(total|count|bucket)$", "", name) for name in re.findall(r"(\w+)\[", expression)}
        assert names
        assert names <= measured, expression
    assert {"variant", "point"} <= set(re.findall(r"by \((?:le, )?(\w+)\)", " ".join(asked)))


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["fastapi", "flask"])
def test_the_code_is_typed(tmp_path: Path, framework: str) -> None:
    write_files(service(framework).files(), tmp_path)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / ".cache"), PACKAGE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["fastapi", "flask", "django"])
def test_it_starts_by_its_command_and_ends_in_peace(tmp_path: Path, port: int, framework: str) -> None:
    """With no server in reach: control is served, and lines are written."""
    write_files(service(framework).files(), tmp_path)
    environment = {
        "PORT": str(port), "PARIBUS_URL": "http://127.0.0.1:9", "PARIBUS_KEY": "pb_server_none",
        "PARIBUS_CACHE_DIR": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", PACKAGE], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            page = wait_for(f"http://127.0.0.1:{port}/checkout-started")
        finally:
            process.send_signal(signal.SIGTERM)
        assert 'data-variant="control"' in page
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout.read().splitlines() if line.startswith("{")]
    assert process.returncode in (0, -signal.SIGTERM)
    assert {"decision", "request"} <= {line["kind"] for line in lines}


def wait_for(address: str) -> str:
    for _ in range(300):
        try:
            return str(urlopen(address).read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(address)
