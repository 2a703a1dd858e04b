"""Experiments in the store: their documents and seals as revisions, and the kill that closed a flag's enrollment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from paribus.clock import Clock
from paribus.errors import NotFound, did_you_mean
from paribus.experiments.document import Document, load
from paribus.experiments.on_lake import Snapshot, lake_engine
from paribus.experiments.plan import Seal
from paribus.experiments.seal import Caps, Readable, default_author, entries_of, seal_of, sealed
from paribus.experiments.sealing import look_at
from paribus.store import DEFAULT_PROJECT, Address, Revision, Store
from paribus.warehouse.event_links import Links

EXPERIMENT, SEAL = "experiment", "seal"


def document_of_body(body: Mapping[str, Any], key: str) -> Document:
    """The experiment that a stored body means.

    Raises:
        DefinitionError: it breaks the schema or contradicts itself.
    """
    import yaml

    text = yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=10_000)
    return _loaded(text if "\n" in text.rstrip() else text + "\n", name=f"experiment {key}")


_loaded = lru_cache(maxsize=64)(load)


def save(
    store: Store,
    body: Mapping[str, Any],
    *,
    author: str,
    reason: str,
    expected: int,
    project: str = DEFAULT_PROJECT,
) -> Revision:
    """Stores a checked experiment under its own key; `expected` is the revision it was made from (0: new).

    Raises:
        DefinitionError: it breaks the schema or contradicts itself.
        Conflict: someone else changed it meanwhile.
    """
    key = str(body.get("experiment", ""))
    checked = document_of_body(body, key or "(without a key)")
    address = Address(project, EXPERIMENT, checked.design.key)
    return store.put(address, dict(body), author=author, reason=reason, expected=expected)


def stored(store: Store, key: str, *, project: str = DEFAULT_PROJECT) -> Document:
    """The experiment as it stands in the store.

    Raises:
        NotFound: there is none of this key.
    """
    address = Address(project, EXPERIMENT, key)
    found = store.find(address)
    if found is None or found.body is None:
        known = [revision.address.key for revision in store.list(project, EXPERIMENT)]
        raise NotFound(
            f"there is no experiment {key!r}",
            where=f"project {project}",
            fix=did_you_mean(key, known) if known else "paribus experiment create KEY --flag FLAG --success EVENT",
        )
    return document_of_body(found.body, key)


def seal_stored(
    store: Store,
    key: str,
    *,
    clock: Clock,
    snapshot: Snapshot | None = None,
    links: Links | None = None,
    author: str | None = None,
    amend: str | None = None,
    project: str = DEFAULT_PROJECT,
) -> Seal:
    """Registers the plan of a stored experiment, with the watermark and how many exposures were readable.

    Args:
        store, key: whose plan.
        clock: gives the time of sealing.
        snapshot: the lake as it is now; None when there is none yet.
        links: from a linked anonymous id to its user, for a document that joins identities.
        author: who seals; git's user or $USER when omitted.
        amend: the reason for sealing again.

    Raises:
        NotFound: there is no such experiment.
        PlanError: it is sealed already and no reason to amend is given.
        ProofError: the seal in the store is no seal.
        Conflict: someone else sealed it meanwhile.
    """
    document = stored(store, key, project=project)
    readable = Readable()
    caps: Caps = {}
    if snapshot is not None and snapshot.files:
        with lake_engine(document.design, document.data, snapshot, links=links) as engine:
            found, caps = look_at(document, engine)
        readable = Readable(snapshot.watermark or found.watermark, found.rows)
    elif snapshot is not None:
        readable = Readable(snapshot.watermark, 0)
    address = Address(project, SEAL, key)
    before = store.find(address)
    where = f"seal of {key}"
    entries = entries_of(before.body, where) if before is not None else []
    who = author or default_author()
    content = sealed(document, entries, where=where, clock=clock, readable=readable, caps=caps, author=who, amend=amend)
    number = before.number if before is not None else _last_number(store, address)
    store.put(address, content, author=who, reason=content["entries"][-1]["reason"], expected=number)
    return seal_of(content, where)


def stored_seal(store: Store, key: str, *, project: str = DEFAULT_PROJECT) -> Seal | None:
    """The seal of a stored experiment, None when it was never sealed.

    Raises:
        ProofError: it was edited.
    """
    found = store.find(Address(project, SEAL, key))
    return None if found is None else seal_of(found.body or {}, f"seal of {key}")


def killed_at(
    store: Store,
    flag: str,
    environment: str,
    *,
    since: datetime | None = None,
    project: str = DEFAULT_PROJECT,
) -> datetime | None:
    """When a kill of the flag closed enrollment: the first one at or after `since`; None when there was none.

    A kill from before `since` counts when it still held then. Reviving the flag opens no enrollment again.
    """
    closed: datetime | None = None
    for revision in store.history(Address(project, "flag", flag)):
        body = revision.body or {}
        state = body.get("environments", {}).get(environment, {})
        is_killed = bool(state.get("killed", False)) or revision.is_tombstone
        if is_killed and closed is None:
            closed = revision.time
        elif not is_killed and closed is not None and since is not None and revision.time <= since:
            closed = None  # revived before the experiment began
    return closed


def created_at(store: Store, key: str, *, project: str = DEFAULT_PROJECT) -> datetime:
    """When the experiment was first stored.

    Raises:
        NotFound: there is no such experiment.
    """
    history = store.history(Address(project, EXPERIMENT, key))
    if not history:
        raise NotFound(f"there is no experiment {key!r}", where=f"project {project}")
    return history[0].time


def _last_number(store: Store, address: Address) -> int:
    """The number of the last revision, also of a removed document."""
    history = store.history(address)
    return history[-1].number if history else 0
