"""From landing rows to records: the dialect, the plan of then, the key's label; and the identities they state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.errors import ParibusError
from paribus.store import Address

if TYPE_CHECKING:
    from paribus.events.compile import PlanBook
    from paribus.lake import LandingRow, Quarantined, Record
    from paribus.store import Store

_log = logging.getLogger(__name__)
_KNOWN_PAIRS = 200_000
Tell = Callable[["LandingRow", "list[Record | Quarantined]"], None]


class Decoder:
    """What the lake asks to make records of a landing row: the dialect, the plan of then, the key's label."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, tuple[str, str, str]] = {}  # by key id: source label, project, environment
        self._sources: dict[str, str] = {}

    @cached_property
    def plans(self) -> PlanBook:
        """The plans of landing rows; compiling them is imported when the first row comes."""
        from paribus.events.compile import PlanBook

        return PlanBook(self._plan)

    def __call__(self, row: LandingRow) -> list[Record | Quarantined]:
        """The records of a row, the same at every call."""
        from paribus.events.dialects import dialect_named

        self.key(row.key_id)
        return list(dialect_named(row.dialect).decode(row, self.plans, self._sources))

    def _plan(self, key_id: str, revision: int) -> tuple[Mapping[str, Any] | None, str]:
        from paribus.events.plan import KIND

        _, project, environment = self.key(key_id)
        if revision == 0:
            return None, environment
        return self._store.get(Address(project, KIND, "default"), revision).body, environment

    def key(self, key_id: str) -> tuple[str, str, str]:
        """Source label, project and environment of a key."""
        from paribus.governance.access import list_keys

        if key_id not in self._keys:
            self._keys |= {key.id: (key.source, key.project, key.environment) for key in list_keys(self._store)}
            self._keys.setdefault(key_id, _local(key_id))
            self._sources = {known: source for known, (source, _, _) in self._keys.items()}
        return self._keys[key_id]


class Observer:
    """A decoder that also keeps, beside the events, which anonymous id was seen with which user.

    The links only add to what the events say, so one that cannot be written is logged and the events go on.

    Args:
        tell: hears of every row and what it holds, while it is flushed.
    """

    def __init__(self, store: Store, decoder: Decoder, tell: Tell | None = None) -> None:
        self._store = store
        self._decoder = decoder
        self._tell = tell
        self._seen: set[tuple[str, str, str, str]] = set()

    def __call__(self, row: LandingRow) -> list[Record | Quarantined]:
        """The records of a row; the links they state are stored."""
        from paribus.lake import Record

        decoded = self._decoder(row)
        both = [each for each in decoded if isinstance(each, Record) and each.user_id]
        stating = [each for each in both if each.anonymous_id or each.name == "$alias"]
        if stating:
            self._observe(row.key_id, stating)
        if self._tell is not None:
            self._tell(row, decoded)
        return decoded

    def _observe(self, key_id: str, records: list[Record]) -> None:
        from paribus.events.identity import LinkTable

        _, project, environment = self._decoder.key(key_id)
        fresh = []
        for record in records:
            pair = (project, environment, record.anonymous_id or record.event_id, record.user_id or "")
            if pair not in self._seen:
                self._seen.add(pair)
                fresh.append(record)
        if len(self._seen) > _KNOWN_PAIRS:
            self._seen.clear()
        if not fresh:
            return
        try:
            found = LinkTable(self._store, project=project, environment=environment).observe(fresh)
        except ParibusError as error:
            self._seen.clear()
            _log.warning("identity links were not stored: %s", error)
            return
        if found.conflicts:
            _log.info("%d anonymous ids were seen with a second user", found.conflicts)


def local_key(project: str, environment: str) -> str:
    """The key id of events that come by a command, such as an import."""
    return f"local/{project}/{environment}"


def _local(key_id: str) -> tuple[str, str, str]:
    kind, _, rest = key_id.partition("/")
    project, _, environment = rest.partition("/")
    return (kind, project or definition.PROJECT, environment or "dev")
