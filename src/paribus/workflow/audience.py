"""Who a feature is for: a segment's condition, as flags evaluate it and as history is filtered by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from paribus.errors import InputError, NotFound, did_you_mean
from paribus.workflow.artifact import Artifact, Measured
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


def behavioral(facts: ExploreFacts) -> tuple[Segment, ...]:
    """Groups by behavior that flags can name once clients send what users did: clusters, then classes of RFM."""
    clusters = [each for each in facts.segments if each.behavior]
    classes = [
        Segment(
            key=each["key"],
            title=f"last seen: {each['recency']}; active: {each['frequency']}; conversions: {each['monetary']}",
            units=Measured(value=each["users"], unit="users", evidence="behavior"),
            behavior={"when": each["when"], "named": each["users"], "evidence": "behavior"},
        )
        for each in facts.engagement.get("rfm", {}).get("classes", ())
        if "when" in each
    ]
    return (*clusters, *classes)


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
    groups = {each.key: each for each in behavioral(facts)}
    found = groups.get(key) or segment_of(facts, key)
    if found is None:
        known = [*(each.key for each in facts.segments), *groups]
        raise NotFound(f"there is no segment {key!r}", where=explored.feature, fix=did_you_mean(key, known))
    when = found.rule or (found.behavior or {}).get("when")
    if when is None:
        raise InputError(
            f"the segment {key} cannot be an audience",
            where=explored.feature,
            rule="a flag decides by attributes known when it is asked; this is what users did over weeks",
            fix="send it as an attribute of the user, or choose a segment with a condition",
        )
    if found.rule is None:
        units, whole, needs = (found.behavior or {})["named"], facts.units.value or 0, ", ".join(attributes(when))
        about = f"{found.title}, by {needs} as the client sends them; as explored for {explored.feature}"
        return found, _audience(explored, digest, facts, about, when, units, whole)
    whole = facts.funnels[0].steps[0].units if facts.funnels else facts.units.value or 0
    about = f"{found.title}, as explored for {explored.feature}"
    return found, _audience(explored, digest, facts, about, when, found.units.value or 0, whole)


def _audience(
    explored: Artifact,
    digest: str,
    facts: ExploreFacts,
    about: str,
    when: Mapping[str, Any],
    units: float,
    whole: float,
) -> dict[str, Any]:
    return {
        "description": about,
        "owner": explored.role,
        "when": dict(when),
        "counted": {
            "units": round(units),
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
