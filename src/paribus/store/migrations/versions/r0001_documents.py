"""Documents as revisions in one hash chain per project."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables of heads, revisions and current documents."""
    byte_order = "C" if op.get_context().dialect.name == "postgresql" else "BINARY"
    op.create_table(
        "paribus_heads",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
    )
    op.create_table(
        "paribus_revisions",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation=byte_order), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.UniqueConstraint("project", "kind", "key", "number", name="paribus_revisions_number"),
    )
    op.create_table(
        "paribus_documents",
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(collation=byte_order), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
    )
