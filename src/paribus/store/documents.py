"""Documents as rows: reading them, and appending revisions to a project's chain."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from paribus.errors import InputError, NotFound, did_you_mean
from paribus.store.address import Address, Change, Revision, StaleWrite
from paribus.store.canonical import FIRST_LINK, canonical_text, link, text_hash
from paribus.store.glance import REDACTION, TOMBSTONE, revision_of
from paribus.store.tables import DOCUMENTS, HEADS, REVISIONS

_CURRENT = REVISIONS.join(
    DOCUMENTS,
    sa.and_(REVISIONS.c.project == DOCUMENTS.c.project, REVISIONS.c.sequence == DOCUMENTS.c.sequence),
)


def _at(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(table.c[name] == sa.bindparam(name) for name in ("project", "kind", "key"))


# Made once: building a statement costs more than running it.
_POINTER = sa.select(DOCUMENTS).where(*_at(DOCUMENTS))
_FIND = sa.select(REVISIONS).select_from(_CURRENT).where(*_at(DOCUMENTS))
_FIND_NUMBER = sa.select(REVISIONS).where(*_at(REVISIONS), REVISIONS.c.number == sa.bindparam("number"))
_HISTORY = sa.select(REVISIONS).where(*_at(REVISIONS)).order_by(REVISIONS.c.number)


def append(
    connection: sa.Connection, changes: Sequence[Change], *, author: str, reason: str, time: str
) -> list[Revision]:
    """Writes one revision per change at the end of the project's chain; the connection writes and holds its turn."""
    texts = [_text(change) for change in changes]
    _check_words(author, reason)
    projects = {change.address.project for change in changes}
    if len(projects) != 1 or len({change.address for change in changes}) != len(changes):
        raise InputError(
            "the changes name one document twice, or several projects", rule="one project, each document once"
        )
    project = projects.pop()
    head = _take_head(connection, project)
    currents = [_pointer(connection, change.address) for change in changes]
    _refuse_stale(connection, changes, currents)
    sequence, chain, rows = head.sequence, head.chain, []
    for change, text, current in zip(changes, texts, currents, strict=True):
        sequence += 1
        row = {
            "project": project,
            "sequence": sequence,
            "kind": change.address.kind,
            "key": change.address.key,
            "number": (current.number if current else 0) + 1,
            "body": text,
            "body_hash": text_hash(text),
            "author": author,
            "time": time,
            "reason": reason,
        }
        chain = link(chain, row)
        rows.append({**row, "chain": chain})
    connection.execute(sa.insert(REVISIONS), rows)
    _point(connection, rows)
    connection.execute(
        sa.update(HEADS).where(HEADS.c.project == project).values(sequence=sequence, chain=chain),
    )
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify("paribus_store", project)))
    return [revision_of(row) for row in rows]


def find(connection: sa.Connection, address: Address, number: int | None = None) -> Revision | None:
    """The current revision, a tombstone included, or the one with this number."""
    values: dict[str, Any] = _named(address)
    if number is None:
        row = connection.execute(_FIND, values).mappings().first()
    else:
        row = connection.execute(_FIND_NUMBER, {**values, "number": number}).mappings().first()
    return revision_of(row) if row else None


def page(connection: sa.Connection, project: str, kind: str, after: str, limit: int) -> list[Revision]:
    """The live documents of a kind after a key, in the order of keys."""
    query = (
        sa.select(REVISIONS)
        .select_from(_CURRENT)
        .where(DOCUMENTS.c.project == project, DOCUMENTS.c.kind == kind, DOCUMENTS.c.live, DOCUMENTS.c.key > after)
        .order_by(DOCUMENTS.c.key)
        .limit(limit)
    )
    return [revision_of(row) for row in connection.execute(query).mappings()]


def history(connection: sa.Connection, address: Address) -> list[Revision]:
    """Every revision of one document, in order."""
    return [revision_of(row) for row in connection.execute(_HISTORY, _named(address)).mappings()]


def since(connection: sa.Connection, project: str, sequence: int, limit: int) -> list[Revision]:
    """The project's revisions after a sequence, in order."""
    query = (
        sa.select(REVISIONS)
        .where(REVISIONS.c.project == project, REVISIONS.c.sequence > sequence)
        .order_by(REVISIONS.c.sequence)
        .limit(limit)
    )
    return [revision_of(row) for row in connection.execute(query).mappings()]


def rows(connection: sa.Connection, project: str) -> Iterator[Any]:
    """The project's rows as they are stored, in the order of the chain, a thousand at a time."""
    query = sa.select(REVISIONS).where(REVISIONS.c.project == project).order_by(REVISIONS.c.sequence)
    yield from connection.execution_options(yield_per=1000).execute(query).mappings()


def redact(connection: sa.Connection, address: Address, number: int, *, author: str, reason: str, time: str) -> None:
    """Takes a body out of the table and writes down, as a document in the same chain, that this was done."""
    _check_words(author, reason)
    _take_head(connection, address.project)
    revision, current = find(connection, address, number), find(connection, address)
    if revision is None or current is None:
        raise NotFound(f"{address} has no revision {number}", fix="its history lists the revisions there are")
    if revision.is_tombstone:
        raise InputError(f"revision {number} of {address} removed the document and has no body")
    if current.number == number:
        raise InputError(
            f"revision {number} is the current one of {address}",
            rule="what is in force cannot be redacted",
            fix="write a revision without the text first, then redact this one",
        )
    if revision.redacted:
        return
    place = (REVISIONS.c.project == address.project, REVISIONS.c.sequence == revision.sequence)
    connection.execute(sa.update(REVISIONS).where(*place).values(body=None))
    note = {"kind": address.kind, "key": address.key, "revision": number, "body_hash": revision.body_hash}
    about = Address(address.project, REDACTION, str(revision.sequence))
    append(connection, [Change(about, note, 0)], author=author, reason=reason, time=time)


def keys_of(connection: sa.Connection, project: str, kind: str, limit: int = 1000) -> list[str]:
    """The keys of a kind's live documents."""
    query = sa.select(DOCUMENTS.c.key).where(DOCUMENTS.c.project == project, DOCUMENTS.c.kind == kind, DOCUMENTS.c.live)
    return list(connection.scalars(query.order_by(DOCUMENTS.c.key).limit(limit)))


def missing(connection: sa.Connection, address: Address, current: Revision | None, number: int | None) -> NotFound:
    """The error for a document, or one of its revisions, that is not there."""
    if number is not None:
        return NotFound(f"{address} has no revision {number}", where=address.project)
    if current is not None:
        who = f"{current.author} removed it at {current.time:%Y-%m-%d %H:%M:%S} UTC"
        return NotFound(f"{address} was removed: {who}", where=address.project)
    known = keys_of(connection, address.project, address.kind)
    return NotFound(
        f"there is no {address.kind} {address.key!r}", where=address.project, fix=did_you_mean(address.key, known)
    )


def _text(change: Change) -> str:
    change.address.checked()
    if change.body is None:
        return TOMBSTONE
    if not isinstance(change.body, dict):
        raise InputError(
            f"the body of {change.address} is not a mapping", rule="a document is a mapping of names to values"
        )
    return canonical_text(change.body, str(change.address))


def _check_words(author: str, reason: str) -> None:
    for what, words, longest in (("author", author, 200), ("reason", reason, 2000)):
        written = all(unicodedata.category(letter) not in {"Cc", "Cs"} or letter in "\n\t" for letter in words)
        if not written or not len(words.strip()) >= 1 or len(words) > longest:
            raise InputError(
                f"a revision needs its {what}",
                rule=f"text of 1 to {longest} characters without control characters",
                fix=f"say {'who changes the document' if what == 'author' else 'why the document changes'}",
            )


def _take_head(connection: sa.Connection, project: str) -> sa.Row[Any]:
    """The end of the project's chain, held until the transaction ends."""
    query = sa.select(HEADS).where(HEADS.c.project == project).with_for_update()
    if (row := connection.execute(query).first()) is None:
        first = {"project": project, "sequence": 0, "chain": FIRST_LINK}
        connection.execute(dialect_of(connection).insert(HEADS).values(first).on_conflict_do_nothing())
        row = connection.execute(query).one()
    return row


def _pointer(connection: sa.Connection, address: Address) -> sa.Row[Any] | None:
    return connection.execute(_POINTER, _named(address)).first()


def _refuse_stale(connection: sa.Connection, changes: Sequence[Change], currents: Sequence[sa.Row[Any] | None]) -> None:
    stale = []
    for change, current in zip(changes, currents, strict=True):
        live = current is not None and bool(current.live)
        fits = {current.number} if current is not None else {0}
        if change.expected not in (fits if live else fits | {0}):
            stale.append(change)
        elif change.body is None and not live:
            raise NotFound(f"{change.address} does not exist, so it cannot be removed", where=change.address.project)
    if stale:
        raise StaleWrite(stale, [find(connection, change.address) for change in stale])


def _point(connection: sa.Connection, written: Sequence[dict[str, Any]]) -> None:
    statement = dialect_of(connection).insert(DOCUMENTS)
    names = ("project", "kind", "key")
    changed = {name: statement.excluded[name] for name in ("number", "sequence", "live")}
    pointers = [
        {**{name: row[name] for name in (*names, "number", "sequence")}, "live": row["body"] != TOMBSTONE}
        for row in written
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=names, set_=changed), pointers)


def dialect_of(connection: sa.Connection) -> Any:
    """SQLAlchemy's module of the connection's database; the other one is never imported, which takes long."""
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}")


def _named(address: Address) -> dict[str, Any]:
    return {"project": address.project, "kind": address.kind, "key": address.key}
