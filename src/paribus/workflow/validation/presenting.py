"""The validation report as its readers see it: the summary, what has to be true, pictures and tables."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts.bars import Bar, bars
from paribus.workflow.artifact import Artifact, Outcome
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.validate import PageCoverage, ValidateFacts
from paribus.workflow.quality import run_table
from paribus.workflow.validation.verdict import COUNTED

LONGEST_MESSAGE = 300


def blocks(artifact: Artifact) -> list[Block]:
    """Coverage and loss as pictures, then what failed, then each part."""
    facts = ValidateFacts.model_validate(artifact.facts)
    failed = [check for check in artifact.checks if check.status == "failed"]
    made: list[Block] = []
    if facts.planted:
        sent, received, stored = (sum(getattr(each, name) for each in facts.planted) for name in COUNTED)
        made.append(
            Picture(
                bars(
                    [Bar("sent", sent), Bar("received", received), Bar("stored", stored)],
                    title="Planted events from the door to the lake",
                ),
                f"{len({each.event for each in facts.planted})} kinds of events through "
                f"{_counted(len({each.door for each in facts.planted}), 'door')}",
                "loss",
            )
        )
    if failed:
        made += [Heading("What stops the launch"), Listing([f"**{each.name}**: {each.message}" for each in failed])]
    if facts.coverage is not None:
        made += [
            Heading("Coverage"),
            Paragraph(
                f"{facts.coverage.tracked} of {facts.coverage.performed} interactions on {facts.coverage.pages} pages "
                "left an event. What was performed comes from the pages and the access log, not from the plan."
            ),
            Table(
                ("page", "element", "request", "events it left"),
                [
                    (each["page"], each["element"], each["request"], ", ".join(each["events"]) or "**none**")
                    for each in facts.coverage.interactions
                ],
            ),
        ]
    if facts.page is not None and not facts.page.why_not:
        made += _page(facts.page)
    if facts.funnel:
        found = facts.funnel
        made += [
            Heading("Funnel with known paths"),
            Table(
                ("step", "expected", "measured"),
                [
                    (step, f"{wanted:,}", f"{got:,}")
                    for step, wanted, got in zip(found["steps"], found["expected"], found["measured"], strict=True)
                ],
                right=("expected", "measured"),
            ),
        ]
    made += [
        Heading("People and sessions"),
        Table(
            ("case", "expected", "measured"),
            [
                (each["case"], f"{each['expected']:,}", f"{each['measured']:,}")
                for each in (*facts.people, *facts.sessions)
            ],
            right=("expected", "measured"),
        ),
    ]
    if facts.product:
        made += [
            Heading("The product's own events in staging"),
            Table(
                ("event", "events", "users", "held back", "doubled", "why"),
                [
                    (
                        each["event"],
                        f"{each['events']:,}",
                        f"{each['units']:,}",
                        f"{each['held_back']:,}",
                        f"{each['doubled']:,}",
                        "; ".join(each["why"])[:200],
                    )
                    for each in facts.product
                ],
                right=("events", "users", "held back", "doubled"),
            ),
            *run_table(facts.quality_history),
        ]
    made += [
        Heading("Planted events"),
        Table(
            ("event", "door", "sent", "received", "stored", "properties stored as sent"),
            [
                (
                    each.event,
                    each.door,
                    f"{each.sent:,}",
                    f"{each.received:,}",
                    f"{each.stored:,}",
                    f"{sum(share == 1 for share in each.properties.values())} of {len(each.properties)}",
                )
                for each in facts.planted
            ],
            right=("sent", "received", "stored"),
        ),
    ]
    return made


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _page(page: PageCoverage) -> list[Block]:
    said = (
        f"{page.tracked} of {page.performed} interactions on {page.pages} pages left an event: {page.address}, clicked "
        f"through in {page.browser}, each by a new visitor. The page's own script: {page.script}."
    )
    if page.acts:
        said += f" {page.acts_tracked} of {page.acts} acts in the access log left an event."
    if page.sent:
        said += f" {page.sent - page.lost} of {page.sent} events seen on the wire are in the lake."
    made: list[Block] = [
        Heading("Coverage in a browser"),
        Picture(
            bars(
                [Bar("performed", page.performed), Bar("tracked", page.tracked)], title="Interactions in a real browser"
            ),
            said,
            "page",
        ),
        Table(
            ("page", "element", "requests", "events it left"),
            [
                (each["page"], each["element"], each["request"], ", ".join(each["events"]) or "**none**")
                for each in page.interactions
            ],
        ),
    ]
    left = [*page.unperformed]
    if page.left_out:
        left.append(f"{page.left_out} interactions beyond the most that are performed")
    if page.frames:
        left.append(f"{page.frames} frames within the pages")
    return [*made, Paragraph("Not counted:"), Listing(left)] if left else made


def assumptions(facts: ValidateFacts, product_seen: bool) -> tuple[str, ...]:
    """What has to be true for the report to hold."""
    said = [
        "Staging runs the same release, plan and server as production will.",
        "An interaction counts as tracked when its visitor leaves an event beyond those of opening the page.",
        "Events are compared by value: what a client sends wrongly but in the right shape is not seen here.",
    ]
    if facts.page is None or facts.page.why_not:
        said.append("The crawl runs no scripts: what only a script does counts as performed and not tracked.")
        if facts.page is not None:
            said.append(f"No browser clicked through the page: {facts.page.why_not}.")
    else:
        said += [
            "In the browser, everything that a visitor could click is clicked once, each by a new visitor; events that "
            "a page sends by itself, and those of the page that a form leads to, count for nothing.",
            "Filling in a field is no interaction of its own unless a script listens to that field.",
        ]
        if facts.page.script not in {"run", "its own"}:
            said.append(f"The page's script was {facts.page.script}.")
    if product_seen:
        said.append(
            "Users in staging go on from step to step about as often as usual; a loss of less than a fifth is not seen."
        )
    if facts.coverage is None:
        said.append("No service was generated, so coverage of interactions is not known.")
    return tuple(said)


def _short(message: str) -> str:
    """A message for the first paragraph: whole where it is short, else its first points."""
    points = message.split("; ")
    while len(points) > 1 and len("; ".join(points)) > LONGEST_MESSAGE:
        points.pop()
    left = message.count("; ") + 1 - len(points)
    return "; ".join(points) + (f"; and {left} more" if left else "")


def summary(facts: ValidateFacts, checks: Sequence[Outcome], feature: str) -> str:
    """The first paragraph."""
    failed = [check for check in checks if check.blocking and check.status == "failed"]
    sent, stored = (sum(getattr(each, name) for each in facts.planted) for name in ("sent", "stored"))
    said = [f"{stored} of {sent} events planted in staging are in the lake with every property counted"]
    if facts.coverage is not None:
        said.append(f"{facts.coverage.tracked} of {facts.coverage.performed} interactions of the service are tracked")
    if facts.page is not None and not facts.page.why_not:
        said.append(f"{facts.page.tracked} of {facts.page.performed} clicks in a real browser are tracked")
    if facts.product:
        events = sum(each["events"] + each["held_back"] for each in facts.product)
        said.append(f"{events:,} events of the product's own staging release were examined")
    text = ". ".join(said) + "."
    if failed:
        names = ". ".join(f"{check.name}: {_short(check.message)}" for check in failed)
        return f"{feature} must not be launched yet. {names}. {text}"
    return f"The instrumentation of {feature} works end to end. {text}"
