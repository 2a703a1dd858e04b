"""Step 7: a service that decides, exposes, measures and falls back, with the tests that show it."""

from __future__ import annotations

import json
import re

from paribus.charts.flow import flow
from paribus.charts.graph import mermaid
from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.block import Block, Code, Diagram, Heading, Listing, Paragraph, Table
from paribus.workflow.code.openapi import describe
from paribus.workflow.code.picture import walk
from paribus.workflow.code.service import Service, plan_service
from paribus.workflow.code.survey import Counted, count_decisions, stray_evaluations
from paribus.workflow.code.trial import COMMAND, Trial, missing, try_tests
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.code import BackendFacts, CodedDecision, Route, TestRun
from paribus.workflow.facts.instrument import InstrumentFacts

VARIABLES = {
    "PORT": "port to listen on, at 127.0.0.1",
    "PARIBUS_URL": "address of the Paribus server",
    "PARIBUS_KEY": "a key of server scope",
    "PAGE_KEY": "a key of client scope for the page's script; without it pages work without scripts",
    "PAGE_URL": "address of the Paribus server as browsers see it; PARIBUS_URL without it",
    "PAGE_ASSETS": "folder with page.js, built in step frontend",
    "PAGE_SDK": "folder of the browser SDK's build",
    "PAGE_CONSENT": "granted, pending or denied at the beginning",
    "PAGE_RECORDING": "share of sessions that are recorded, after consent; empty: none",
}
LOG = "standard output, one JSON object per line; kind=request has method, route, path, status, unit, variants, trace"
RUN, PLAN, SYNTAX = "generation", "facts", "syntax"


def run(context: Context) -> Artifact:
    """The service for the framework of the configuration."""
    architect = context.facts("architect", ArchitectFacts)
    instrument = context.facts("instrument", InstrumentFacts)
    service = plan_service(
        architect,
        instrument,
        framework=context.config.implementation.backend,
        provider=context.config.feature_flags.provider,
        feature=context.feature.key,
        requirement=context.feature.requirement,
        flag_key=context.flag_key(),
    )
    files = service.files()
    counted = count_decisions(files, service.package, tuple(point.function for point in service.journey.decisions))
    absent = missing(service.framework, service.provider)
    context.progress(0.5, "running the generated tests")
    trial = Trial(0, 0, f"{absent} is not installed here") if absent else try_tests(files)
    facts = _facts(service, counted, trial)
    openapi = json.dumps(facts.openapi, indent=2) + "\n"
    removals = {
        path: service.removal("control" if loser == "treatment" else "treatment")
        for loser, path in facts.removal.items()
    }
    made = {**files, "openapi.json": openapi, **removals}
    evidence = {
        RUN: Evidence(
            kind="run",
            title="The generated tests, run on the generated code",
            statement=f"{COMMAND}  # {service.framework}, {service.provider}",
            data=f"{len(files)} files of this artifact",
        ),
        PLAN: Evidence(
            kind="config",
            title="What the code was generated from",
            statement="facts of the steps architect and instrument, implementation.backend, feature_flags.provider",
            data=context.input_hash("architect") + " " + context.input_hash("instrument"),
        ),
        SYNTAX: Evidence(
            kind="run",
            title="Evaluations and exposures, counted in the syntax tree of the generated code",
            statement="every call of a flag client in each decision function, and every call of that function",
        ),
    }
    return context.artifact(
        "backend",
        _summary(service, facts, trial),
        facts,
        evidence=evidence,
        assumptions=_assumptions(service),
        checks=_checks(service, files, counted, trial),
        files=tuple(File(path=path, text=text) for path, text in sorted(made.items())),
    )


def present(artifact: Artifact) -> list[Block]:
    """Routes and their events, decision points, how it is started, the code that decides."""
    facts = BackendFacts.model_validate(artifact.facts)
    texts = {file.path: file.text for file in artifact.files}
    tests = facts.tests
    ran = f"{tests.passed} passed, {tests.failed} failed" if tests.passed + tests.failed else f"not run: {tests.note}"
    drawn = walk(facts)
    blocks: list[Block] = [
        Diagram(mermaid(drawn), flow(drawn), "What can be done on each page, and where that leads", "pages"),
        Heading("What each route sends"),
        Table(
            ("Route", "Element", "Planned events", "Decision"),
            [
                (
                    f"{route.method} {route.path}",
                    route.element or "the address",
                    ", ".join(route.events) + (" (once per visit)" if route.once and route.events else "") or "none",
                    route.decision or "",
                )
                for route in facts.routes
            ],
            caption="Every route besides health, metrics and files of the page; each sends `$request` as well.",
        ),
        Heading("Where it decides"),
        Table(
            ("Decision point", "Function", "After the event", "Screen", "Evaluations", "Exposures"),
            [
                (each.id, each.function, each.after, each.path, str(each.evaluations), str(each.exposures))
                for each in facts.decisions
            ],
            caption="Counted in the syntax tree of the code.",
            right=("Evaluations", "Exposures"),
        ),
        Code(texts.get(f"{facts.package}/decisions.py", ""), "python", "The decision, its exposure and its fallback"),
        Heading("How it is started and tested"),
        Code(
            f"pip install -r requirements.txt\nPORT=8500 PARIBUS_URL=… PARIBUS_KEY=… python -m {facts.package}\n"
            f"{tests.command}   # {ran}",
            "bash",
        ),
        Table(("Variable", "Meaning"), list(facts.variables.items())),
        Paragraph(f"Lines: {facts.access_log}. Metrics: `{facts.metrics_path}`. Health: `{facts.health}`."),
        Heading("When the experiment is over"),
        Listing(
            [
                f"`{path}` takes out the {loser} and the flag: `patch -p1 < {path}`"
                for loser, path in facts.removal.items()
            ]
        ),
    ]
    return blocks


def _facts(service: Service, counted: tuple[Counted, ...], trial: Trial) -> BackendFacts:
    by_function = {each.function: each for each in counted}
    routes = []
    decisions = []
    for screen in service.journey.screens:
        points = screen.decisions
        routes.append(
            Route(
                method="GET",
                path=screen.path,
                events=tuple(sending.event for sending in (*screen.enters, *screen.outcomes)),
                decision=", ".join(point.id for point in points),
                once=not screen.every_time and screen is service.journey.screens[0],
            )
        )
        decisions += [
            CodedDecision(
                id=point.id,
                function=f"decisions.{point.function}",
                after=point.after,
                path=screen.path,
                evaluations=by_function[point.function].evaluations,
                exposures=by_function[point.function].exposures,
                evidence=SYNTAX,
            )
            for point in points
        ]
    routes += [
        Route(
            method=each.method,
            path=each.path,
            events=tuple(sending.event for sending in each.sends),
            element=each.id,
            screen=screen.path,
            leads_to=each.leads_to,
        )
        for screen in service.journey.screens
        for each in screen.interactions
    ]
    return BackendFacts(
        framework=service.framework,
        provider=service.provider,
        package=service.package,
        command=("{python}", "-m", service.package),
        variables=VARIABLES | ({} if service.provider == "paribus" else {"FLAG_PROVIDER": "module:function"}),
        access_log=LOG,
        routes=tuple(routes),
        decisions=tuple(decisions),
        interactions={each.id: each.sends[0].event for each in service.journey.interactions},
        forms={each.id: {field.name: field.sample for field in each.fields} for each in service.journey.interactions},
        attributes=tuple(each.name for each in service.attributes),
        requirements=service.requirements,
        openapi=describe(service),
        tests=TestRun(command=COMMAND, passed=trial.passed, failed=trial.failed, note=trial.note, evidence=RUN),
        removal={"treatment": "remove-treatment.diff", "control": "remove-control.diff"},
        evidence=PLAN,
    )


def _summary(service: Service, facts: BackendFacts, trial: Trial) -> str:
    points = len(facts.decisions)
    events = {event for route in facts.routes for event in route.events}
    framework = {"fastapi": "FastAPI", "flask": "Flask", "django": "Django"}[service.framework]
    said = (
        f"A {framework} service was generated for {service.requirement!r}: {points} decision "
        f"{'point' if points == 1 else 'points'} with one evaluation and one exposure each, {len(facts.routes)} "
        f"routes that send {len(events)} planned events."
    )
    if trial.failed:
        return f"{said} Of its own tests {trial.failed} failed: it must not go on."
    if not trial.ran:
        return f"{said} Its own tests were not run here ({trial.note})."
    return (
        f"{said} Its own {trial.passed} tests pass; they fail when the flag check, the exposure, an event or the "
        "fallback is taken out. If the treatment fails, control is served."
    )


def _assumptions(service: Service) -> tuple[str, ...]:
    found = [
        "The unit is a random id in a cookie: a visitor who deletes it, or changes device, is a new unit.",
        "The treatment's content is written by hand in variants.py; it must keep the interactions of control, since "
        "arms that send different events cannot be compared.",
        "Amounts and products come from hidden fields with sample values; in production they come from your records.",
        "An exposure's id in the log is a digest of (flag, unit, assigned, served, revision), so lines join to "
        "exposures without a shared counter.",
    ]
    told = [each.name for each in service.attributes if not each.recipe]
    if told:
        found.append(
            f"The gateway gives {', '.join(told)} as X-Attribute headers, and lets no client set them: without them a "
            "rule that asks for them does not apply."
        )
    if service.provider != "paribus":
        found.append(
            f"Flags are decided by {service.provider} through OpenFeature; its own provider package is set up by "
            "FLAG_PROVIDER. Only decisions with its reason SPLIT enter the analysis, repeated exposures are counted "
            "once there, and the SDK's local circuit breaker does not act; the fallback to control does."
        )
    return tuple(found)


def _checks(service: Service, files: dict[str, str], counted: tuple[Counted, ...], trial: Trial) -> tuple[Outcome, ...]:
    wrong = [each.function for each in counted if (each.evaluations, each.exposures, each.callers) != (1, 1, 1)]
    strays = stray_evaluations(files, service.package)
    planned = {sending.function for each in service.journey.interactions for sending in each.sends}
    planned |= {
        sending.function for screen in service.journey.screens for sending in (*screen.enters, *screen.outcomes)
    }
    text = files[f"{service.package}/journey.py"]
    unsent = sorted(name for name in planned if not re.search(rf"\bevents\.{name}\(", text))
    if trial.failed:
        tests = Outcome(name="generated tests", status="failed", message=f"failed: {trial.note}", evidence=RUN)
    elif trial.ran:
        tests = Outcome(name="generated tests", status="passed", message=f"{trial.passed} passed", evidence=RUN)
    else:
        tests = Outcome(
            name="generated tests",
            status="warned",
            message=f"not run: {trial.note}; pip install -r requirements.txt, then {COMMAND}",
            blocking=False,
            evidence=RUN,
        )
    return (
        Outcome(
            name="one evaluation and one exposure per decision point",
            status="failed" if wrong or strays else "passed",
            message=f"not so: {', '.join([*wrong, *strays])}"
            if wrong or strays
            else f"{len(counted)} of {len(counted)}",
            evidence=SYNTAX,
        ),
        Outcome(
            name="every planned event has its call",
            status="failed" if unsent else "passed",
            message=", ".join(unsent) or f"{len(planned)} of {len(planned)}",
            evidence=SYNTAX,
        ),
        tests,
    )
