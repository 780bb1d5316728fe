"""The locate command's lines: what they answer and what they refuse."""

from __future__ import annotations

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrolvision.errors import ObservationError
from patrolvision.geo.cases import answer_case

CASE = {
    "id": "a",
    "camera": {
        "width": 1920,
        "height": 1080,
        "fx": 1400.0,
        "fy": 1400.0,
        "cx": 960.0,
        "cy": 540.0,
        "model": "brown",
        "distortion": [0.0, 0.0, 0.0, 0.0, 0.0],
    },
    "pose": {
        "lat_deg": 22.84,
        "lon_deg": 113.23,
        "height_m": 30.0,
        "heading_deg": 45.0,
        "pitch_deg": -30.0,
        "roll_deg": 0.0,
        "sigma_position_m": 2.0,
        "sigma_heading_deg": 2.0,
        "sigma_pitch_deg": 0.5,
        "sigma_roll_deg": 0.5,
    },
    "pixel": [1200.0, 800.0],
    "sigma_pixel": 2.0,
}


HFOV_DEG = 2 * math.degrees(math.atan(960 / 1400))


def changed(path: str, value: object) -> dict:
    case = copy.deepcopy(CASE)
    *folders, last = path.split(".")
    part = case
    for folder in folders:
        part = part[folder]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return case


def test_a_case_gets_a_place_that_survives_json() -> None:
    answer = json.loads(json.dumps(answer_case(CASE)))
    assert set(answer) == {"id", "status", "lat_deg", "lon_deg", "cov_en_m2", "range_m"}
    assert (answer["id"], answer["status"]) == ("a", "ok")
    assert answer["range_m"] == pytest.approx(46.8, abs=0.1)  # 30 m over the sine of 39.9 degrees
    (ee, en), (ne, nn) = answer["cov_en_m2"]
    assert en == ne and ee > 4.0 and nn > 4.0  # GNSS alone is 4 m²


def test_a_case_above_the_horizon_gets_a_reason_and_no_place() -> None:
    answer = answer_case(changed("pose.pitch_deg", 20.0))
    assert set(answer) == {"id", "status", "reason"}
    assert answer["status"] == "no_ground"


def test_a_field_of_view_stands_for_a_focal_length() -> None:
    case = changed("camera", {"width": 1920, "height": 1080, "hfov_deg": HFOV_DEG})
    assert answer_case(case)["lat_deg"] == pytest.approx(answer_case(CASE)["lat_deg"], abs=1e-9)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("camera", ..., "camera"),
        ("camera.fx", ..., "fx"),
        ("camera.fx", 0, "fx"),
        ("camera.width", True, "width"),
        ("camera.model", "pinhole", "model"),
        ("camera.distortion", [0.1], "coefficients"),
        ("camera.distortion", ["k1", 0, 0, 0], "distortion"),
        ("pose", [], "pose"),
        ("pose.lat_deg", 91.0, "lat_deg"),
        ("pose.lon_deg", "113", "lon_deg"),
        ("pose.height_m", float("nan"), "height_m"),
        ("pose.height_m", -3.0, "height_m"),
        ("pose.heading_deg", None, "heading_deg"),
        ("pose.sigma_pitch_deg", -0.5, "sigma_pitch_deg"),
        ("pixel", [1.0], "pixel"),
        ("pixel", [1.0, float("inf")], "pixel"),
        ("pixel", ..., "pixel"),
        ("sigma_pixel", -1.0, "sigma_pixel"),
        ("sigma_pixel", 10**400, "sigma_pixel"),
    ],
)
def test_a_bad_case_is_refused_by_name_and_field(path: str, value: object, named: str) -> None:
    with pytest.raises(ObservationError, match=f"case a: .*{named}"):
        answer_case(changed(path, value))


NUMBERS = st.one_of(
    st.floats(-1e9, 1e9), st.floats(0, 1e-200), st.sampled_from([0, 1, -1, 90, math.inf, math.nan])
)
FIELDS = [f"camera.{k}" for k in ("width", "height", "fx", "fy", "cx", "cy")] + [
    f"pose.{k}" for k in CASE["pose"]
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), NUMBERS), min_size=1, max_size=4))
def test_whatever_the_numbers_there_is_an_answer_or_a_named_refusal(changes) -> None:
    case = copy.deepcopy(CASE)
    for path, value in changes:
        part, field = path.split(".")
        case[part][field] = value
    try:
        answer = answer_case(case)
    except ObservationError as error:
        assert str(error).startswith("case a: ")
    else:
        assert answer["status"] in ("ok", "no_ground")
        json.dumps(answer, allow_nan=False)


def test_a_line_that_is_no_object_is_refused() -> None:
    with pytest.raises(ObservationError, match="JSON object"):
        answer_case([1, 2])  # type: ignore[arg-type]
