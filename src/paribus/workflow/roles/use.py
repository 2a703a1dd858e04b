"""Each use of a language model, as a record: what it was asked, what came back, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paribus.store import RecordType, Store


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One question to a model.

    digest      SHA-256 of everything that was asked; the same question of the same step is asked once
    kind        propose or rewrite
    outcome     used, unchanged, refused (an answer that breaks a rule) or failed (no answer)
    detail      which rule, which failure
    answer      the validated answer; {} without one
    cost        in the provider's currency; None where the URL does not tell it
    """

    feature: str
    step: str
    digest: str
    role: str
    role_version: int
    kind: str
    url: str
    model: str
    instructions: str
    prompt: str
    schema: str
    answer: dict[str, Any]
    outcome: str
    detail: str
    requests: int
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float | None = None


USES = RecordType(ModelUse, "model_use", key=("feature", "step", "digest"))


def uses(store: Store, feature: str) -> list[ModelUse]:
    """Every use of a model for a feature, in the order of steps' slugs."""
    return store.records(USES).scan(feature)
