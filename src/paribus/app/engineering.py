"""A data engineer's answer to a request: the plan, and what its checker says of it with the parts that exist."""

from __future__ import annotations

import re
from typing import Any

from paribus.app.integrations import System, systems
from paribus.workflow.engineering import answer, review

COMMANDS = frozenset(
    {
        "paribus doctor",
        "paribus events quality",
        "paribus events quarantine",
        "paribus explore",
        "paribus key create",
        "paribus pipeline refresh",
        "paribus serve",
    }
)
"""Commands that plans name; a test asks the command line for each."""


def engineered(request: str) -> dict[str, Any]:
    """The plan in eight parts, the systems that the request names and how deep the work with each goes, and objections.

    `objections` is empty where the checker accepts the plan.

    Raises:
        InputError: the request names nothing that is known.
    """
    plan = answer(request)
    return {
        **plan.plain(),
        "named": [
            {"id": each.id, "title": each.title, "depth": each.depth, "what": each.what}
            for each in systems()
            if _names(request, each)
        ],
        "objections": review(plan, {system.id for system in systems()} | COMMANDS),
    }


def _names(request: str, system: System) -> bool:
    """Whether a request names the system, by its name or the last word of its title."""
    words = {system.name, system.title.lower(), system.title.lower().rpartition(" ")[2]}
    said = request.lower()
    return any(re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", said) for word in words if len(word) > 2)
