"""Which incident becomes a ticket, and how the ticket follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import numpy as np
import pytest

from patrolvision.tickets import Act, deserves_ticket, done, followed, ticket_for, updated
from patrolvision.types import (
    GeoPoint,
    GridCodes,
    Incident,
    IncidentKind,
    IncidentStatus,
    Ticket,
)

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
PLACE = GeoPoint(22.84, 113.23, np.eye(2) * 4)
MOVED = GeoPoint(22.85, 113.23, np.eye(2) * 3)
INCIDENT = Incident(
    "i1", "litter", "enforce", "new", "litter", PLACE, T0, T0, ("o1",), ("m",), None, 0.9
)


class HalfEarths:
    """North and south of 22.845°."""

    def codes_at(self, lat_deg: float, lon_deg: float) -> GridCodes:
        return GridCodes("north" if lat_deg > 22.845 else "south")


def new_ticket(incident: Incident = INCIDENT) -> Ticket:
    ticket = ticket_for(incident, HalfEarths(), at=T0)
    assert ticket is not None
    return ticket


def test_a_ticket_is_reported_in_its_grid_with_one_event() -> None:
    ticket = new_ticket()
    assert ticket.state == "reported"
    assert ticket.grid == GridCodes("south")
    assert [(e.at, e.state) for e in ticket.history] == [(T0, "reported")]
    assert (ticket.incident_id, ticket.category, ticket.place) == ("i1", "litter", PLACE)
    bare = ticket_for(INCIDENT, None, at=T0)
    assert bare is not None
    assert bare.grid == GridCodes()


def test_the_same_incident_always_gets_the_same_ticket_and_another_another() -> None:
    assert new_ticket() == new_ticket()
    assert new_ticket().id != new_ticket(replace(INCIDENT, id="i2")).id


@pytest.mark.parametrize(
    ("kind", "status"), [*product(get_args(IncidentKind), get_args(IncidentStatus))]
)
def test_only_what_breaks_an_enforced_rule_gets_a_ticket_and_keeps_it_when_gone(
    kind: IncidentKind, status: IncidentStatus
) -> None:
    incident = replace(INCIDENT, kind=kind, status=status)
    deserved = kind == "enforce" and status != "dismissed"
    assert deserves_ticket(incident) == deserved
    assert (ticket_for(incident, None, at=T0) is not None) == deserved


def test_a_fire_is_urgent_and_so_is_what_its_rule_calls_urgent() -> None:
    assert new_ticket().priority == "normal"
    assert new_ticket(replace(INCIDENT, category="open_fire")).priority == "urgent"
    fire_lane = replace(INCIDENT, category="illegal_parking", priority="urgent")
    assert new_ticket(fire_lane).priority == "urgent"


def test_a_ticket_whose_incident_is_as_it_was_stays_the_same_object() -> None:
    ticket = new_ticket()
    seen_again = replace(INCIDENT, status="existing", last_seen=T0 + timedelta(hours=1))
    assert updated(ticket, seen_again, HalfEarths()) is ticket


def test_a_reported_ticket_follows_its_incident_into_another_grid() -> None:
    ticket = updated(new_ticket(), replace(INCIDENT, place=MOVED), HalfEarths())
    assert ticket.place == MOVED
    assert ticket.grid == GridCodes("north")
    assert ticket.history == new_ticket().history


def test_a_ticket_that_was_taken_up_keeps_its_grid() -> None:
    filed = done(new_ticket(), Act("file", "officer", T0, "dispatcher"))
    ticket = updated(filed, replace(INCIDENT, place=MOVED), HalfEarths())
    assert ticket.place == MOVED
    assert ticket.grid == GridCodes("south")


def test_priority_rises_and_never_falls() -> None:
    high = replace(INCIDENT, priority="high")
    assert updated(new_ticket(), high).priority == "high"
    assert updated(new_ticket(high), INCIDENT).priority == "high"


def test_a_ticket_that_is_over_or_whose_incident_is_dismissed_is_left_alone() -> None:
    moved = replace(INCIDENT, place=MOVED, priority="urgent")
    rejected = done(new_ticket(), Act("reject", "officer", T0, "reviewer", cause="a bin"))
    assert updated(rejected, moved) is rejected
    ticket = new_ticket()
    assert updated(ticket, replace(moved, status="dismissed")) is ticket


FIRE = replace(INCIDENT, category="open_fire", class_name="fire")


def north(metres: float, sigma_m: float = 2.0, hours: float = 1.0) -> Incident:
    """The fire, as it is seen some hours later."""
    place = GeoPoint(22.84 + metres / 110_750, 113.23, np.eye(2) * sigma_m**2)
    return replace(FIRE, place=place, status="existing", last_seen=T0 + timedelta(hours=hours))


def confirmed_fire() -> Ticket:
    return done(new_ticket(FIRE), Act("confirm", "rita", T0, "reviewer"))


@pytest.mark.parametrize(
    ("seen", "is_told"),
    [
        (north(9), False),
        (north(11), True),
        (north(3, sigma_m=7.9), False),
        (north(3, sigma_m=8.1), True),  # its circle is twice as large
    ],
)
def test_that_a_known_fire_is_elsewhere_is_a_line_of_its_history(
    seen: Incident, is_told: bool
) -> None:
    ticket = followed(confirmed_fire(), seen)
    assert ticket.place == seen.place
    assert [e.action for e in ticket.history] == ["raise", "confirm", *["relocate"] * is_told]
    assert followed(ticket, seen) is ticket, "told again it is no news"


def test_a_place_that_creeps_is_told_once_it_is_far_from_what_was_told_last() -> None:
    ticket = followed(confirmed_fire(), north(20))
    for metres in (24, 28, 32):
        ticket = followed(ticket, north(metres, hours=metres))
    assert [e.action for e in ticket.history].count("relocate") == 2


def test_a_fire_that_nobody_has_confirmed_and_litter_move_in_silence() -> None:
    untouched = followed(new_ticket(FIRE), north(500))
    assert [e.action for e in untouched.history] == ["raise"]
    filed = done(new_ticket(), Act("file", "officer", T0, "dispatcher"))
    assert len(followed(filed, replace(INCIDENT, place=MOVED)).history) == len(filed.history)
