"""Every sealed value of the database: how many there are, and all of them under the first key."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select, update

from patrolvision.store.citizens import opened_contact, sealed_contact
from patrolvision.store.engine import reading, writing
from patrolvision.store.neighbour_tables import reporters, webhooks
from patrolvision.store.sealing import MARK, Seals


def counts(engine: Engine) -> tuple[int, int]:
    """How many secrets and contacts are sealed, and how many are not."""
    with reading(engine) as connection:
        secrets = list(connection.execute(select(webhooks.c.secret)).scalars())
        contacts = list(connection.execute(select(reporters.c.contact)).scalars())
    sealed = sum(secret.startswith(MARK) for secret in secrets)
    sealed += sum(set(contact) == {"sealed"} for contact in contacts)
    return sealed, len(secrets) + len(contacts) - sealed


def seal_anew(engine: Engine, seals: Seals) -> int:
    """Open everything and seal it with the first key, in one transaction; how many.

    StoreError, and nothing is changed, where one was sealed with a key that is not there.
    """
    with writing(engine) as connection:
        return _secrets(connection, seals) + _contacts(connection, seals)


def _secrets(connection: Connection, seals: Seals) -> int:
    found = connection.execute(select(webhooks.c.id, webhooks.c.secret)).all()
    for hook_id, secret in found:
        values = {"secret": seals.seal(seals.open(secret))}
        connection.execute(update(webhooks).where(webhooks.c.id == hook_id).values(**values))
    return len(found)


def _contacts(connection: Connection, seals: Seals) -> int:
    table = reporters
    found = connection.execute(select(table.c.report_id, table.c.contact)).all()
    for report_id, contact in found:
        values = {"contact": sealed_contact(opened_contact(contact, seals), seals)}
        connection.execute(update(table).where(table.c.report_id == report_id).values(**values))
    return len(found)
