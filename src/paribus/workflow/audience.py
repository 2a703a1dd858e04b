"""Who a feature is for: a segment's condition, as flags evaluate it and as history is filtered by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paribus.workflow.facts.explore import ExploreFacts, Segment


def segment_of(explore: ExploreFacts, key: str) -> Segment | None:
    """The segment of the exploration with this key; None for everyone."""
    return next((each for each in explore.segments if each.key == key), None) if key else None


def accepted(rule: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """The accepted values, as text, by attribute; None where the condition is more than equalities joined by and.

    >>> accepted({"all": [{"attribute": "device", "op": "equals", "value": "mobile"}]})
    {'device': ['mobile']}
    """
    if not rule:
        return {}
    found: dict[str, list[str]] = {}
    for part in _conjuncts(rule):
        if part.get("op") not in {"equals", "in"} or part["attribute"] in found:
            return None
        values = part["value"] if part["op"] == "in" else [part["value"]]
        found[part["attribute"]] = [_text(value) for value in values]
    return found


def attributes(rule: Mapping[str, Any] | None) -> list[str]:
    """The attributes that a condition reads, each once, in order."""
    return list(dict.fromkeys(part["attribute"] for part in _conjuncts(rule or {}) if "attribute" in part))


def _conjuncts(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The comparisons of a condition; anything but `all` stays whole."""
    if "all" in rule:
        for each in rule["all"]:
            yield from _conjuncts(each)
    elif rule:
        yield rule


def _text(value: Any) -> str:
    """A value as the lake's JSON holds it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
