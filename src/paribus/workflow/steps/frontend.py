"""Step 8: the page of the service: both variants, Web Vitals, an error boundary, consent."""

from __future__ import annotations

from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Table
from paribus.workflow.code.page import BUILD, PageCode
from paribus.workflow.code.service import plan_service
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.code import BackendFacts, FrontendFacts
from paribus.workflow.facts.instrument import InstrumentFacts

PAGE_EVENTS = ("$web_vital", "$page_view", "$error")
TEST = "SERVICE=../backend SDK=… python -m unittest test_page"
RECORDING = "off; PAGE_RECORDING gives the share of sessions, recorded after consent only, texts and inputs masked"
MOBILE = (
    "Phones decide by OFREP (one evaluation is an exposure) and send events by HTTP to /api/v1/events: "
    "mobile/ is a sample for React Native, typed, without DOM; in Swift and Kotlin the OpenFeature SDKs with their "
    "OFREP providers"
)
CODE = "generation"


def run(context: Context) -> Artifact:
    """The page, plain or React."""
    backend = context.facts("backend", BackendFacts)
    kind = context.config.implementation.frontend
    service = plan_service(
        context.facts("architect", ArchitectFacts),
        context.facts("instrument", InstrumentFacts),
        framework=backend.framework,
        provider=backend.provider,
        feature=context.feature.key,
        requirement=context.feature.requirement,
        flag_key=context.flag_key(),
    )
    page = PageCode(kind, service)
    files = page.files()
    offered = {each.id: each.sends[0].event for each in service.journey.interactions}
    facts = FrontendFacts(
        kind=kind,
        assets=page.assets,
        build=BUILD[kind],
        script="page.js",
        interactions=offered,
        sent_by_page=page.sent_by_page,
        page_events=PAGE_EVENTS,
        variants=service.arms,
        same_events=offered == backend.interactions,
        recording=RECORDING,
        mobile=MOBILE,
        test_command=TEST,
    )
    elements = len(offered)
    return context.artifact(
        "frontend",
        f"A {'React' if kind == 'react' else 'plain'} page was generated for the service: "
        f"{' and '.join(service.arms) if len(service.arms) == 2 else ', '.join(service.arms)} with the same {elements} "
        "interactions each, so that their events can be compared. It measures its Web Vitals, reports its errors with "
        "their variant, and shows control when the treatment fails. It works without scripts.",
        facts,
        evidence={
            CODE: Evidence(
                kind="config",
                title="What the page was generated from",
                statement="facts of the steps architect, instrument and backend, implementation.frontend",
                data=context.input_hash("backend"),
            )
        },
        assumptions=(
            "The service decides and renders; the page takes its decision, so nothing flickers and nobody is exposed "
            "twice by script and service.",
            "Web Vitals come from browsers that report them: INP and CLS from Chromium, LCP and TTFB from all current "
            "ones; they are compared within the same browser mix in both arms.",
            "Who refuses consent is counted by the service's requests and events, not by the page's own.",
            "The page is driven in Chromium by step 10, which clicks everything on it, and by test_page.py; both need "
            "playwright, and this step runs neither.",
        ),
        checks=(
            Outcome(
                name="same interactions in every variant, as served",
                status="passed" if facts.same_events else "failed",
                message=f"{elements} of {elements}" if facts.same_events else "the page differs from the service",
                evidence=CODE,
            ),
            Outcome(
                name="page in Chromium",
                status="warned",
                message=f"not run here; step 10 clicks through it where there is a browser; its own tests: {TEST}",
                blocking=False,
                evidence=CODE,
            ),
        ),
        files=tuple(File(path=path, text=text) for path, text in files.items()),
    )


def present(artifact: Artifact) -> list[Block]:
    """What can be done on the page and what it sends, and the code that shows a variant."""
    facts = FrontendFacts.model_validate(artifact.facts)
    texts = {file.path: file.text for file in artifact.files}
    sender = dict.fromkeys(facts.sent_by_page, "page, or service without scripts")
    shown = ("src/page.tsx", "typescript") if facts.kind == "react" else ("page.js", "javascript")
    return [
        Heading("What can be done on the page"),
        Table(
            ("Element", "Planned event", "Sent by", *facts.variants),
            [
                (element, event, sender.get(event, "service"), *("yes" for _ in facts.variants))
                for element, event in facts.interactions.items()
            ],
            caption=(
                "The same in every variant. The page sends what metrics are made of; the service sends the rest when "
                "it receives the form."
            ),
        ),
        Heading("What the page tells by itself"),
        Listing(
            [
                "`$web_vital`: LCP, INP, CLS, TTFB, with the variants shown",
                "`$page_view`: each view",
                "`$error`: errors of scripts and of the treatment, with the variants shown",
                f"`$recording`: {facts.recording}",
            ]
        ),
        Heading("How a variant is shown, and what happens when it fails"),
        Code(texts.get(shown[0], ""), shown[1], shown[0]),
        Heading("How it is built and tested"),
        Code("\n".join([*facts.build, facts.test_command]), "bash"),
        Paragraph(f"{facts.mobile}."),
    ]
