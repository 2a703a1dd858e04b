"""What step 10 concludes of its measurements: one check each, blocking unless it says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.workflow.artifact import Outcome
from paribus.workflow.facts.validate import Coverage, PageCoverage, ValidateFacts
from paribus.workflow.validation import product

Json = dict[str, Any]
COUNTED = ("sent", "received", "stored")
LEAST_SHARE = 0.99
REPLAY_ALPHA = 0.001
"""Below it, and only then, a replay without effect is called uneven: it is read for several metrics."""


def loss(facts: ValidateFacts, planned: Mapping[str, Any]) -> Outcome:
    """Whether every planted event and property is stored as it was sent."""
    sent, received, stored = (sum(getattr(each, name) for each in facts.planted) for name in COUNTED)
    lossy = [f"{each.event} by {each.door}" for each in facts.planted if each.stored < each.sent]
    changed = [f"{each.event}.{name}" for each in facts.planted for name, share in each.properties.items() if share < 1]
    unsent = sorted(set(planned) - {each.event for each in facts.planted})
    wrong = [*(f"lost: {each}" for each in lossy), *(f"changed: {each}" for each in changed)]
    wrong += [f"no sample meets the pattern of {each}" for each in unsent]
    return Outcome(
        name="No loss from the door to the lake",
        status="failed" if lossy or changed or received < sent else "warned" if unsent else "passed",
        message="; ".join(wrong)
        or f"{sent} events of {len(planned)} kinds sent, {received} received, {stored} stored, every property as sent",
        evidence="planted",
    )


def contract(invalid: Json) -> Outcome:
    """Whether what breaks the plan is held back, and nothing else."""
    wrongly = invalid["wrongly"]
    broken = invalid["broken"]
    status = "failed" if wrongly or broken is False else "passed" if broken else "not_applicable"
    return Outcome(
        name="The plan is enforced",
        status=status,
        message="; ".join(wrongly)
        or {
            True: "an event that breaks the plan was held back, those that keep it were not",
            False: "an event that breaks the plan was let through",
            None: "no property of the plan has a type that can be broken",
        }[broken],
        evidence="planted",
    )


def covered(coverage: Coverage | None) -> Outcome:
    """Whether every interaction left an event."""
    if coverage is None:
        return Outcome(
            name="Coverage", status="not_applicable", message="no service was generated that could be crawled"
        )
    whole = coverage.performed == coverage.tracked and coverage.performed > 0
    unlogged = coverage.performed - coverage.logged
    share = coverage.tracked / coverage.performed if coverage.performed else 0.0
    return Outcome(
        name="Coverage",
        status="passed" if whole else "failed",
        message=f"{coverage.tracked} of {coverage.performed} interactions on {coverage.pages} pages left an event "
        f"({share:.1%})"
        + (f"; without any: {', '.join(coverage.missing)}" if coverage.missing else "")
        + (f"; {unlogged} are not in the access log" if unlogged else ""),
        evidence="crawl",
    )


def page_covered(page: PageCoverage | None) -> Outcome:
    """Whether every interaction in a real browser left an event, by the clicks and by the access log."""
    name = "Coverage in a browser"
    if page is None or page.why_not:
        why = page.why_not if page is not None else "no page was clicked through"
        return Outcome(name=name, status="not_applicable", message=f"not counted: {why}", blocking=False)
    wrong = [f"without any: {', '.join(page.missing)}"] if page.missing else []
    if page.acts_tracked < page.acts:
        wrong.append(f"{page.acts - page.acts_tracked} of {page.acts} acts in the access log left none")
    if page.logged < page.requests:
        wrong.append(f"{page.requests - page.logged} are not in the access log")
    if page.lost:
        wrong.append(f"{page.lost} of {page.sent} events that left the browser are not in the lake")
    if page.left_out:
        wrong.append(f"{page.left_out} more were found and not performed")
    share = page.tracked / page.performed if page.performed else 0.0
    said = [
        f"{page.tracked} of {page.performed} interactions on {page.pages} pages left an event ({share:.1%}) "
        f"in {page.browser}, at {page.address}"
    ]
    if page.acts:
        said.append(f"so did {page.acts_tracked} of {page.acts} acts in the access log")
    if page.unperformed:
        said.append(f"not performed: {'; '.join(page.unperformed)}")
    return Outcome(
        name=name,
        status="failed" if wrong or not page.performed else "passed",
        message="; ".join([said[0], *wrong, *said[1:]]),
        evidence="page",
    )


def funnel(found: Json) -> Outcome:
    """Whether users of known paths come out as planted."""
    if not found:
        return Outcome(name="Funnel", status="not_applicable", message="the feature's funnel has fewer than two steps")
    equal = found["expected"] == found["measured"]
    return Outcome(
        name="Funnel",
        status="passed" if equal else "failed",
        message="users of known paths come out as planted"
        if equal
        else f"planted {found['expected']}, measured {found['measured']}",
        evidence="funnel",
    )


def equal(name: str, evidence: str, found: Sequence[Json]) -> Outcome:
    """Whether each case comes out as planted."""
    wrong = [
        f"{each['case']}: {each['measured']} instead of {each['expected']}"
        for each in found
        if each["measured"] != each["expected"]
    ]
    return Outcome(
        name=name,
        status="failed" if wrong else "passed",
        message="; ".join(wrong) or f"{len(found)} cases come out as planted: {', '.join(e['case'] for e in found)}",
        evidence=evidence,
    )


def product_checks(
    own: Mapping[str, product.EventHealth],
    passages: Sequence[product.Passage],
    wanted: Sequence[str],
    planned: Sequence[str],
) -> tuple[Outcome, ...]:
    """What the product's own staging traffic says of its instrumentation."""
    if not own:
        return (
            Outcome(
                name="The product's own events",
                status="not_applicable",
                message="the product has sent nothing in staging; its generated code was crawled instead",
                blocking=False,
                evidence="product",
            ),
        )
    missing = [name for name in wanted if name not in own or not (own[name].events or own[name].held)]
    rare = [name for name in planned if name not in wanted and (name not in own or not own[name].events)]
    held = {
        name: each
        for name, each in own.items()
        if each.held and sum(each.held.values()) > (1 - LEAST_SHARE) * (each.events + sum(each.held.values()))
    }
    doubled = [name for name, each in own.items() if each.doubled > product.DOUBLED * max(each.events, 1)]
    doubled = [name for name in doubled if name in planned]
    lossy = {each.second: each for each in reversed(passages) if each.is_lossy and each.second not in held}
    return (
        Outcome(
            name="Every event arrives",
            status="failed" if missing or lossy else "passed",
            message="; ".join(
                [f"{name} never arrives" for name in missing]
                + [f"{each.sentence}: it is not always sent" for each in lossy.values()]
            )
            or f"each of {len(wanted)} events of the funnel and the metrics arrives as often as usual",
            evidence="product",
        ),
        Outcome(
            name="Every event keeps the plan",
            status="failed" if held else "passed",
            message="; ".join(f"{name}: {', '.join(sorted(each.held))}" for name, each in held.items())[:600]
            or "no event of the product breaks the plan",
            evidence="product",
        ),
        Outcome(
            name="No event is sent twice",
            status="failed" if doubled else "passed",
            message=f"sent twice: {', '.join(doubled)}" if doubled else "no event of the product comes in copies",
            evidence="product",
        ),
        Outcome(
            name="Rare events",
            status="warned" if rare else "passed",
            message=f"planned and not seen in staging: {', '.join(rare)}" if rare else "every planned event was seen",
            blocking=False,
            evidence="product",
        ),
    )


def replayed(found: Json) -> Outcome:
    """Whether nothing is found where nothing happened."""
    if not found or "why_not" in found:
        return Outcome(
            name="A/A replay",
            status="not_applicable",
            message=found.get("why_not", "there is no history to replay"),
            blocking=False,
        )
    failed = [each["check"] for each in found["failed_checks"]]
    uneven = [
        f"{each['metric']} (p = {each['p_value']:.2g})"
        for each in found["effects"]
        if each["p_value"] is not None and each["p_value"] < REPLAY_ALPHA
    ]
    total = sum(found["units"].values())
    return Outcome(
        name="A/A replay",
        status="failed" if failed else "warned" if uneven else "passed",
        message=f"health checks fail without any effect: {', '.join(failed)}"
        if failed
        else f"this split divides history unevenly: {', '.join(uneven)}; new salts would not"
        if uneven
        else f"{total:,} units of history, split by the real flag: nothing is found, as it must be",
        evidence="replay",
    )
