"""The prompt that takes a requirement from an agent host through the sixteen steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.workflow.roles.staff import role_of
from paribus.workflow.step import PHASES, STEPS

NAMES = ("data_driven_feature", "data-engineering-data-driven-feature")
"""The workflow is found under both."""
TITLE = "Data-driven feature"
ENGINEERING = "data-engineering"


def told(requirements: str, policy: Mapping[str, Any]) -> str:
    """What the agent is told: the feature, the steps with their roles, and where it has to stop and ask."""
    approvals = ", ".join(policy["approve"]) or "nothing"
    steps = ", ".join(policy["steps"]) if len(policy["steps"]) < len(STEPS) else "every step"
    limits = (
        f"You may alone: run {steps}; approve {approvals}; widen traffic up to {policy['max_traffic_bp'] / 100:g}%"
        + (", with powered guardrails only" if policy["powered_guardrails"] else "")
        + ("; only what can be undone" if policy["reversible_only"] else "")
        + ". `kill` is always allowed. Everything else a person does: say so, and name the command."
    )
    return f"{way(requirements)}\n\n{limits}"


def way(requirements: str) -> str:
    """The feature and the whole way to a decision, without what the agent may do alone."""
    lines = [
        "Develop this feature guided by data, and end with a decision that its evidence carries.",
        "",
        "Feature to develop with data-driven approach:",
        requirements.strip() or "(nothing was given: ask what is to be built, and for whom)",
        "",
        "1. Call `features`; if it is not there yet, `new_feature` with the text above, verbatim.",
        "2. Call the steps in order. Each answer has a summary, evidence ids and `next`. Read `checks` that did not",
        "   pass before you go on; a blocking one is mended, never argued away.",
        "3. Where an artifact waits for approval, show its summary, assumptions and main numbers to a person and ask,",
        "   unless `next` says that you may approve alone.",
        "4. State numbers only as they stand in artifacts, with their interval and evidence id. Simulated data are",
        "   called simulated.",
        "5. When a step waits for time or data, say until when, and stop.",
        "6. At the end call `scorecard`, `verify` and `export`, and report verdict, value, what was learned, and the",
        "   first follow-up.",
        "",
    ]
    for number, phase in enumerate(PHASES, start=1):
        lines.append(f"Phase {number}, {phase}:")
        lines += [
            f"  {step.number}. `{step.slug}` ({role_of(step).id}): {step.question}"
            for step in STEPS
            if step.phase == number
        ]
    return "\n".join(lines)


def engineering(request: str) -> str:
    """What the agent is told of a data engineering request: how to answer, and the plan where the kind is known."""
    from paribus.app.engineering import engineered
    from paribus.errors import InputError
    from paribus.workflow.engineering.page import markdown

    lines = [
        "Act as a data engineer. Answer this request with a plan in eight parts: requirements, components, errors,",
        "quality checks, cost and performance, governance, health and alerts, flows and runbooks.",
        "",
        request.strip() or "(nothing was given: ask what is to be built)",
        "",
        "1. Call `data_engineering` with the request, verbatim; its plan was checked.",
        "2. Say what was assumed, and ask for the numbers that the request leaves open: rate, freshness, retention.",
        "3. Name what stands outside Paribus as such, and how deep each named system is verified.",
        "4. Change the plan only where the request says something else, and keep both ways with their costs.",
        "",
    ]
    try:
        return "\n".join(lines) + markdown(engineered(request))
    except InputError as error:
        return "\n".join([*lines, str(error)])
