"""THE ORDER OF THE OFFICE: one act on a ticket is load, gate, move, history, verdict and outbox
message, in one transaction around the ticket's place. Nothing else moves a ticket by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from patrolvision.store.office_transaction import OfficeTransaction
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.announcements import announcements
from patrolvision.tickets.automatic import removed_at
from patrolvision.tickets.categories import Catalogue
from patrolvision.tickets.causes import Cause, cause_of
from patrolvision.tickets.deadlines import deadline_for, years_unknown
from patrolvision.tickets.office import AUTOMATIC, Grid, ticket_by_hand, ticket_id
from patrolvision.tickets.roles import covers, has_role
from patrolvision.tickets.workflow import OFFICE, Act, Facts, MoveError, done, parts_of
from patrolvision.types import Incident, PictureNote, Ticket, TicketEvent, Verdict

Word = Literal["confirmed", "false"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a city's tables say, as far as an act needs it; grid gives codes to a new ticket."""

    catalogue: Catalogue
    causes: tuple[Cause, ...]
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a verdict: the ticket, if there is one now."""

    incident_id: str
    ticket: Ticket | None


def perform(
    store: SqlStore,
    rules: Rules,
    wanted_id: str,
    act: Act,
    *,
    version: int | None = None,
    before: Callable[[OfficeTransaction], None] | None = None,
    after: Callable[[OfficeTransaction, Ticket], None] | None = None,
) -> Ticket | None:
    """The ticket after the act; None if there is no such ticket. MoveError if it may not be done.

    act.at moves up to the ticket's last event: footage may be dated after the office's clock.
    version: what the caller saw; MoveError when the ticket has moved on since. before and after are
    called within the transaction, for what belongs together with the act.
    """
    with store.transaction() as transaction:
        place = transaction.place_of_ticket(wanted_id)
        if place is None:
            return None
        into_place = transaction.place_of_ticket(act.into) if act.into else None
        transaction.claim([place] if into_place is None else [place, into_place])
        if before is not None:
            before(transaction)
        changed = _performed(transaction, rules, wanted_id, act, version)
        if after is not None and changed is not None:
            after(transaction, changed)
        if changed is not None and act.action == "attach":
            transaction.note_pictures([_picture_note(changed)])
    return changed


def judge(
    store: SqlStore,
    rules: Rules,
    wanted_id: str,
    word: Word,
    act: Act,
    *,
    before: Callable[[OfficeTransaction], None] | None = None,
    after: Callable[[OfficeTransaction, Judged], None] | None = None,
) -> Judged | None:
    """What a reviewer's word does to a ticket, or to an incident that has none yet.

    wanted_id is a ticket's or an incident's; None if there is neither. A confirmed incident gets a
    ticket, a ticket that is false is rejected with act.cause.
    """
    action = "confirm" if word == "confirmed" else "reject"
    with store.transaction() as transaction:
        incident_place = transaction.place_of_incident(wanted_id)
        place = incident_place or transaction.place_of_ticket(wanted_id)
        if place is None:
            return None
        transaction.claim([place])
        if before is not None:
            before(transaction)
        chosen = ticket_id(wanted_id) if incident_place is not None else wanted_id
        if transaction.ticket(chosen) is None:
            incident = transaction.incident(wanted_id)
            assert incident is not None  # its place was read above
            judged = _judge_incident(transaction, rules, incident, word, act)
        else:
            ticket = _performed(transaction, rules, chosen, replace(act, action=action), None)
            assert ticket is not None
            judged = Judged(ticket.incident_id, ticket)
        if after is not None:
            after(transaction, judged)
    return judged


def _judge_incident(
    transaction: OfficeTransaction, rules: Rules, incident: Incident, word: Word, act: Act
) -> Judged:
    born = ticket_by_hand(incident, rules.grid, act.actor, max(act.at, incident.first_seen))
    if not covers(act.areas, born.grid):
        raise MoveError("role", f"{act.actor} works in {', '.join(act.areas)}, not there")
    if transaction.has_verdict(incident.id) or incident.status == "dismissed":
        raise MoveError("state", f"incident {incident.id} has been judged or withdrawn already")
    cause = None if word == "confirmed" else _cause(rules, incident.category, act.cause)
    ticket = None
    if word == "confirmed":
        ticket = done(born, replace(act, action="confirm", at=born.history[-1].at), Facts())
        transaction.save_tickets([ticket])
        transaction.enqueue(announcements([(ticket, 0)]))
    elif not has_role(act.role, OFFICE):
        raise MoveError("role", f"a verdict is for {' or '.join(OFFICE)}")
    transaction.save_verdict(
        _verdict(transaction, incident, ticket, word, cause, act, f"{incident.id}:0")
    )
    return Judged(incident.id, ticket)


def _performed(
    transaction: OfficeTransaction, rules: Rules, wanted_id: str, act: Act, version: int | None
) -> Ticket | None:
    ticket = transaction.ticket(wanted_id)
    if ticket is None:
        return None
    if not covers(act.areas, ticket.grid):  # of one elsewhere not even the state is told
        raise MoveError("role", f"{act.actor} works in {', '.join(act.areas)}, not there")
    if version is not None and version != ticket.version:
        raise MoveError(
            "state", f"ticket {ticket.id} is at version {ticket.version}, not {version}"
        )
    act = replace(act, at=max(act.at, ticket.history[-1].at))
    if act.action == "reject" and act.role is not None:
        act = replace(act, cause=_cause(rules, ticket.category, act.cause).code)
    incident = transaction.incident(ticket.incident_id)
    into = transaction.ticket(act.into) if act.into else None
    facts = facts_of(rules, ticket, incident, act, into)
    if act.action == "file" and ticket.number is None:
        facts = replace(facts, number=_number(transaction, rules, act.at))
    if facts.due_at is not None:  # in the history, so that a report of that day can be made again
        act = replace(act, data={**act.data, **_due(rules, ticket, act.at, facts.due_at)})
    changed = done(ticket, act, facts)
    touched = [(changed, ticket.version)]
    if act.action == "split":
        touched += [(part, 0) for part in _parts(transaction, ticket, act)]
    if act.action == "merge" and into is not None:
        touched.append((_absorbed(into, ticket, act), into.version))
    transaction.save_tickets([one for one, _ in touched])
    transaction.enqueue(announcements(touched))
    if (verdict := _word(rules, changed, act)) is not None and incident is not None:
        key = f"{changed.id}:{changed.version - 1}"
        cause = cause_of(rules.causes, changed.category, act.cause or "")
        transaction.save_verdict(_verdict(transaction, incident, changed, verdict, cause, act, key))
    return changed


def facts_of(
    rules: Rules, ticket: Ticket, incident: Incident | None, act: Act, into: Ticket | None = None
) -> Facts:
    """What the gates are to know of a ticket's surroundings, its number left out."""
    is_dated = act.action in ("file", "reopen")
    return Facts(
        verify_first=rules.catalogue.verify_first(ticket.category),
        removed_at=removed_at(incident),
        into=into,
        due_at=deadline_for(ticket, act.at, None, rules.catalogue) if is_dated else None,
    )


def _due(rules: Rules, ticket: Ticket, at: datetime, due_at: datetime) -> dict[str, Any]:
    """The deadline, and the years on its way whose holidays the tables do not know."""
    unknown = years_unknown(ticket, at, due_at, rules.catalogue)
    more = {"holidays_unknown": list(unknown)} if unknown else {}
    return {"due_at": due_at.isoformat(), **more}


def _cause(rules: Rules, category: str, code: str | None) -> Cause:
    found = cause_of(rules.causes, category, code or "")
    if found is None:
        known = ", ".join(c.code for c in rules.causes if c.category in ("*", category))
        raise MoveError("input", f"cause: expected one of {known}, found {code!r}")
    return found


def _number(transaction: OfficeTransaction, rules: Rules, at: datetime) -> str:
    """The day in the city's time zone and the position in it."""
    day = f"{at.astimezone(ZoneInfo(rules.catalogue.timezone)):%Y%m%d}"
    return f"{day}-{transaction.next_number(f'tickets-{day}'):05d}"


def _parts(transaction: OfficeTransaction, ticket: Ticket, act: Act) -> list[Ticket]:
    known = [other.id for other in transaction.tickets_about([ticket.incident_id])]
    return parts_of(ticket, act, known)


def _absorbed(into: Ticket, ticket: Ticket, act: Act) -> Ticket:
    at = max(act.at, into.history[-1].at)
    event = TicketEvent(at, into.state, act.actor, act.note, "absorb", {"from": ticket.id})
    return replace(into, history=(*into.history, event))


def _word(rules: Rules, ticket: Ticket, act: Act) -> Word | None:
    """What a move says of the detection: a rejection only where its cause calls it wrong."""
    if act.role is None:
        return None
    if act.action == "confirm":
        return "confirmed"
    cause = cause_of(rules.causes, ticket.category, act.cause or "")
    return "false" if act.action == "reject" and cause is not None and cause.false_alarm else None


def _verdict(
    transaction: OfficeTransaction,
    incident: Incident,
    ticket: Ticket | None,
    word: Word,
    cause: Cause | None,
    act: Act,
    key: str,
) -> Verdict:
    return Verdict(
        id="v-" + hashlib.blake2b(key.encode(), digest_size=8).hexdigest(),
        incident_id=incident.id,
        ticket_id=None if ticket is None else ticket.id,
        category=incident.category,
        class_name=incident.class_name,
        verdict=word,
        cause=None if cause is None else cause.code,
        actor=act.actor,
        at=act.at,
        model_releases=tuple(transaction.release_ids(incident)),
        observation_ids=incident.observation_ids,
    )


def _picture_note(ticket: Ticket) -> PictureNote:
    event = ticket.history[-1]
    return PictureNote(event.data["sha256"], "kept", event.at, ticket.id, event.actor or AUTOMATIC)
