"""Bringing a database to this program's schema, on opening, by one process at a time."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from patrolvision.errors import StoreError
from patrolvision.store import dispatch_tables as dispatch_tables
from patrolvision.store import hand_tables as hand_tables
from patrolvision.store import looked_tables as looked_tables
from patrolvision.store import map_tables as map_tables  # these tables belong to the schema
from patrolvision.store import office_tables as office_tables
from patrolvision.store.engine import reading, safe, writing

SCHEMA_VERSION = "0015"  # the newest in migrations/versions, a test compares
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x7061_7472_6F6C  # any number that every patrolvision agrees on


def bring_up_to_date(engine: Engine) -> None:
    """Create or migrate the tables; StoreError if the database is newer than this program."""
    with reading(engine) as connection:
        if _version(connection) == SCHEMA_VERSION:
            return
    with writing(engine) as connection:
        if engine.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        found = _version(connection)  # once more: another process may have been faster
        if found != SCHEMA_VERSION:
            _refuse_newer(engine, found)
            _upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_newer(engine: Engine, found: str | None) -> None:
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"{safe(engine.url)} has schema {found}, newer than this program's {SCHEMA_VERSION}: "
            "upgrade patrolvision, or name another database"
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # heavy, and needed once in a database's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, SCHEMA_VERSION)
