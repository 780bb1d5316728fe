"""What survives: observations, findings, incidents, tickets, looks, missions, the outbox."""

from patrolvision.store import neighbour_tables  # its tables belong to the schema
from patrolvision.store.sql_store import SqlStore, open_store

__all__ = ["SqlStore", "neighbour_tables", "open_store"]
