"""`patrolvision office`: the rounds of an office that nobody has to make by hand.

Overdue tickets climb the ladder, and, where it is asked for, filed ones are dispatched: the most
valuable first, within the send budget, to the nearest fitting crew. Every act goes through the
desk, so that history and outbox hear of it; made again at once, a round changes nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from patrolvision import wiring
from patrolvision.config import OfficeSettings
from patrolvision.desk import Rules, perform
from patrolvision.errors import EXIT_OK, PatrolVisionError
from patrolvision.looked import forget_sheets, make_sheets
from patrolvision.reporting import office_settings
from patrolvision.store import crews as stored
from patrolvision.store.changes import forget_changes
from patrolvision.store.overdue import overdue_tickets
from patrolvision.tickets.budget import area_of, may_be_sent, most_valuable_first
from patrolvision.tickets.calendar import ALWAYS
from patrolvision.tickets.categories import Catalogue
from patrolvision.tickets.crews import Candidate, Crew, CrewPosition, Job, best, candidates
from patrolvision.tickets.escalation import escalation, level_name
from patrolvision.tickets.office import AUTOMATIC
from patrolvision.tickets.workflow import Act, MoveError

if TYPE_CHECKING:
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.types import Ticket

log = logging.getLogger(__name__)
CLIMBING = ("filed", "dispatched", "handling")
EVERY_S = 60.0
SHEETS = 5  # days whose sheets a round makes: some seconds of work


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did; held_back are filed tickets beyond the budget or without a fitting crew."""

    escalated: int = 0
    dispatched: int = 0
    held_back: int = 0


def escalate(store: SqlStore, rules: Rules, now: datetime) -> int:
    """Raise the overdue tickets to the rung where they belong by now; how many were raised."""
    raised = 0
    highest = len(rules.catalogue.levels) - 1
    for ticket in list(overdue_tickets(store.engine, CLIMBING, now, highest)):
        level = escalation(ticket, now, rules.catalogue)
        if level is None:
            continue
        name = level_name(level, rules.catalogue)
        note = f"overdue: {name.name_en} {name.name_zh}"
        act = Act("escalate", AUTOMATIC, now, note=note, data={"level": level})
        raised += _done(store, rules, ticket, act)
    return raised


def dispatch(store: SqlStore, rules: Rules, now: datetime, timezone: str = "UTC") -> Round:
    """Send crews to filed tickets: the most valuable first, within each area's budget.

    A ticket for which no crew may be sent waits and uses up nothing.
    """
    waiting = list(store.tickets(state="filed"))
    crews = crews_of(store, timezone)
    load = Counter(stored.open_tickets(store.engine))
    where = positions_of(store)
    sent = 0
    spent: Counter[str] = Counter()
    for ticket in most_valuable_first(waiting, now, rules.catalogue):
        if not may_be_sent(ticket, rules.catalogue, spent):
            continue
        crew = best(judged(ticket, crews, where, now, rules.catalogue, load))
        if crew is None:
            continue
        act = Act("dispatch", AUTOMATIC, now, "dispatcher", assignee=crew.crew.id,
                  data=_why(crew))  # fmt: skip
        if _done(store, rules, ticket, act):
            sent += 1
            load[crew.crew.id] += 1
            spent[area_of(ticket)] += ticket.priority != "urgent"
    return Round(dispatched=sent, held_back=len(waiting) - sent)


def judged(
    ticket: Ticket,
    crews: list[Crew],
    where: Mapping[str, CrewPosition],
    now: datetime,
    catalogue: Catalogue,
    load: Mapping[str, int],
) -> list[Candidate]:
    """Every crew judged for a ticket, the best first."""
    place = ticket.place
    minutes = catalogue.dispatch_number("position_age_min", area_of(ticket))
    return candidates(
        Job(catalogue.categories[ticket.category].skill, place.lat_deg, place.lon_deg, ticket.grid),
        crews,
        where,
        now,
        position_age=timedelta(minutes=minutes),
        load=load,
    )


def crews_of(store: SqlStore, timezone: str) -> list[Crew]:
    """Every crew as it is now, by id; timezone is for those that name none."""
    known = stored.stored_crews(store.engine)
    return [crew_of(name, content, timezone) for name, content in known.items()]


def crew_of(crew_id: str, content: Mapping[str, Any], timezone: str) -> Crew:
    """The crew that the store keeps as JSON; timezone is for those that name none."""
    return Crew(
        id=crew_id,
        name=content["name"],
        skills=tuple(content.get("skills", ())),
        areas=tuple(content.get("areas", ())),
        duty=content.get("duty") or ALWAYS,
        timezone=content.get("timezone") or timezone,
        contractor=content.get("contractor"),
        phone=content.get("phone"),
        active=content.get("active") is not False,
    )


def positions_of(store: SqlStore) -> dict[str, CrewPosition]:
    """crew id -> where it was last."""
    return {
        name: CrewPosition(name, p.at, p.lat_deg, p.lon_deg)
        for name, p in stored.positions(store.engine).items()
    }


def _why(crew: Candidate) -> dict[str, Any]:
    return {} if crew.distance_m is None else {"distance_m": round(crew.distance_m)}


def _done(store: SqlStore, rules: Rules, ticket: Ticket, act: Act) -> bool:
    """Whether the act was done; somebody may have moved the ticket since it was read."""
    try:
        return perform(store, rules, ticket.id, act, version=ticket.version) is not None
    except MoveError as error:
        log.info("ticket %s: %s was not done: %s", ticket.id, act.action, error)
        return False


def one_round(
    store: SqlStore, settings: OfficeSettings, now: datetime, *, send: bool = False
) -> Round:
    """Escalate, dispatch if asked to, let go of old news, make and throw away sheets of looks."""
    rules = wiring.office_rules(settings)
    raised = escalate(store, rules, now)
    forget_changes(store.engine, now)
    make_sheets(store, now, most=SHEETS)
    forget_sheets(store, now, most=SHEETS)
    sent = dispatch(store, rules, now, settings.timezone) if send else Round()
    return replace(sent, escalated=raised)


@contextmanager
def background(
    store: SqlStore,
    settings: OfficeSettings,
    *,
    every_s: float = EVERY_S,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[None]:
    """Escalate every minute beside what the context does; two programs at once do no harm."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(every_s):
            try:
                one_round(store, settings, clock())
            except PatrolVisionError as error:
                log.error("the office's round was not finished: %s", error)

    thread = threading.Thread(target=work, name="office-rounds", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main(args: argparse.Namespace) -> int:
    """`patrolvision office tick --db URL [--dispatch]`."""
    settings = office_settings(args.office, args.timezone)
    store = wiring.store(args.db, create=False)
    try:
        done = one_round(store, settings, datetime.now(UTC), send=args.dispatch)
    finally:
        store.close()
    if args.json:
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
    else:
        sys.stdout.write(
            f"{done.escalated} escalated, {done.dispatched} dispatched, "
            f"{done.held_back} held back\n"
        )
    return EXIT_OK
