"""Whether units meet the decision before they are known, and whom their ids are then read as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.lake.reading import LakeReader
from paribus.lake.rows import ask

if TYPE_CHECKING:
    from paribus.store import Store
    from paribus.warehouse.event_links import Links

LEAST_SHARE = 0.005
"""Of the events directly before the decision that nobody known sent: from there on identities are joined."""
STATEMENT = """SELECT count(*) FILTER (WHERE user_id IS NULL AND anonymous_id IS NOT NULL) AS unknown, count(*) AS every
FROM {events} WHERE environment IS NOT DISTINCT FROM $environment"""


def links_of(store: Store, reader: LakeReader, event: str, environment: str) -> Links | None:
    """From a linked anonymous id to its user, where units send this event before they are known; None elsewhere."""
    from paribus.events.identity import LinkTable, resolution
    from paribus.store import DEFAULT_PROJECT
    from paribus.warehouse.event_links import Links

    columns = ("name", "user_id", "anonymous_id", "environment")
    (row,) = ask(reader, STATEMENT, names=(event,), columns=columns, values={"environment": environment})
    if not row["every"] or row["unknown"] < LEAST_SHARE * row["every"]:
        return None
    links = LinkTable(store, project=DEFAULT_PROJECT, environment=environment).all()
    return Links(resolution(links, "first"), f"{DEFAULT_PROJECT}/{environment}") if links else None
