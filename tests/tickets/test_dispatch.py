"""Who is sent, what is sent first, and who hears of it when it takes too long."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.tickets.budget import area_of, may_be_sent, most_valuable_first, value_of
from patrolvision.tickets.categories import ScoreRule, load_catalogue
from patrolvision.tickets.crews import Candidate, Crew, CrewPosition, Job, best, candidates
from patrolvision.tickets.escalation import escalation, level_name
from patrolvision.tickets.scoring import score
from patrolvision.types import GeoPoint, GridCodes, Ticket, TicketEvent

NOW = datetime(2026, 4, 27, 2, tzinfo=UTC)  # a Monday, 10:00 in China
CATALOGUE = load_catalogue(timezone="Asia/Shanghai")
JOB = Job("cleaning", 22.84, 113.23, GridCodes("440606001001", "R12"))
AGE = timedelta(minutes=15)
CREW = Crew("c1", "East", ("cleaning",), timezone="Asia/Shanghai")


def at(crew: str, north_m: float, age_min: float = 1.0) -> CrewPosition:
    return CrewPosition(crew, NOW - timedelta(minutes=age_min), 22.84 + north_m / 110_750, 113.23)


def ranked(crews: list[Crew], *positions: CrewPosition) -> list[Candidate]:
    return candidates(JOB, crews, {p.crew_id: p for p in positions}, NOW, position_age=AGE)


def test_the_nearest_crew_on_duty_with_the_skill_goes() -> None:
    near, far = replace(CREW, id="near"), replace(CREW, id="far")
    found = ranked([far, near], at("far", 900), at("near", 300))
    assert [c.crew.id for c in found] == ["near", "far"]
    assert found[0].distance_m == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    ("crew", "why"),
    [
        (replace(CREW, skills=("fire",)), "lacks the skill cleaning"),
        (replace(CREW, areas=("440699",)), "does not serve this grid"),
        (replace(CREW, duty="18:00-06:00"), "is off duty"),
        (replace(CREW, active=False), "is no longer in service"),
        (replace(CREW, areas=("4406",)), None),
        (replace(CREW, areas=("R1",)), None),
        (replace(CREW, duty="Mo 08:00-12:00"), None),
    ],
)
def test_a_crew_that_may_not_be_sent_says_why(crew: Crew, why: str | None) -> None:
    assert [c.why_not for c in ranked([crew])] == [why]


def test_a_stale_position_is_not_used() -> None:
    stale, fresh = replace(CREW, id="a-stale"), replace(CREW, id="b-fresh")
    found = ranked([stale, fresh], at("a-stale", 10, age_min=16), at("b-fresh", 5000))
    assert [(c.crew.id, c.distance_m is None) for c in found] == [
        ("b-fresh", False), ("a-stale", True),
    ]  # fmt: skip
    assert ranked([stale], at("a-stale", 10, age_min=-16))[0].distance_m is None  # a wrong clock


def test_nobody_is_sent_when_nobody_may() -> None:
    assert best(ranked([replace(CREW, skills=())])) is None


def ticket(
    name: str = "t", area: str = "R1", priority: str = "normal", age_h: float = 0.0, **other: object
) -> Ticket:
    born = TicketEvent(NOW - timedelta(hours=age_h), "reported", "patrolvision")
    place = GeoPoint(22.84, 113.23, np.eye(2))
    made = Ticket(name, "i", "litter", "filed", priority, place, GridCodes(None, area), (born,))  # type: ignore[arg-type]
    return replace(made, **other)  # type: ignore[arg-type]


def sent_in_turn(waiting: list[Ticket], spent: int = 0) -> list[Ticket]:
    """Those that one run sends where a crew is free for each, of R1 after so many others."""
    used, sent = Counter({"R1": spent}), []
    for waits in most_valuable_first(waiting, NOW, CATALOGUE):
        if may_be_sent(waits, CATALOGUE, used):
            used[area_of(waits)] += waits.priority != "urgent"
            sent.append(waits)
    return sent


def test_the_most_valuable_are_sent_first_within_the_areas_budget() -> None:
    waiting = [ticket(f"t{k:02}", "R1" if k % 2 else "R2", age_h=float(k)) for k in range(60)]
    sent = sent_in_turn(waiting)
    assert len(sent) == 40  # twenty of each area
    assert [t.id for t in sent] == [f"t{k:02}" for k in range(59, 19, -1)]
    assert value_of(ticket(category="open_fire"), NOW, CATALOGUE) > value_of(
        ticket(), NOW, CATALOGUE
    )


PRIORITIES = st.lists(st.sampled_from(["normal", "high", "urgent"]), max_size=80)


@given(PRIORITIES, st.integers(0, 30))
def test_urgent_is_never_held_back_and_uses_up_nothing(kinds: list[str], spent: int) -> None:
    waiting = [ticket(f"t{k}", priority=kind) for k, kind in enumerate(kinds)]
    sent = sent_in_turn(waiting, spent)
    urgent = kinds.count("urgent")
    assert [t.priority for t in sent[:urgent]] == ["urgent"] * urgent
    assert len(sent) - urgent == min(len(kinds) - urgent, max(20 - spent, 0))


def test_an_overdue_ticket_climbs_from_village_to_town_to_district_once_each() -> None:
    late, climbed = ticket(due_at=NOW), []
    for hours in (0, 1, 1, 30, 31, 300):
        raised = escalation(late, NOW + timedelta(hours=hours), CATALOGUE)
        climbed.append(raised)
        late = late if raised is None else replace(late, level=raised)
    assert climbed == [None, 1, None, 2, None, None]
    assert [level_name(k, CATALOGUE).level for k in (0, 1, 2, 9)] == [
        "village", "town", "district", "district",
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["reported", "feedback", "verified", "closed", "rejected"])
def test_what_no_crew_is_late_with_does_not_climb(state: str) -> None:
    late = ticket(due_at=NOW, state=state)
    assert escalation(late, NOW + timedelta(days=30), CATALOGUE) is None


def rule(measure: str, worst: float, best: float, applies_to: str = "*") -> ScoreRule:
    return ScoreRule(measure, applies_to, measure, worst, best, 50.0, "n", "名", "s")


def test_points_lie_between_worst_and_best_and_unknown_measures_do_not_count() -> None:
    rules = [rule("completion_rate", 0.8, 1.0), rule("reopened_rate", 0.1, 0.0)]
    assert score(rules, "crew", {"completion_rate": 0.9, "reopened_rate": 0.0}) == 75.0
    assert score(rules, "crew", {"completion_rate": 0.2, "reopened_rate": None}) == 0.0
    assert score(rules, "crew", {"completion_rate": 1.0}) == 100.0
    assert score(rules, "crew", {}) is None


def test_a_rule_of_its_own_replaces_the_one_for_all() -> None:
    rules = [rule("completion_rate", 0.8, 1.0), rule("completion_rate", 0.0, 1.0, "crew")]
    assert score(rules, "crew", {"completion_rate": 0.5}) == 50.0
    assert score(rules, "segment", {"completion_rate": 0.5}) == 0.0
