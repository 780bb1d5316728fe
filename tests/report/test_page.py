"""The report page: everything inside, nothing fetched, every word escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np

from patrolvision.report.contents import Entry, Picture, Recording, Report, Shape
from patrolvision.report.map_svg import Plane, nice_length_m
from patrolvision.report.page import ordered, render
from patrolvision.types import (
    Category,
    FrameCounts,
    GeoPoint,
    GridCodes,
    Incident,
    IncidentKind,
    Ticket,
    TicketEvent,
)

TRIANGLE = ((22.84, 113.23), (22.8401, 113.23), (22.84, 113.2301))
AT = datetime(2026, 5, 4, 0, 0, 5, tzinfo=UTC)


def entry(
    category: Category, number: int, kind: IncidentKind = "enforce", lat: float = 22.84
) -> Entry:
    place = GeoPoint(lat, 113.23 + number * 1e-4, np.array([[1.0, 0.3], [0.3, 2.0]]))
    incident = Incident(
        f"i{number}",
        category,
        kind,
        "new",
        "litter",
        place,
        AT,
        AT,
        ("o",),
        ("car_<a>",),
        None,
        0.9,
    )
    ticket = None
    if kind == "enforce":
        event = TicketEvent(AT, "reported", "system")
        ticket = Ticket(
            f"t{number}", incident.id, category, "reported", "normal", place,
            GridCodes("4406-01", None, "S1"), (event,),
        )  # fmt: skip
    return Entry(incident, ticket, (Picture("close <b>", b"\xff\xd8jpeg"),))


def report(*entries: Entry, **changes: object) -> Report:
    counts = FrameCounts(10, 4, {"rate": 6})
    recording = Recording(
        "car_<a>", "car_a.mp4", AT, 10.0, counts, 3, 2, ((22.84, 113.23), (22.8401, 113.2305))
    )
    values: dict[str, object] = {
        "title": "Patrol & report",
        "generated_at": AT,
        "program": "patrolvision 0.1.0",
        "model_release": "patrol-n@0.1.0",
        "entries": entries,
        "recordings": (recording,),
        "zones": (Shape("fire lane", "no_stopping", (TRIANGLE,)),),
        **changes,
    }  # fmt: skip
    return Report(**values)  # type: ignore[arg-type]


class Wellformed(HTMLParser):
    """Every element that is opened is closed in order (void elements apart)."""

    VOID = frozenset({"meta", "img", "br", "circle", "ellipse", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = render(report(entry("litter", 1), entry("open_fire", 2)))
    parser = Wellformed()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
    assert page.count('class="card ') == 2


def test_words_from_outside_are_escaped() -> None:
    page = render(report(entry("litter", 1)))
    assert "car_<a>" not in page
    assert "car_&lt;a&gt;" in page
    assert "close &lt;b&gt;" in page


def test_fires_come_first_and_reviews_last() -> None:
    given = (entry("litter", 1), entry("illegal_parking", 2, "review"), entry("open_fire", 3))
    assert [e.incident.id for e in ordered(given)] == ["i3", "i1", "i2"]


def test_the_page_counts_tickets_and_not_reviews() -> None:
    page = render(report(entry("litter", 1), entry("illegal_parking", 2, "review")))
    assert '<div class="count"><b>1</b><span>tickets</span></div>' in page
    assert "for review" in page


def test_what_must_be_known_of_a_recording_is_told_and_its_zone_named() -> None:
    """And a recording all of whose frames have a pose does not read as having none."""
    assert "To be known" not in render(report())
    counts = FrameCounts(10, 4, {"rate": 6})
    told = Recording("m", "m.mp4", AT, 1.0, counts, 0, 0, notes=("2 fixes are <stale>",))
    page = render(report(recordings=(told,), timezone="Asia/Shanghai"))
    assert "To be known" in page
    assert "2 fixes are &lt;stale&gt;" in page
    assert "all times in Asia/Shanghai" in page
    assert "<td>2026-05-04 08:00:05</td>" in page
    assert "<td>all</td>" not in page


def test_a_report_without_any_place_has_no_map() -> None:
    page = render(report(recordings=()))
    assert "<svg" not in page
    assert "Nothing was found" in page


def test_north_is_up_and_east_is_right_in_metres() -> None:
    plane = Plane([(22.84, 113.23), (22.84, 113.23)])
    x, y = plane.xy((22.84 + 1e-4, 113.23))
    assert abs(x) < 1e-9
    assert abs(y + 11.132) < 0.01
    assert plane.xy((22.84, 113.2301))[0] > 10


def test_the_scale_bar_has_a_round_length_below_a_fifth_of_the_width() -> None:
    assert [nice_length_m(w) for w in (60, 120, 260, 5000)] == [10, 20, 50, 1000]
