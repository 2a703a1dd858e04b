"""Artifacts made by hand in a real dossier, so that doors have something to show before any step runs."""

from __future__ import annotations

from typing import Any

from tests.workflow.business import explored

from paribus.app.feature import workshop
from paribus.settings import Settings
from paribus.workflow.artifact import Artifact, Evidence
from paribus.workflow.step import named

SUMMARY = "Half of them leave. The rest stays."


def save(settings: Settings, key: str, slug: str, **more: Any) -> Artifact:
    """A step's artifact, on the hashes of those before it; the exploration with facts, others without."""
    facts = explored().model_dump(mode="json") if slug == "explore" else {}
    facts = more.pop("facts", facts)
    with workshop(settings) as shop:
        feature, config = shop.dossier.feature(key)
        artifact = Artifact(
            step=slug,
            role=named(slug).role,
            feature=key,
            requirement=feature.requirement,
            facts=facts,
            evidence={name: Evidence(kind="config", title=f"by hand: {name}") for name in evidence_of(facts) | {"e1"}},
            inputs={need: shop.dossier.artifact(key, need).hash for need in named(slug).needs},
            settings=config.hash,
            **{"summary": SUMMARY, **more},
        )
        shop.dossier.save(artifact, author="test")
    return artifact


def evidence_of(facts: Any) -> set[str]:
    """Every evidence id that the facts name."""
    if isinstance(facts, dict):
        own = {facts["evidence"]} if isinstance(facts.get("evidence"), str) else set()
        return own.union(*(evidence_of(each) for each in facts.values()))
    return set().union(*(evidence_of(each) for each in facts)) if isinstance(facts, list | tuple) else set()
