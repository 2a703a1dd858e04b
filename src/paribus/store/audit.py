"""A project's chain, read from the database and judged."""

from __future__ import annotations

import sqlalchemy as sa

from paribus.store import documents
from paribus.store.canonical import FIRST_LINK
from paribus.store.chain import Anchor, ChainReport, Pointer, verify
from paribus.store.tables import DOCUMENTS, HEADS


def report(connection: sa.Connection, project: str, anchor: Anchor | None) -> ChainReport:
    """What the project's chain says, at the moment that the connection sees."""
    head = connection.execute(sa.select(HEADS).where(HEADS.c.project == project)).first()
    current = connection.execute(sa.select(DOCUMENTS).where(DOCUMENTS.c.project == project))
    return verify(
        project,
        documents.rows(connection, project),
        head=Anchor(head.sequence, head.chain) if head else Anchor(0, FIRST_LINK),
        pointers={(row.kind, row.key): Pointer(row.number, row.sequence) for row in current},
        anchor=anchor,
    )
