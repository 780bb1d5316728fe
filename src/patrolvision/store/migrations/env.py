"""How Alembic gets its connection: from migrate.py, inside a transaction that is already open."""

from alembic import context

from patrolvision.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
