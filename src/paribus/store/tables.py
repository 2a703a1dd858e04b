"""The store's tables as the code expects them; the migrations make them."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

HEADS = sa.Table(
    "paribus_heads",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("chain", sa.Text, nullable=False),
)
REVISIONS = sa.Table(
    "paribus_revisions",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text),
    sa.Column("body_hash", sa.Text, nullable=False),
    sa.Column("chain", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
DOCUMENTS = sa.Table(
    "paribus_documents",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
)
RECORDS = sa.Table(
    "paribus_records",
    metadata,
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("lookup", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", sa.Double),
)
UNITS = sa.Table(
    "paribus_record_units",
    metadata,
    sa.Column("unit", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
)
