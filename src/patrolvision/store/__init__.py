"""What survives: observations, findings, incidents, tickets, looks, missions, the outbox."""

from patrolvision.store.sql_store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
