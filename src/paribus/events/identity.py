"""Anonymous to known: links beside the events, which stay as they were written.

A link says that an anonymous id was seen with a user id, and when. Links are only added. At analysis time a policy says
what they mean: `none` keeps every id as it stands; `first` reads an anonymous id as the user it was linked to first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from paribus.lake.record import Record
from paribus.store import RecordType, Store

Policy = Literal["first", "none"]
Observed = Literal["new", "known", "conflict"]


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """An anonymous id seen with a user id; `time` is the first time, in microseconds of the corrected clock."""

    project: str
    environment: str
    anonymous_id: str
    user_id: str
    time: int
    source: str


WRITTEN_AT_ONCE = 1000  # short transactions: others write the same database

LINKS: RecordType[IdentityLink] = RecordType(
    body=IdentityLink,
    name="identity_link",
    key=("project", "environment", "anonymous_id", "user_id"),
    units=("anonymous_id", "user_id"),
)


@dataclass(frozen=True, slots=True)
class LinkCount:
    """What a batch of events said about identities.

    A conflict is an anonymous id that was linked to another user before: a shared device, or a second account. The
    earlier link stays the first one.
    """

    new: int = 0
    known: int = 0
    conflicts: int = 0


def link_of(record: Record, *, project: str, environment: str) -> IdentityLink | None:
    """The link that an event states: it carries both ids, or is an alias of one id for another."""
    anonymous_id, user_id = record.anonymous_id, record.user_id
    if record.name == "$alias" and user_id is not None:
        previous = msgspec.json.decode(record.properties, type=dict[str, object]).get("previous_id")
        anonymous_id = previous if isinstance(previous, str) else anonymous_id
    if not anonymous_id or not user_id or anonymous_id == user_id:
        return None
    return IdentityLink(project, environment, anonymous_id, user_id, record.corrected_time, record.source)


class LinkTable:
    """The links of one project and environment, kept in the store."""

    def __init__(self, store: Store, *, project: str, environment: str) -> None:
        self._records = store.records(LINKS)
        self._project = project
        self._environment = environment

    def observe(self, records: Iterable[Record]) -> LinkCount:
        """Add the links that the events state; a link seen again keeps its earliest time."""
        wanted: dict[tuple[str, str], IdentityLink] = {}
        for record in records:
            link = link_of(record, project=self._project, environment=self._environment)
            if link is not None:
                seen = wanted.get((link.anonymous_id, link.user_id))
                if seen is None or link.time < seen.time:
                    wanted[link.anonymous_id, link.user_id] = link
        held: dict[str, dict[str, IdentityLink]] = {}
        anonymous_ids = sorted({link.anonymous_id for link in wanted.values()})
        for link in self._records.scan_each((self._project, self._environment, each) for each in anonymous_ids):
            held.setdefault(link.anonymous_id, {})[link.user_id] = link
        new = known = conflicts = 0
        written: list[IdentityLink] = []
        for link in sorted(wanted.values(), key=lambda link: link.time):
            earlier = held.setdefault(link.anonymous_id, {})
            same = earlier.get(link.user_id)
            if same is not None:
                known += 1
                if link.time >= same.time:
                    continue
            elif earlier:
                conflicts += 1
            else:
                new += 1
            earlier[link.user_id] = link
            written.append(link)
        for first in range(0, len(written), WRITTEN_AT_ONCE):
            self._records.upsert(*written[first : first + WRITTEN_AT_ONCE])
        return LinkCount(new, known, conflicts)

    def links(self, anonymous_id: str) -> list[IdentityLink]:
        """The links of an anonymous id, the first one first."""
        found = self._records.scan(self._project, self._environment, anonymous_id)
        return sorted(found, key=lambda link: (link.time, link.user_id))

    def all(self) -> list[IdentityLink]:
        """Every link, by anonymous id."""
        found: list[IdentityLink] = []
        while True:
            page = self._records.scan(self._project, self._environment, after=found[-1] if found else None)
            found += page
            if not page:
                return found


def resolution(links: Iterable[IdentityLink], policy: Policy) -> dict[str, str]:
    """Anonymous id → user id under the policy; ids that are not in it stand for themselves."""
    if policy == "none":
        return {}
    first: dict[str, IdentityLink] = {}
    for link in links:
        held = first.get(link.anonymous_id)
        if held is None or (link.time, link.user_id) < (held.time, held.user_id):
            first[link.anonymous_id] = link
    return {anonymous_id: link.user_id for anonymous_id, link in first.items()}


@dataclass(frozen=True, slots=True)
class AssignmentConflict:
    """A person who holds more than one variant of a flag in an epoch once the ids are joined.

    The login did not move anybody: each id kept its variant, and the person is mixed.
    """

    flag: str
    epoch: int | None
    unit: str
    assigned: tuple[str, ...]


def assignment_conflicts(
    exposures: Iterable[tuple[str, int | None, str, str]], resolved: Mapping[str, str]
) -> list[AssignmentConflict]:
    """The persons whose ids were assigned differently.

    Args:
        exposures: (flag, epoch, unit, assigned) of randomized exposures.
        resolved: from `resolution`.
    """
    held: dict[tuple[str, int | None, str], dict[str, None]] = {}
    for flag, epoch, unit, assigned in exposures:
        held.setdefault((flag, epoch, resolved.get(unit, unit)), {})[assigned] = None
    return [
        AssignmentConflict(flag, epoch, unit, tuple(variants))
        for (flag, epoch, unit), variants in held.items()
        if len(variants) > 1
    ]
