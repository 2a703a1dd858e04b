"""A context for steps that read artifacts and write files, and touch no installation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from paribus.clock import system_clock
from paribus.workflow import Artifact, Config, Context, Evidence, Feature, Part
from paribus.workflow.operations import Operations
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.step import BY_SLUG

REQUIREMENT = "one-click checkout for returning mobile users"
KEY = "one-click-checkout"


def staged(
    folder: Path, config: dict[str, Any] | None = None, *, source: str = "lake", store: Any = None, **facts: Part
) -> Context:
    """A context in which these steps have these facts; of the installation it has the store alone."""
    made: dict[str, Any] = {}

    def once(name: str, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in made:
            made[name] = effect()
        return cast("dict[str, Any]", made[name])

    return Context(
        feature=Feature(key=KEY, requirement=REQUIREMENT, source=source),
        config=Config.model_validate(config or {}),
        artifacts={slug: artifact(slug, part) for slug, part in facts.items()},
        operations=cast("Operations", SimpleNamespace(store=store)),
        folder=folder,
        clock=system_clock,
        once=once,
        agent=Deterministic(),
    )


def artifact(slug: str, facts: Part) -> Artifact:
    """An artifact with these facts, all of its numbers from one source."""
    named = facts.model_dump(mode="json").get("evidence") or slug
    return Artifact(
        step=slug,
        role=BY_SLUG[slug].role,
        feature=KEY,
        requirement=REQUIREMENT,
        summary="Planned.",
        facts=facts.model_dump(mode="json"),
        evidence={named: Evidence(kind="config", title="planned by hand")},
    )
