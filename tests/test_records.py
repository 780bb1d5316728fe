"""Records round-trip exactly, and what cannot be true is named and refused."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrolvision.errors import ObservationError
from patrolvision.records import (
    csv_rows,
    features,
    incident_to_record,
    look_from_record,
    look_to_record,
    observation_from_record,
    observation_to_record,
    ticket_to_record,
)
from patrolvision.types import (
    DETECTOR_CLASSES,
    GeoPoint,
    GridCodes,
    Incident,
    Look,
    Observation,
    Sight,
    Ticket,
    TicketEvent,
)

T0 = datetime(2026, 5, 4, 0, 0, 0, 250_001, tzinfo=UTC)
CONTRACT: dict[str, Any] = {
    "id": "d0v1p2-17",
    "mission_id": "d0v1p2",
    "stream_id": "car1",
    "class": "litter",
    "first_seen": "2026-05-04T08:00:00+08:00",
    "last_seen": "2026-05-04T08:00:02+08:00",
    "lat_deg": 22.84,
    "lon_deg": 113.23,
    "cov_en_m2": [[4.8, 0.0], [0.0, 4.8]],
    "confidence": 0.83,
    "frames": 12,
    "speed_mps": 0.1,
    "speed_sigma_mps": 0.4,
}
LOOK: dict[str, Any] = {
    "id": "s3",
    "mission_id": "m",
    "start": "2026-05-04T08:00:00+08:00",
    "end": "2026-05-04T08:01:00+08:00",
    "classes": ["litter", "fire", "car"],
    "polygon": [[113.0, 22.0], [113.1, 22.0], [113.1, 22.1]],
    "detection_probability": 0.9,
}

LETTERS = "aZ09-_ .:/\\'\"é文\u200b\U0001f525"
names = st.text(LETTERS, min_size=1, max_size=20)
instants = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
spans = st.tuples(instants, st.timedeltas(timedelta(0), timedelta(days=2)))
shares = st.floats(0, 1)
sizes = st.none() | st.floats(0, 1e6)


@st.composite
def covariances(draw: st.DrawFn) -> np.ndarray:
    east, north = draw(st.floats(1e-3, 1e4)), draw(st.floats(1e-3, 1e4))
    cross = draw(st.floats(-0.99, 0.99)) * np.sqrt(east * north)
    return np.array([[east, cross], [cross, north]])


sights = st.builds(
    Sight,
    media=names,
    frame_index=st.integers(0, 10**6),
    captured_at=instants,
    xyxy=st.tuples(*[st.floats(-1e5, 1e5)] * 4),
    confidence=shares,
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    start, length = draw(spans)
    lat_deg = draw(st.floats(-90, 90).filter(lambda x: abs(x) > 1e-3))
    return Observation(
        id=draw(names),
        mission_id=draw(names),
        stream_id=draw(names),
        class_name=draw(st.sampled_from(DETECTOR_CLASSES)),
        first_seen=start,
        last_seen=start + length,
        place=GeoPoint(lat_deg, draw(st.floats(-180, 180)), draw(covariances())),
        confidence=draw(shares),
        frames=draw(st.integers(1, 10**6)),
        speed_mps=draw(sizes),
        speed_sigma_mps=draw(sizes),
        bias_cov_en_m2=draw(st.none() | covariances()),
        size_m2=draw(sizes),
        model_release=draw(st.none() | names),
        sights=tuple(draw(st.lists(sights, max_size=3))),
    )


def facts(observation: Observation) -> tuple[Any, ...]:
    bias = observation.bias_cov_en_m2
    scalars = [
        getattr(observation, name)
        for name in Observation.__slots__
        if name not in ("place", "bias_cov_en_m2")
    ]
    where = (observation.place.lat_deg, observation.place.lon_deg)
    cov = observation.place.cov_en_m2.tolist()
    return (*scalars, where, cov, None if bias is None else bias.tolist())


@given(observations())
def test_an_observation_survives_json_exactly(observation: Observation) -> None:
    line = json.dumps(observation_to_record(observation), allow_nan=False)
    assert facts(observation_from_record(json.loads(line))) == facts(observation)


@given(
    spans,
    st.tuples(st.floats(-89, 89), st.floats(-179, 179)),
    st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)), min_size=3, max_size=9),
    st.sets(st.sampled_from(DETECTOR_CLASSES), min_size=1),
    shares,
)
def test_a_look_survives_json_exactly(
    span: tuple[datetime, timedelta],
    middle: tuple[float, float],
    corners: list[tuple[float, float]],
    classes: set[str],
    probability: float,
) -> None:
    start, length = span
    ring = tuple((middle[0] + north, middle[1] + east) for north, east in corners)
    look = Look("l", "m", start, start + length, frozenset(classes), ring, probability)
    assert look_from_record(json.loads(json.dumps(look_to_record(look)))) == look


def test_the_promised_line_is_written_as_it_was_read_but_in_utc() -> None:
    written = observation_to_record(observation_from_record(CONTRACT))
    in_utc = {"first_seen": "2026-05-04T00:00:00+00:00", "last_seen": "2026-05-04T00:00:02+00:00"}
    assert written == CONTRACT | in_utc


def test_speed_may_be_null_and_unknown_fields_are_passed_over() -> None:
    observation = observation_from_record(CONTRACT | {"speed_mps": None, "colour": "red"})
    assert observation.speed_mps is None


@pytest.mark.parametrize("field", [f for f in CONTRACT if not f.startswith("speed")])
def test_a_missing_field_is_named_with_the_id(field: str) -> None:
    record = {name: value for name, value in CONTRACT.items() if name != field}
    with pytest.raises(ObservationError, match=f"field {field} is missing") as refused:
        observation_from_record(record)
    assert field == "id" or "d0v1p2-17" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("first_seen", "yesterday", "no time"),
        ("first_seen", "2026-05-04T08:00:00", "no offset"),
        ("first_seen", "0001-01-01T00:00:00+14:00", "before the first year in UTC"),
        ("first_seen", 1777852800, "a number"),
        ("last_seen", "2026-05-04T07:00:00+08:00", "before first_seen"),
        ("lat_deg", 90.01, "beyond the pole"),
        ("lat_deg", "22.84", "a text"),
        ("lat_deg", True, "a claim"),
        ("lon_deg", -180.5, "beyond the date line"),
        ("lon_deg", float("nan"), "no number"),
        ("cov_en_m2", [[1.0, 2.0], [2.0, 1.0]], "indefinite"),
        ("cov_en_m2", [[0.0, 0.0], [0.0, 0.0]], "zero"),
        ("cov_en_m2", [[1.0, 0.5], [-0.5, 1.0]], "not symmetric"),
        ("cov_en_m2", [[-1.0, 0.0], [0.0, -1.0]], "negative, with a positive determinant"),
        ("cov_en_m2", [[1e300, 0.0], [0.0, 1e300]], "its determinant overflows"),
        ("cov_en_m2", [1.0, 1.0], "no matrix"),
        ("confidence", 1.2, "more than certain"),
        ("confidence", -0.1, "less than impossible"),
        ("class", "cat", "no class of the detector"),
        ("class", ["car"], "a list"),
        ("frames", 0, "seen by nobody"),
        ("frames", 2.5, "half a frame"),
        ("frames", 10**30, "more than any column holds"),
        ("speed_mps", float("inf"), "no number"),
        ("speed_sigma_mps", -1.0, "negative"),
        ("id", "", "empty"),
        ("mission_id", "a\x00b", "no database takes it"),
        ("stream_id", "\ud800", "half a character"),
        ("sights", [{"media": "x"}], "incomplete"),
        ("bias_cov_en_m2", [[1.0, 2.0], [2.0, 1.0]], "indefinite"),
    ],
)
def test_an_impossible_field_is_named(field: str, value: Any, why: str) -> None:
    with pytest.raises(ObservationError, match=field):
        observation_from_record(CONTRACT | {field: value})


def test_a_whole_number_written_with_a_point_is_one() -> None:
    """As tables that hold floats write it."""
    read = observation_from_record(CONTRACT | {"frames": 12.0})
    assert (read.frames, type(read.frames)) == (12, int)


def test_null_island_is_no_place() -> None:
    with pytest.raises(ObservationError, match="no fix"):
        observation_from_record(CONTRACT | {"lat_deg": 0, "lon_deg": 0.0})
    assert observation_from_record(CONTRACT | {"lat_deg": 0.0}).place.lon_deg == 113.23


def test_an_observation_from_the_future_is_refused_where_now_is_known() -> None:
    last = datetime.fromisoformat(CONTRACT["last_seen"])
    assert observation_from_record(CONTRACT, now=last).id == CONTRACT["id"]
    with pytest.raises(ObservationError, match="no later than now"):
        observation_from_record(CONTRACT, now=last - timedelta(microseconds=1))


@pytest.mark.parametrize("record", [None, [], "text", 3])
def test_a_line_that_is_no_object_is_refused(record: Any) -> None:
    with pytest.raises(ObservationError, match="JSON object"):
        observation_from_record(record)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(LETTERS), st.lists
    )
)
def test_nothing_but_an_observation_error_ever_comes_out(value: Any) -> None:
    for field in CONTRACT | {"sights": None, "bias_cov_en_m2": None}:
        try:
            observation_from_record(CONTRACT | {field: value})
        except ObservationError as error:
            assert field in str(error)


def test_a_look_turns_its_ring_to_latitude_first() -> None:
    assert look_from_record(LOOK).polygon[0] == (22.0, 113.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("polygon", [[113.0, 22.0], [113.1, 22.0]]),
        ("polygon", [[22.0, 113.0], [22.0, 113.1], [22.1, 113.1]]),  # latitude first
        ("polygon", "abc"),
        ("classes", []),
        ("classes", "litter"),
        ("classes", ["cat"]),
        ("detection_probability", 2),
        ("end", "2026-05-04T07:59:00+08:00"),
    ],
)
def test_an_impossible_look_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ObservationError, match=f"look 's3'.*{field}"):
        look_from_record(LOOK | {field: value})


PLACE = GeoPoint(22.84, 113.23, np.array([[9.0, 0.0], [0.0, 4.0]]))
INCIDENT = Incident(
    "i1", "litter", "enforce", "new", "litter", PLACE, T0, T0, ("o1", "o2"), ("m",), None, 0.9
)
TICKET = Ticket(
    "t1",
    "i1",
    "litter",
    "reported",
    "normal",
    PLACE,
    GridCodes("U1", "R1", "S1"),
    (TicketEvent(T0, "reported", "patrolvision"),),
)


def test_an_incident_has_every_promised_field() -> None:
    record = incident_to_record(INCIDENT)
    promised = (
        "incident_id, category, status, lat_deg, lon_deg, cov_en_m2, first_seen, last_seen, "
        "observation_ids, mission_ids, zone_id, score"
    )
    assert set(promised.split(", ")) <= record.keys()
    assert record["first_seen"] == "2026-05-04T00:00:00.250001+00:00"
    assert json.loads(json.dumps(record)) == record


def test_a_ticket_has_every_promised_field_and_its_ellipse_s_long_axis() -> None:
    record = ticket_to_record(TICKET)
    promised = (
        "ticket_id, incident_id, category, state, priority, lat_deg, lon_deg, sigma_m, unit_grid, "
        "responsible_grid, segment, assignee, due_at, history"
    )
    assert set(promised.split(", ")) <= record.keys()
    assert record["sigma_m"] == pytest.approx(3.0, abs=1e-12)
    assert json.loads(json.dumps(record)) == record


def test_geojson_has_longitude_first_and_the_record_s_id() -> None:
    collection = features([ticket_to_record(TICKET), incident_to_record(INCIDENT), CONTRACT])
    assert collection["type"] == "FeatureCollection"
    assert [f["id"] for f in collection["features"]] == ["t1", "i1", "d0v1p2-17"]
    ticket = collection["features"][0]
    assert ticket["geometry"] == {"type": "Point", "coordinates": [113.23, 22.84]}
    assert ticket["properties"]["unit_grid"] == "U1"


def test_a_look_becomes_a_closed_counterclockwise_polygon() -> None:
    clockwise = LOOK | {"polygon": LOOK["polygon"][::-1]}
    for record in (LOOK, clockwise):
        (ring,) = features([record])["features"][0]["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) == 4
        assert sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) > 0


def test_csv_has_a_header_and_survives_a_csv_reader() -> None:
    rows = csv_rows([ticket_to_record(TICKET), incident_to_record(INCIDENT)])
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    first, second = csv.DictReader(io.StringIO(out.getvalue()))
    assert (first["ticket_id"], first["assignee"]) == ("t1", "")
    assert json.loads(second["observation_ids"]) == ["o1", "o2"]
    assert float(second["lat_deg"]) == 22.84


def test_csv_of_nothing_is_an_empty_header() -> None:
    assert csv_rows([]) == [[]]
