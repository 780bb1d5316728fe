"""What an office's desks ask and what its patrol cars tell, as requests ready to be sent."""

from __future__ import annotations

import itertools
import math
import os
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import orjson
from office_rows import BEGIN, LAT, LON, SPAN_S

from patrolvision.api.queries import next_cursor
from patrolvision.store.quads import tile_at
from patrolvision.store.ticket_pages import Place
from patrolvision.types.instants import micros_of

KM = 1 / 111.2  # in degrees of latitude
STREETS = 4784
BLOCK_M = 180.0  # between two streets
SEEN_BEFORE = 0.5  # of what a patrol sees, another one has seen
DESKS = 50
HOME = 40  # places that desks look at


def get(path: str) -> bytes:
    """A request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, content: bytes, key: str) -> bytes:
    """A request with JSON."""
    lines = (
        f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {key}",
        "Content-Type: application/json", f"Content-Length: {len(content)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + content


def _some_day(r: random.Random) -> datetime:
    return BEGIN + timedelta(seconds=r.uniform(0.05, 1.0) * SPAN_S)


def _tickets(**asked: object) -> bytes:
    return get(f"/api/v1/tickets?{urlencode({**asked, 'limit': 50}, doseq=True)}")


def _box(lat: float, lon: float, half: float) -> str:
    return f"{lon - half:.5f},{lat - half:.5f},{lon + half:.5f},{lat + half:.5f}"


def a_list(r: random.Random) -> bytes:
    """A page of a list in one of its orders, anywhere in it: hardly one is asked for twice."""
    sort = r.choice(("newest", "newest", "oldest", "due", "priority"))
    begin = micros_of(_some_day(r))
    part = r.choice((0, 1, 2)) if sort == "priority" else 0
    return _tickets(sort=sort, cursor=next_cursor(sort, Place(part, begin, "t-5")))


def a_filter(r: random.Random) -> bytes:
    """A page of what a desk looks for, anywhere in the city, any time of the year."""
    lat, lon, half = r.gauss(LAT, 0.08), r.gauss(LON, 0.08), r.choice((0.002, 0.01, 0.05))
    box, until = _box(lat, lon, half), _some_day(r).isoformat()
    asked: dict[str, object] = r.choice((
        {"bbox": box},
        {"bbox": box, "closed": "false"},
        {"bbox": box, "category": "litter", "state": "closed"},
        {"closed": "false", "until": until},
        {"state": ["dispatched", "handling"], "category": "illegal_parking", "until": until},
        {"overdue": "true", "until": until},
        {"assignee": f"crew-{r.randrange(200):03d}", "closed": "false"},
        {"segment": f"S{r.randrange(STREETS):04d}"},
        {"text": f"2026-00{r.randrange(10_000):04d}"},
        {"priority": "urgent", "closed": "false", "sort": "due", "until": until},
    ))  # fmt: skip
    return _tickets(**asked)


def a_tile(r: random.Random) -> bytes:
    """A tile of the map at some zoom, with or without a filter."""
    zoom = r.randint(6, 17)
    z, x, y = tile_at(r.gauss(LAT, 0.08), r.gauss(LON, 0.08), zoom)
    asked = r.choice(("", "", "?closed=false", "?category=litter&closed=false", "?priority=high"))
    return get(f"/api/v1/tiles/tickets/{z}/{x}/{y}.mvt{asked}")


def a_window(r: random.Random) -> bytes:
    """What the map page asks for when it was moved: the points of its window."""
    zoom = r.uniform(10.0, 17.0)
    half = 0.7 * 360.0 / 2**zoom
    box = _box(r.gauss(LAT, 0.06), r.gauss(LON, 0.06), half)
    closed = {} if r.random() < 0.3 else {"closed": "false"}
    asked = urlencode({"bbox": box, "zoom": f"{zoom:.1f}", **closed})
    return get(f"/api/v1/clusters?{asked}")


class Office:
    """Fifty desks: each has its view of list and map, and asks for it again when told of a change.

    Two of three questions are such; the others are new: somebody moves the map, turns a page or
    looks something up.
    """

    def __init__(self) -> None:
        r = random.Random(7)
        everybody = [
            _tickets(closed="false"), _tickets(closed="false", sort="due"),
            _tickets(overdue="true"), _tickets(closed="false", sort="priority"),
        ]  # fmt: skip
        homes = [(r.gauss(LAT, 0.06), r.gauss(LON, 0.06)) for _ in range(HOME)]
        self._views: list[tuple[bytes, ...]] = []
        for desk in range(DESKS):
            box = _box(*homes[desk % HOME], r.choice((0.01, 0.03)))
            own = _tickets(bbox=box, closed="false")
            points = get(f"/api/v1/clusters?bbox={box}&zoom=14.0&closed=false")
            self._views.append((r.choice(everybody), own, points))
        self._others = (a_list, a_filter, a_filter, a_tile, a_window)

    def __call__(self, r: random.Random) -> bytes:
        """The next question of some desk."""
        if r.random() < 2 / 3:
            return r.choice(r.choice(self._views))
        return r.choice(self._others)(r)


class Patrols:
    """Posts of what cars see as they drive a city's streets, half of it seen before by others.

    A thing lies anywhere on one of a grid of streets over some 40 km; who sees it again sees it
    some minutes later, a metre or two beside where the first one saw it.
    """

    def __init__(self, batch: int, key: str) -> None:
        self._batch, self._key = batch, key
        self._run, self._number = os.urandom(4).hex(), itertools.count()
        self._seen: list[tuple[float, float, datetime]] = []
        self._r = random.Random()  # another part of the city each time, as patrols go

    def __call__(self, _: random.Random) -> bytes:
        """The next post."""
        post_number = next(self._number)
        things = [self._thing() for _ in range(self._batch)]
        told = [self._told(post_number, k, *thing) for k, thing in enumerate(things)]
        content = orjson.dumps(told if self._batch > 1 else told[0])
        return post("/api/v1/observations", content, self._key)

    def _thing(self) -> tuple[float, float, datetime]:
        r = self._r
        if self._seen and r.random() < SEEN_BEFORE:
            k = r.randrange(max(0, len(self._seen) - 5_000), len(self._seen))
            lat, lon, at = self._seen[k]
            at += timedelta(seconds=r.uniform(5, 20))
            return lat + r.gauss(0, 1.2e-5), lon + r.gauss(0, 1.2e-5), at
        along, street = r.uniform(-20_000, 20_000), BLOCK_M * r.randint(-110, 110)
        north, east = (along, street) if r.random() < 0.5 else (street, along)
        lat = LAT + north / 1000 * KM
        lon = LON + east / 1000 * KM / math.cos(math.radians(LAT))
        at = datetime.now(UTC) - timedelta(seconds=r.uniform(600, 3600))
        self._seen.append((lat, lon, at))
        return lat, lon, at

    def _told(
        self, post_number: int, k: int, lat: float, lon: float, at: datetime
    ) -> dict[str, object]:
        return {
            "id": f"{self._run}-{post_number}-{k}",
            "mission_id": f"{self._run}-{self._r.randrange(60)}",
            "stream_id": "car1", "class": "litter",
            "first_seen": at.isoformat(), "last_seen": (at + timedelta(seconds=2)).isoformat(),
            "lat_deg": lat, "lon_deg": lon, "cov_en_m2": [[2.0, 0.0], [0.0, 2.0]],
            "confidence": 0.8, "frames": 9,
        }  # fmt: skip
