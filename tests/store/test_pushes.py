"""What is remembered of tickets at other servers, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import SqlStore, open_store, pushes
from patrolvision.store.citizens import CitizenReport, add_report, contact_of
from patrolvision.store.engine import reading, writing
from patrolvision.store.sealed_rows import counts, seal_anew
from patrolvision.store.sealing import Seals, new_key
from patrolvision.store.webhooks import SqlWebhooks, Webhook
from patrolvision.tickets.workflow import Act, done
from patrolvision.types import GeoPoint, Observation, Ticket

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)
EVERY = timedelta(minutes=15)
SINK = "open311:other"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def heaps(store: SqlStore, count: int) -> list[Ticket]:
    seen = [
        Observation(
            f"o{k}", "m", "car1", "litter", AT, AT,
            GeoPoint(22.84, 113.23 + 0.002 * k, np.eye(2) * 0.5), 0.9, 12,
        )
        for k in range(count)
    ]  # fmt: skip
    with store.transaction() as transaction:
        settle(transaction, Judged(tuple(seen), tuple(Rulebook().findings(seen))))
    return sorted(store.tickets(), key=lambda ticket: ticket.place.lon_deg)


def push(store: SqlStore, ticket: Ticket, number: str) -> None:
    with writing(store.engine) as connection:
        pushes.note_pushed(connection, SINK, ticket.id, AT, service_request_id=number, token=None)


def asked(store: SqlStore, at: datetime, limit: int = 10) -> list[str]:
    with reading(store.engine) as connection:
        return pushes.to_be_asked(connection, SINK, at, EVERY, limit)


def test_open_tickets_are_asked_of_in_turn_and_ended_ones_no_more(store: SqlStore) -> None:
    one, two, three = heaps(store, 3)
    for number, ticket in enumerate((one, two, three)):
        push(store, ticket, str(number))
    with writing(store.engine) as connection:
        pushes.note_asked(connection, SINK, one.id, AT)
    first = asked(store, AT)
    assert set(first) == {two.id, three.id}
    assert asked(store, AT + EVERY) == [*sorted((two.id, three.id)), one.id]
    assert len(asked(store, AT + EVERY, limit=2)) == 2
    over = done(two, Act("reject", "rita", AT, "reviewer", cause="not_there"))
    with store.transaction() as transaction:
        transaction.save_tickets([over])
    assert asked(store, AT) == [three.id]
    assert asked(store, AT + timedelta(days=400)) == [], "nobody waits for an answer for ever"


def test_the_same_words_are_news_once(store: SqlStore) -> None:
    [ticket] = heaps(store, 1)
    push(store, ticket, "7")
    with writing(store.engine) as connection:
        assert pushes.hear(connection, SINK, ticket.id, "open")
        assert not pushes.hear(connection, SINK, ticket.id, "open")
        assert pushes.hear(connection, SINK, ticket.id, "closed")
    push(store, ticket, "8")  # the number of a token that was found out later
    with reading(store.engine) as connection:
        row = pushes.pushed(connection, SINK, ticket.id)
    assert row is not None
    assert (row["service_request_id"], row["said"], row["pushed_at"]) == ("8", "closed", AT)


def test_secrets_and_contacts_are_sealed_anew(store: SqlStore) -> None:
    old, new = new_key(), new_key()
    hooks = SqlWebhooks(store.engine, Seals((old,)))
    hooks.add(Webhook("h", "https://a.example", "whsec_QQ==", (), (), 0, None, AT))
    report = CitizenReport("r", AT, "litter", "i", "t", 22.84, 113.23, joined=False)
    with writing(store.engine) as connection:
        add_report(connection, report, {"email": "ana@city.example"}, Seals((old,)))
    assert seal_anew(store.engine, Seals((new, old))) == 2
    assert counts(store.engine) == (2, 0)
    assert SqlWebhooks(store.engine, Seals((new,))).all()[0].secret == "whsec_QQ=="
    with reading(store.engine) as connection:
        assert contact_of(connection, "r", Seals((new,))) == {"email": "ana@city.example"}
