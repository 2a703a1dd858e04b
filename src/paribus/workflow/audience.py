"""Who a feature is for: a segment's condition, as flags evaluate it and as history is filtered by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from paribus.errors import InputError, NotFound, did_you_mean
from paribus.workflow.artifact import Artifact
from paribus.workflow.facts.explore import ExploreFacts, Segment


def segment_of(explore: ExploreFacts, key: str) -> Segment | None:
    """The segment of the exploration with this key; None for everyone."""
    return next((each for each in explore.segments if each.key == key), None) if key else None


def audience_key(segment: Segment) -> str:
    """What the audience of a segment is called, unless somebody names it.

    >>> from paribus.workflow.artifact import Measured
    >>> units = Measured(value=7, unit="users", evidence="funnel")
    >>> audience_key(Segment(key="device=mobile&returning=true", title="", units=units))
    'device-mobile-returning-true'
    """
    return re.sub(r"[^a-zA-Z0-9._]+", "-", segment.key).strip("-._")[:100]


def saved(explored: Artifact, digest: str, key: str) -> tuple[Segment, dict[str, Any]]:
    """A segment of an exploration, and the audience that flags can name: its condition, and how many it was.

    Args:
        explored: the artifact of step 1.
        digest: its hash.
        key: the segment's.

    Raises:
        NotFound: there is no such segment.
        InputError: it is no condition on attributes.
    """
    facts = ExploreFacts.model_validate(explored.facts)
    found = segment_of(facts, key)
    if found is None:
        known = [each.key for each in facts.segments]
        raise NotFound(f"there is no segment {key!r}", where=explored.feature, fix=did_you_mean(key, known))
    if found.rule is None:
        raise InputError(
            f"the segment {key} cannot be an audience",
            where=explored.feature,
            rule="a flag decides by attributes known when it is asked; this is what users did over weeks",
            fix="send it as an attribute of the user, or choose a segment with a condition",
        )
    whole = facts.funnels[0].steps[0].units if facts.funnels else facts.units.value or 0
    return found, {
        "description": f"{found.title}, as explored for {explored.feature}",
        "owner": explored.role,
        "when": found.rule,
        "counted": {
            "units": round(found.units.value or 0),
            "of": round(whole),
            "begin": facts.window.start,
            "end": facts.window.end,
            "source": f"{explored.feature}/{explored.step} {digest[:12]}",
        },
    }


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
