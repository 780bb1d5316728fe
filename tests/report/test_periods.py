"""Reports of a period: the same bytes whenever they are made, and figures one can count by hand."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest

from helpers.office_days import (
    FIRST_DAY,
    HOUR,
    Cells,
    fill,
    incident_at,
    moved,
    new_ticket,
    patrol,
    save,
    with_later_place,
)
from patrolvision import reporting
from patrolvision.errors import CallError
from patrolvision.report.facts import NONE, code_of, facts_of
from patrolvision.report.figures import MEASURED, ROW_KINDS
from patrolvision.report.observed import km_observed, middle
from patrolvision.report.period import KINDS, period_of
from patrolvision.report.places import hot_spots, ledger, places
from patrolvision.report.xlsx import workbook
from patrolvision.store import SqlStore, lives, open_store
from patrolvision.store.areas import save_area
from patrolvision.store.crews import save_crew
from patrolvision.tickets.categories import MEASURES, SCORED, load_catalogue
from patrolvision.types.columns import UNKNOWN, FoundTickets
from patrolvision.types.instants import micros_of

CATALOGUE = load_catalogue(timezone="Asia/Shanghai")
LONG_AFTER = datetime(2026, 9, 1, tzinfo=UTC)
DAY = date(2026, 5, 6)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def files_of(store: SqlStore, kind: str = "day", day: date = DAY) -> dict[str, bytes]:
    report = reporting.report_of(store, CATALOGUE, kind, day, LONG_AFTER)  # type: ignore[arg-type]
    return {form: write(report, "zh") for form, write in reporting.FORMATS.items()}


def test_a_past_day_is_the_same_bytes_again_whatever_happens_later(store: SqlStore) -> None:
    fill(store)
    save_crew(
        store.engine, "c-east", {"name": "East", "contractor": "A"}, "x", FIRST_DAY, is_new=True
    )
    before = files_of(store)
    rng = random.Random(7)
    later = FIRST_DAY + timedelta(days=20)
    changed = []
    for ticket in store.tickets():
        at = max(later, ticket.history[-1].at) + rng.random() * HOUR
        if ticket.state == "closed":
            changed.append(moved(ticket, "reopen", at, note="back", due_at=at + HOUR))
        elif ticket.state == "rejected":
            changed.append(moved(ticket, "reopen", at, note="was right after all"))
        elif ticket.state == "filed":
            changed.append(moved(ticket, "dispatch", at, assignee="c-new"))
    incidents = [with_later_place(i, 3.0) for i in store.incidents()]
    one, new = incident_at("i-new", later, 5.0, 5.0)
    with store.transaction() as transaction:
        transaction.save_tickets([replace(t, place=t.place) for t in changed])
        transaction.save_incidents(incidents)
    save(store, [one], [new], [new_ticket(new)], patrol("m-late", later))
    save_crew(
        store.engine, "c-east", {"name": "Renamed", "contractor": "B"}, "x", later, is_new=False
    )
    assert len(changed) > 50
    assert files_of(store) == before
    assert b"True" not in before["csv"]
    assert files_of(store, "month") != files_of(store, "week")


def test_a_kept_report_stays_even_when_the_past_is_learnt_anew(store: SqlStore) -> None:
    fill(store, days=3, a_day=5)
    ask = (store, CATALOGUE, "day", DAY, LONG_AFTER, "Li")
    first, is_all = reporting.keep(*ask)  # type: ignore[arg-type]
    assert (first["revision"], is_all) == (1, True)
    before = files_of(store)
    one, late = incident_at("i-late", FIRST_DAY + 60 * HOUR, 5.0, 5.0)  # footage that came late
    save(store, [one], [late], [new_ticket(late)])
    assert files_of(store) == before
    again, is_all = reporting.keep(*ask)  # type: ignore[arg-type]
    assert (again == first, is_all) == (True, False)
    anew, is_all = reporting.keep(*ask, anew=True)  # type: ignore[arg-type]
    assert (anew["revision"], is_all) == (2, True)
    assert anew["rows"][0]["found"] == first["rows"][0]["found"] + 1
    assert files_of(store) != before
    with pytest.raises(CallError, match="not over"):
        reporting.keep(store, CATALOGUE, "day", DAY, FIRST_DAY + 60 * HOUR, "Li")


def test_every_figure_of_a_hand_made_day_can_be_counted(store: SqlStore) -> None:
    day = period_of("day", DAY, "Asia/Shanghai", LONG_AFTER)
    noon = day.start + 12 * HOUR
    solved_late, solved, false, open_still, merged, after = (
        incident_at(f"i{k}", noon - 30 * HOUR if k == 0 else noon, 40.0 * k, 0.0) for k in range(6)
    )
    lives = []
    for (_, incident), due_h in ((solved_late, -20), (solved, 5)):
        ticket, at = new_ticket(incident), incident.first_seen
        ticket = moved(ticket, "file", at + HOUR, due_at=noon + due_h * HOUR)
        ticket = moved(ticket, "dispatch", at + 2 * HOUR, assignee="c1")
        ticket = moved(ticket, "take", at + 3 * HOUR)
        ticket = moved(ticket, "report_back", noon + 4 * HOUR)
        ticket = moved(moved(ticket, "verify", noon + 5 * HOUR), "close", noon + 6 * HOUR)
        lives.append(ticket)
    lives.append(moved(new_ticket(false[1]), "reject", noon + HOUR, cause="shadow"))
    waiting = moved(new_ticket(open_still[1]), "file", noon + HOUR, due_at=noon + 2 * HOUR)
    lives.append(moved(waiting, "urge", noon + 3 * HOUR, note="please"))
    lives.append(moved(new_ticket(merged[1]), "merge", noon + HOUR, into="t-x"))
    late = replace(after[1], first_seen=day.end, last_seen=day.end)
    lives.append(new_ticket(late))
    made = (solved_late, solved, false, open_still, merged, (after[0], late))
    save(store, [o for o, _ in made], [i for _, i in made], lives, patrol("m", noon, looks=11))
    save_crew(store.engine, "c1", {"name": "One", "contractor": "Co"}, "x", noon, is_new=True)
    report = reporting.report_of(store, CATALOGUE, "day", DAY, LONG_AFTER)
    rows = {(row["kind"], row["key"]): row for row in report["rows"]}
    assert {k: v for k, v in rows["all", ""].items() if k not in ("kind", "key", "name")} == {
        "found": 4, "filed": 2, "dispatched": 1, "solved": 2, "solved_in_time": 1,
        "false_alarms": 1, "duplicates": 1, "declined": 0, "reopened": 0, "sent_back": 0,
        "urged": 1, "escalated": 0, "open_at_start": 1, "open_at_end": 1, "overdue_at_end": 1,
        "completion_rate": 0.6667, "in_time_rate": 0.5, "false_rate": 0.3333,
        "reopened_rate": 0.0, "median_file_h": 1.0, "median_dispatch_h": 1.0,
        "median_solve_h": 20.0, "km_observed": 0.3, "found_per_km": 13.3333, "score": 20.0,
    }  # fmt: skip
    assert (rows["contractor", "Co"]["solved"], rows["crew", "c1"]["name"]) == (2, "One")
    assert report["false_alarms"] == [{"category": "litter", "cause": "shadow", "count": 1}]
    assert [b["solved"] for b in report["series"]][18] == 2


def test_rates_per_kilometre_are_those_of_the_cell_that_was_looked_at(store: SqlStore) -> None:
    noon = FIRST_DAY + 12 * HOUR
    one, incident = incident_at("i", noon, 10.0, 5.0)
    save(store, [one], [incident], [new_ticket(incident)], patrol("m", noon, looks=21))
    ring = [[113.2, 22.8], [113.3, 22.8], [113.3, 22.9], [113.2, 22.9], [113.2, 22.8]]
    cell = {"type": "Feature", "properties": {"layer": "unit", "code": "U"},
            "geometry": {"type": "Polygon", "coordinates": [ring]}}  # fmt: skip
    import json

    grids = json.dumps({"type": "FeatureCollection", "features": [cell]})
    save_area(store.engine, "grids", grids, "x", LONG_AFTER)
    report = reporting.report_of(store, CATALOGUE, "day", date(2026, 5, 4), LONG_AFTER)
    ways = {(r["kind"], r["key"]): r["km_observed"] for r in report["rows"]}
    assert ways["unit_grid", "U"] == pytest.approx(0.6, abs=0.002)
    assert ways["all", ""] == ways["category", "litter"] == ways["unit_grid", "U"]


def test_the_way_between_distant_or_late_looks_is_not_counted() -> None:
    first = patrol("m", FIRST_DAY, looks=3)
    again = [replace(k, id=k.id + "b", start=k.start + HOUR, end=k.end + HOUR) for k in first]
    far = patrol("m", FIRST_DAY + 2 * HOUR, looks=2, step_m=5000.0)
    other = patrol("n", FIRST_DAY, looks=1)
    km = km_observed([*far, *other, *again, *first], Cells().codes_at)
    assert km["all", ""] == pytest.approx(4 * 0.03, abs=1e-3)
    line = replace(first[0], polygon=((22.0, 113.0), (22.0, 113.002), (22.0, 113.001)))
    assert middle(line) == pytest.approx((22.0, 113.001))


Seen = tuple[str, float, float, str]  # ticket, day, metres north, category
REACH = {"litter": 25.0, "open_fire": 50.0}


def sightings(*seen: Seen) -> FoundTickets:
    names, days, north_m, categories = zip(*seen, strict=True)
    found = [micros_of(FIRST_DAY + timedelta(days=day)) for day in days]
    lat_deg = 22.84 + np.array(north_m) / 110_750
    return FoundTickets(names, categories, np.array(found), lat_deg, np.full(len(names), 113.23))


def groups(seen: FoundTickets) -> list[list[str]]:
    found = places(seen, REACH)
    return [[seen.ids[k] for k in place.members] for place in ledger(found, seen)]


@pytest.mark.parametrize(
    ("days", "is_hot", "why"),
    [
        ((0, 10, 20), True, "three within thirty days"),
        ((0, 10, 31), False, "three in thirty-one days"),
        ((0, 20), False, "only twice"),
        ((-80, -70, -60), False, "three, but long before the month"),
        ((-32, -30, -29), True, "three, still within thirty days when the month began"),
    ],
)
def test_a_hot_spot_is_three_times_in_thirty_days(
    days: tuple[float, ...], is_hot: bool, why: str
) -> None:
    month = period_of("month", date(2026, 5, 20), "Asia/Shanghai", LONG_AFTER)
    seen = sightings(*((f"t{k}", day, 5.0 * k, "litter") for k, day in enumerate(days)))
    assert bool(hot_spots(places(seen, REACH), seen, month)) == is_hot, why


def test_places_are_told_apart_by_distance_and_category() -> None:
    seen = sightings(
        ("a", 0, 0, "litter"), ("b", 1, 24, "litter"), ("c", 2, 60, "litter"),
        ("d", 3, 1, "open_fire"), ("e", 4, -20, "litter"), ("f", 5, 60, "litter"),
    )  # fmt: skip
    assert groups(seen) == [["a", "b", "e"], ["c", "f"]]


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        ("day", "2026-05-06", "2026-05-06"), ("week", "2026-05-04", "2026-05-10"),
        ("month", "2026-05-01", "2026-05-31"), ("year", "2026-01-01", "2026-12-31"),
    ],
)  # fmt: skip
def test_a_period_is_whole_on_the_citys_own_clock(kind: str, first: str, last: str) -> None:
    period = period_of(kind, DAY, "Asia/Shanghai", datetime(2030, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    assert (f"{period.first}", f"{period.last}") == (first, last)
    assert period.start.hour == period.end.hour == 16
    assert period.is_over


def test_a_day_of_changing_clocks_has_its_own_length() -> None:
    days = [period_of("day", date(2026, m, d), "Europe/Berlin", LONG_AFTER + 9000 * HOUR)
            for m, d in ((3, 29), (10, 25))]  # fmt: skip
    assert [(p.end - p.start) / HOUR for p in days] == [23, 25]


def test_a_period_that_has_not_begun_is_refused_and_one_that_runs_says_until_when() -> None:
    with pytest.raises(CallError, match="2026-05-06: the day has not begun"):
        period_of("day", DAY, "Asia/Shanghai", datetime(2026, 5, 5, 15, tzinfo=UTC))
    with pytest.raises(CallError, match="no such year"):
        period_of("year", date(9999, 5, 5), "UTC", LONG_AFTER)
    running = period_of("day", DAY, "Asia/Shanghai", datetime(2026, 5, 6, 1, tzinfo=UTC))
    assert not running.is_over
    assert running.as_of == datetime(2026, 5, 6, 1, tzinfo=UTC)


def test_what_happens_later_does_not_show_in_a_ticket_as_it_stood() -> None:
    _, incident = incident_at("i", FIRST_DAY, 0, 0)
    ticket = new_ticket(incident)
    ticket = moved(ticket, "file", FIRST_DAY + HOUR, due_at=FIRST_DAY + 5 * HOUR)
    ticket = moved(ticket, "dispatch", FIRST_DAY + 2 * HOUR, assignee="c1")
    ticket = moved(ticket, "hand_over", FIRST_DAY + 3 * HOUR, assignee="c2", note="full")
    one = lives.histories(
        {name: [None] for name in ("unit_grid", "responsible_grid", "segment")}
        | {"category": [ticket.category], "assignee": [ticket.assignee]},
        due_us=[UNKNOWN],
        opened_us=[micros_of(FIRST_DAY)],
        lines=[lives.line_of((e.at, e.state, e.action, e.data) for e in ticket.history)],
    )
    standing = [facts_of(one, micros_of(FIRST_DAY + (k + 0.5) * HOUR)) for k in (-0.5, 0, 1, 2, 3)]
    assert [(f.state[0], f.assignee[0], f.due_us[0] != UNKNOWN) for f in standing] == [
        (NONE, None, False), (code_of("reported"), None, False), (code_of("filed"), None, True),
        (code_of("dispatched"), "c1", True), (code_of("dispatched"), "c2", True),
    ]  # fmt: skip


def test_rules_can_score_exactly_what_reports_count() -> None:
    assert set(MEASURES) <= set(MEASURED)
    assert set(SCORED) == {"*", *ROW_KINDS}


def test_all_kinds_of_periods_and_an_empty_office_give_reports(store: SqlStore) -> None:
    for kind in KINDS:
        files = files_of(store, kind)
        assert "本期无事件" in files["html"].decode()
        assert files["csv"].decode().splitlines()[0].startswith("period,first,last,kind,key")


def test_a_workbook_is_proper_xml_and_text_is_never_a_formula() -> None:
    content = workbook({"a/b": [["x", "y"], ["=1+1", 2.5], ["<&\x01", None], [True, 3]]})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = {name: archive.read(name) for name in archive.namelist()}
    for text in texts.values():
        ElementTree.fromstring(text)
    sheet = texts["xl/worksheets/sheet1.xml"].decode()
    assert "<f>" not in sheet
    assert 't="inlineStr"><is><t xml:space="preserve">=1+1<' in sheet
    assert "&lt;&amp;�" in sheet
    assert content == workbook({"a/b": [["x", "y"], ["=1+1", 2.5], ["<&\x01", None], [True, 3]]})


def test_what_people_wrote_cannot_become_markup_or_a_formula(store: SqlStore) -> None:
    noon = FIRST_DAY + 12 * HOUR
    one, incident = incident_at("i", noon, 0.0, 0.0)
    ticket = moved(new_ticket(incident), "file", noon)
    sent = moved(ticket, "dispatch", noon, assignee="<script>alert(1)</script>")
    refused = incident_at("j", noon, 90.0, 0.0)
    false = moved(new_ticket(refused[1]), "reject", noon, cause='=cmd|"<b>')
    save(store, [one, refused[0]], [incident, refused[1]], [sent, false])
    save_crew(store.engine, "c1", {"name": "=1+1"}, "x", noon, is_new=True)
    files = files_of(store, "day", date(2026, 5, 4))
    html = files["html"].decode()
    assert "<script" not in html
    assert "<b>&quot;" not in html
    assert "&lt;script&gt;" in html
    assert ",=" not in files["csv"].decode()
