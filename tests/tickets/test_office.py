"""Which incident becomes a ticket, how the ticket follows it, and how it moves on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import CallError
from patrolvision.tickets import MOVES, deserves_ticket, move, ticket_for, updated
from patrolvision.types import (
    GeoPoint,
    GridCodes,
    Incident,
    IncidentKind,
    IncidentStatus,
    Ticket,
    TicketState,
)

T0 = datetime(2026, 5, 4, 8, tzinfo=UTC)
STATES = get_args(TicketState)
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
    filed = move(new_ticket(), "filed", "officer", T0)
    ticket = updated(filed, replace(INCIDENT, place=MOVED), HalfEarths())
    assert ticket.place == MOVED
    assert ticket.grid == GridCodes("south")


def test_priority_rises_and_never_falls() -> None:
    high = replace(INCIDENT, priority="high")
    assert updated(new_ticket(), high).priority == "high"
    assert updated(new_ticket(high), INCIDENT).priority == "high"


def test_a_ticket_that_is_over_or_whose_incident_is_dismissed_is_left_alone() -> None:
    moved = replace(INCIDENT, place=MOVED, priority="urgent")
    rejected = move(new_ticket(), "rejected", "officer", T0, "a bin")
    assert updated(rejected, moved) is rejected
    ticket = new_ticket()
    assert updated(ticket, replace(moved, status="dismissed")) is ticket


def test_the_seven_steps_lead_from_reported_to_closed() -> None:
    ticket = new_ticket()
    steps = ("filed", "dispatched", "handling", "feedback", "verified", "closed")
    for hour, step in enumerate(steps, 1):
        ticket = move(ticket, step, "officer", T0 + timedelta(hours=hour), f"step {hour}")
    assert [e.state for e in ticket.history] == ["reported", *steps]
    assert ticket.history[-1].note == "step 6"


def test_the_table_names_every_state_and_only_states() -> None:
    assert set(MOVES) == set(STATES)
    assert {to for legal in MOVES.values() for to in legal} <= set(STATES) - {"reported"}


@pytest.mark.parametrize(("state", "to_state"), [*product(STATES, STATES)])
def test_a_move_that_is_not_in_the_table_is_refused(
    state: TicketState, to_state: TicketState
) -> None:
    ticket = replace(new_ticket(), state=state)
    if to_state in MOVES[state]:
        assert move(ticket, to_state, "officer", T0).state == to_state
    else:
        with pytest.raises(CallError, match=f"is {state} and cannot become {to_state}"):
            move(ticket, to_state, "officer", T0)


def test_time_does_not_run_backwards_in_a_history() -> None:
    with pytest.raises(CallError, match="before its last move"):
        move(new_ticket(), "filed", "officer", T0 - timedelta(seconds=1))
    with pytest.raises(CallError, match="offset from UTC"):
        move(new_ticket(), "filed", "officer", T0.replace(tzinfo=None))


@given(st.lists(st.sampled_from(STATES), max_size=30))
def test_no_sequence_of_moves_leaves_the_table_or_loses_history(wishes: list[TicketState]) -> None:
    ticket = new_ticket()
    for wish in wishes:
        if wish in MOVES[ticket.state]:
            ticket = move(ticket, wish, "officer", T0)
        else:
            with pytest.raises(CallError):
                move(ticket, wish, "officer", T0)
    states = [e.state for e in ticket.history]
    assert states[0] == "reported"
    assert states[-1] == ticket.state
    assert all(b in MOVES[a] for a, b in pairwise(states))
