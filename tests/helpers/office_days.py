"""A small city's office over some days: tickets with histories made by the real workflow."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from patrolvision.store import SqlStore
from patrolvision.tickets.office import ticket_for
from patrolvision.tickets.workflow import Act, Facts, done
from patrolvision.types import Finding, GeoPoint, GridCodes, Incident, Look, Observation, Ticket

FIRST_DAY = datetime(2026, 5, 3, 16, tzinfo=UTC)  # midnight of 4 May in China
HOUR = timedelta(hours=1)
CATEGORIES = ("litter", "litter", "litter", "illegal_parking", "open_fire")
CLASSES = {"litter": "litter", "illegal_parking": "car", "open_fire": "fire"}
CREWS = ("c-east", "c-west", "c-fire")
LAT, LON = 22.84, 113.23
METRE = 1 / 110_750  # degrees of latitude here


class Cells:
    """A grid of 500 m cells, in three responsible grids and along five roads."""

    def codes_at(self, lat_deg: float, lon_deg: float) -> GridCodes:
        row, column = int((lat_deg - LAT + 0.1) / 0.005), int((lon_deg - LON + 0.1) / 0.005)
        return GridCodes(f"U{row:02}{column:02}", f"R{row % 3 + 1}", f"Road {column % 5 + 1}")


def incident_at(
    name: str, at: datetime, north_m: float, east_m: float, category: str = "litter"
) -> tuple[Observation, Incident]:
    """An incident with the one observation that founded it."""
    place = GeoPoint(LAT + north_m * METRE, LON + east_m * METRE, np.eye(2) * 4.0)
    seen = Observation(f"o-{name}", "m1", "car1", CLASSES[category], at, at, place, 0.9, 5)
    incident = Incident(
        name, category, "enforce", "new", seen.class_name, place, at, at, (seen.id,),  # type: ignore[arg-type]
        ("m1",), None, 0.9,
    )  # fmt: skip
    return seen, incident


def save(
    store: SqlStore, seen: Sequence[Observation], incidents: Sequence[Incident],
    tickets: Sequence[Ticket], looks: Sequence[Look] = (),
) -> None:  # fmt: skip
    """All of it in one transaction."""
    with store.transaction() as transaction:
        transaction.add_observations(seen)
        categories = {i.observation_ids[0]: i.category for i in incidents}
        transaction.save_findings(
            [Finding(f"f-{o.id}", categories[o.id], "enforce", o, 0.9) for o in seen]
        )
        transaction.save_incidents(incidents)
        transaction.save_tickets(tickets)
        transaction.add_looks(looks)


def new_ticket(incident: Incident) -> Ticket:
    """The ticket that the incident raises."""
    ticket = ticket_for(incident, Cells(), at=incident.first_seen)
    assert ticket is not None
    return ticket


def moved(ticket: Ticket, action: str, at: datetime, **given: object) -> Ticket:
    """The ticket after one act, made by the program or an admin; due_at says until when."""
    due_at = given.pop("due_at", None)
    role = None if action in ("reject", "escalate", "merge") else "admin"
    data = dict(given.pop("data", {}))  # type: ignore[call-overload]
    if due_at is not None:
        data["due_at"] = due_at.isoformat()  # type: ignore[attr-defined]
    act = Act(action, f"by {action}", at, role, data=data, **given)  # type: ignore[arg-type]
    removed = Facts(number=f"N-{ticket.id}", due_at=due_at, removed_at=at)  # type: ignore[arg-type]
    return done(ticket, act, removed)


def life(ticket: Ticket, rng: random.Random) -> Iterator[Ticket]:
    """The ticket after each step of a life as offices live it, with pauses of minutes to days."""
    at, fast = ticket.history[0].at, ticket.category == "open_fire"

    def later(hours: float) -> datetime:
        nonlocal at
        at += rng.uniform(0.05, 1.0) * hours * HOUR * (0.1 if fast else 1.0)
        return at

    if rng.random() < 0.12:
        cause = rng.choice(["shadow", "reflection", "legally_parked", "goods_for_sale"])
        yield moved(ticket, "reject", later(6), cause=cause)
        return
    ticket = moved(ticket, "file", later(5), due_at=at + (3 if fast else 20) * HOUR)
    yield ticket
    crew = "c-fire" if fast else rng.choice(CREWS[:2])
    for action, hours in (("dispatch", 4), ("take", 3), ("report_back", 20)):
        given = {"assignee": crew} if action == "dispatch" else {}
        ticket = moved(ticket, action, later(hours), **given)
        yield ticket
    if rng.random() < 0.1:
        ticket = moved(ticket, "send_back", later(5), note="still there")
        yield ticket
        ticket = moved(ticket, "report_back", later(12))
        yield ticket
    for action, hours in (("verify", 8), ("close", 2)):
        ticket = moved(ticket, action, later(hours))
        yield ticket
    if rng.random() < 0.05:
        yield moved(ticket, "reopen", later(40), note="it is back", due_at=at + 20 * HOUR)


def fill(store: SqlStore, *, days: int = 5, a_day: int = 40, seed: int = 1) -> None:
    """Fill a store with days of an office, patrolled every day, some places coming back."""
    rng = random.Random(seed)
    bad_places = [(rng.uniform(-900, 900), rng.uniform(-900, 900)) for _ in range(6)]
    seen, incidents, tickets, looks = [], [], [], []
    for k in range(days * a_day):
        at = FIRST_DAY + (k // a_day * 24 + rng.uniform(7, 19)) * HOUR
        north, east = rng.uniform(-900, 900), rng.uniform(-900, 900)
        category = rng.choice(CATEGORIES)
        if rng.random() < 0.2:
            north, east = (c + rng.uniform(-4, 4) for c in rng.choice(bad_places))
            category = "litter"
        one, incident = incident_at(f"i{k:04}", at, north, east, category)
        ticket = new_ticket(incident)
        for after in life(ticket, rng):
            ticket = after
        seen.append(one), incidents.append(incident), tickets.append(ticket)
    for day in range(days):
        looks += patrol(f"m{day}", FIRST_DAY + (24 * day + 8) * HOUR)
    save(store, seen, incidents, tickets, looks)


def patrol(mission: str, start: datetime, looks: int = 60, step_m: float = 30.0) -> list[Look]:
    """A drive to the north, one look of 30 by 10 m every five seconds."""

    def corner(north_m: float, east_m: float) -> tuple[float, float]:
        return LAT + north_m * METRE, LON + east_m * METRE

    return [
        Look(
            f"{mission}-{k}", mission, start + timedelta(seconds=5 * k),
            start + timedelta(seconds=5 * k + 5), frozenset({"litter", "fire", "car"}),
            (corner(k * step_m, 0), corner(k * step_m, 10), corner((k + 1) * step_m, 10),
             corner((k + 1) * step_m, 0)), 0.5,
        )
        for k in range(looks)
    ]  # fmt: skip


def with_later_place(incident: Incident, metres: float) -> Incident:
    """The incident after more was seen of it."""
    place = incident.place
    return replace(incident, place=GeoPoint(place.lat_deg + metres * METRE, place.lon_deg,
                                            place.cov_en_m2 / 2))  # fmt: skip
