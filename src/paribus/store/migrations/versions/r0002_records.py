"""Erasable records, and which units each is about."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables of records and of the units they mention."""
    byte_order = "C" if op.get_context().dialect.name == "postgresql" else "BINARY"
    op.create_table(
        "paribus_records",
        sa.Column("type", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(collation=byte_order), primary_key=True),
        sa.Column("lookup", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
    )
    op.create_index("paribus_records_lookup", "paribus_records", ["type", "lookup"])
    op.create_table(
        "paribus_record_units",
        sa.Column("unit", sa.Text(), primary_key=True),
        sa.Column("type", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(collation=byte_order), primary_key=True),
    )
    op.create_index("paribus_record_units_record", "paribus_record_units", ["type", "id"])
