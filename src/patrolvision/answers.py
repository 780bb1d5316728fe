"""What other Open311 servers say later of tickets that were sent to them, in the tickets' history.

Each open ticket that was sent is asked for now and then (GET requests/{id}); what is new becomes a
line of its history, in the transaction that remembers what was said: killed in between, nothing
was heard, and the same answer is never a second line.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from patrolvision.desk import Rules, perform
from patrolvision.errors import DeliveryError
from patrolvision.relay.open311_push import Answered, Open311Sink
from patrolvision.store import pushes
from patrolvision.store.engine import reading, writing
from patrolvision.store.office_transaction import OfficeTransaction
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.workflow import Act, MoveError

log = logging.getLogger(__name__)
AT_ONCE = 20  # of one server in one round


class _KnownError(Exception):
    """The answer stands in the history already."""


def listen(
    store: SqlStore,
    sinks: Sequence[Open311Sink],
    rules: Rules,
    now: datetime,
    every: timedelta,
) -> int:
    """Ask each server of the tickets it has not been asked of for so long; how much was new."""
    return sum(_of_one(store, sink, rules, now, every) for sink in sinks)


def _of_one(
    store: SqlStore, sink: Open311Sink, rules: Rules, now: datetime, every: timedelta
) -> int:
    with reading(store.engine) as connection:
        asked = pushes.to_be_asked(connection, sink.name, now, every, AT_ONCE)
    heard = 0
    for ticket_id in asked:
        with writing(store.engine) as connection:
            pushes.note_asked(connection, sink.name, ticket_id, now)
        try:
            answer = sink.answer(ticket_id)
        except DeliveryError as error:
            log.warning("%s was asked of %s: %s", sink.name, ticket_id, error)
            if error.is_down:
                break
            continue
        if answer is not None and answer.is_news:
            heard += _noted(store, sink.name, ticket_id, answer, rules, now)
    return heard


def _noted(
    store: SqlStore, sink: str, ticket_id: str, answer: Answered, rules: Rules, now: datetime
) -> bool:
    said = json.dumps([answer.status, answer.notes], ensure_ascii=False)
    data: dict[str, str | None] = {
        "neighbour": sink,
        "service_request_id": answer.service_request_id,
        "status": answer.status,
        "updated": answer.updated,
    }

    def remember(transaction: OfficeTransaction) -> None:
        if not pushes.hear(transaction.connection, sink, ticket_id, said):
            raise _KnownError

    note = ": ".join(part for part in (answer.status, answer.notes) if part)
    act = Act("hear", sink, now, note=note, data=data)
    try:
        return perform(store, rules, ticket_id, act, before=remember) is not None
    except (_KnownError, MoveError):  # or it has ended here meanwhile
        return False
