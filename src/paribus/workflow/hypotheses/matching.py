"""What of the exploration a requirement speaks of: events, a segment, a bottleneck, findings; by their words alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.experiments.words import GENERIC, stem, stems, subjects, target
from paribus.workflow.facts.explore import Bottleneck, ExploreFacts, Segment


@dataclass(frozen=True, slots=True)
class Support:
    """What supports a requirement; without bottleneck and findings it is an opinion.

    events      names of the events that it speaks of
    segment     whom it is for, where the exploration knows them
    bottleneck  the loss that it would mend
    findings    ids of patterns and anomalies about the same events
    unmatched   words of the requirement that nothing in the data speaks of
    """

    events: tuple[str, ...] = ()
    segment: Segment | None = None
    bottleneck: Bottleneck | None = None
    findings: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def cited(self) -> tuple[str, ...]:
        """Ids of what it rests on, the bottleneck first."""
        return (*([self.bottleneck.id] if self.bottleneck else []), *self.findings)


def support(requirement: str, explore: ExploreFacts) -> Support:
    """What of the exploration supports a requirement."""
    words = set(subjects(requirement))
    segment = segment_meant(requirement, explore)
    of_segment = set(segment_words(segment)) if segment else set()
    about = words - of_segment
    events = tuple(e.name for e in explore.events if about & set(subjects(e.name)))
    bottleneck = _bottleneck(about, segment, explore)
    findings = tuple(
        each.id
        for each in explore.findings
        if about & set(subjects(each.statement)) and any(name in each.statement for name in events)
    )
    known = of_segment.union(*(subjects(name) for name in events), GENERIC)
    return Support(events, segment, bottleneck, findings, tuple(w for w in stems(requirement) if w not in known))


def segment_meant(requirement: str, explore: ExploreFacts) -> Segment | None:
    """The segment that a requirement is for: the one whose words it says most of, and fewest others are in."""
    whom = set(stems(target(requirement))) or set(stems(requirement))
    best: tuple[int, int, float] | None = None
    found = None
    for each in explore.segments:
        own = set(segment_words(each))
        said = len(own & whom)
        # A plan for whom no flag can tell would be a plan for others. Words of a segment that the requirement does not
        # say would narrow it: all of a rule has to be meant.
        if not said or not each.rule or not own <= whom | set(stems(requirement)):
            continue
        score = (said, -len(own - whom), each.units.value or 0.0)
        if best is None or score > best:
            best, found = score, each
    return found


def combination_meant(requirement: str, attributes: Mapping[str, Sequence[str | bool]]) -> dict[str, str | bool]:
    """The value of each attribute that a requirement says whom it is for by; none where it says several values.

    >>> combination_meant("faster search for new desktop users", {"device": ["mobile", "desktop"],
    ...                                                           "returning": [True, False]})
    {'device': 'desktop', 'returning': False}
    """
    said = set(stems(target(requirement) or requirement))
    found: dict[str, str | bool] = {}
    for name, values in attributes.items():
        meant = [value for value in values if said.issuperset(_of_comparison({"attribute": name, "value": value}))]
        if len(meant) == 1:
            found[name] = meant[0]
    return found


def segment_words(segment: Segment) -> tuple[str, ...]:
    """The stems that say who is in a segment: of its rule where it has one, else of its title."""
    if segment.rule:
        return tuple(dict.fromkeys(word for part in _comparisons(segment.rule) for word in _of_comparison(part)))
    return tuple(word for word in stems(segment.title or segment.key) if word not in GENERIC)


def whom(change: str, segment: Segment | None) -> str:
    """Whom a change is for, in words: its own where it says so and the exploration knows them, else the segment's."""
    if segment is None:
        return "everyone who reaches it"
    return target(change) or f"users with {segment.title}"


def _bottleneck(about: set[str], segment: Segment | None, explore: ExploreFacts) -> Bottleneck | None:
    best: tuple[int, int, float] | None = None
    found = None
    for each in explore.bottlenecks:
        steps = len(about & set(subjects(each.from_event)) | about & set(subjects(each.to_event)))
        if not steps:
            continue
        same = 2 if segment and each.segment == segment.key else 1 if not each.segment else 0
        if segment is None:
            same = 2 if not each.segment else 0
        score = (same, steps, each.lost_units.value or 0.0)
        if best is None or score > best:
            best, found = score, each
    return found


def _comparisons(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("all", "any"):
        if key in rule:
            for each in rule[key]:
                yield from _comparisons(each)
            return
    if "attribute" in rule:
        yield rule


def _of_comparison(part: Mapping[str, Any]) -> Iterator[str]:
    """The words of one comparison: a flag's name where it is true, "new" where a returning flag is false, else values.

    >>> list(_of_comparison({"attribute": "returning", "op": "equals", "value": True}))
    ['return']
    """
    value = part.get("value")
    if isinstance(value, bool):
        named = stem(str(part["attribute"]).removeprefix("is_"))
        yield named if value else {"return": "new", "new": "return"}.get(named, f"not-{named}")
        return
    for each in value if isinstance(value, list | tuple) else [value]:
        yield from stems(str(each)) or (str(each).lower(),)
