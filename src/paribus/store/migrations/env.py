"""Alembic's entry: it runs the steps on the connection that the store opened, inside the store's transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="paribus_store_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
