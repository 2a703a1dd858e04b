"""What a request asks for: which of the known kinds, how much, and what it leaves open."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from paribus.errors import InputError
from paribus.experiments.words import stem, stems

USUAL_RATE = 1_000.0
"""Events a second where a request names none; said as an assumption."""
_MULTIPLES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9, "": 1.0}
_SPANS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "h": 3600, "day": 86_400, "d": 86_400}
_RATE = re.compile(
    r"(\d[\d,]*(?:\.\d+)?)\s*(k|m|b|thousand|million|billion)?\b\s*(?:events?|rows?|records?|messages?|changes?)\s*"
    r"(?:per|a|an|/)\s*(second|sec|s|minute|min|hour|h|day|d)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was understood.

    Attributes:
        text: verbatim.
        kind: of the blueprint.
        per_second: events a second.
        stated: whether the request says how many.
        matched: words that told the kind.
    """

    text: str
    kind: str
    per_second: float
    stated: bool
    matched: tuple[str, ...]


@functools.cache
def blueprints() -> Mapping[str, dict[str, Any]]:
    """What is known of each kind."""
    text = files("paribus.workflow.engineering").joinpath("blueprints.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found


def understood(text: str) -> Request:
    """The kind whose words the request names most, rare words first; and its rate.

    Raises:
        InputError: it names nothing that is known.
    """
    asked = set(stems(text)) | {stem(word) for word in re.findall(r"[A-Za-z]+", text)}
    spoken = {kind: {stem(word) for word in each["words"]} for kind, each in blueprints().items()}
    shared: dict[str, float] = {}
    for kind, words in spoken.items():
        shared[kind] = sum(1 / sum(word in others for others in spoken.values()) for word in words & asked)
    best = max(shared, key=lambda kind: shared[kind])
    if shared[best] < 1:
        titles = ", ".join(str(each["title"]).lower() for each in blueprints().values())
        raise InputError(
            "the request names nothing that is known",
            where="request",
            rule=f"it is about one of: {titles}",
            fix='for instance "a streaming pipeline for 1M events per second from Kafka to BigQuery"',
        )
    match = _RATE.search(text)
    rate = USUAL_RATE
    if match:
        number = float(match[1].replace(",", "")) * _MULTIPLES[(match[2] or "").lower()]
        rate = number / _SPANS[match[3].lower()]
    return Request(text.strip(), best, rate, match is not None, tuple(sorted(spoken[best] & asked)))
