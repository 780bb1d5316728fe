"""Everything beside the clips: telemetry with honest errors, cameras, zones, grids, truth.

    python sidecars.py OUT [--doubled PASS]...

The same call writes the same bytes: every error comes from a fixed seed.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from layout import BIN_ID, BIN_XY, FIRE_ID, FIRE_SIZE, FIRE_XY, LITTER, PARKED_CARS
from passes import (
    IMAGE_HEIGHT_PX,
    IMAGE_WIDTH_PX,
    PASSES,
    Pass,
    camera_poses,
    frame_times_s,
)
from place import (
    GROUND_ALT_MSL_M,
    STREET_HEADING_DEG,
    wgs84_from_enu,
    wgs84_from_street,
)
from place import enu_from_street as enu

CAR_LEVER_ARM_M = (0.0, 0.6, 0.05)  # right, forward, up from the antenna to the camera
SPARE_S = 2.0  # the receiver runs before the first frame and after the last


@dataclass(frozen=True)
class ReceiverErrors:
    """One sigma: the part one pass shares, the part that drifts in seconds, the white part."""

    bias_m: float
    drift_m: float
    white_m: float
    bias_up_m: float
    yaw_deg: float
    pitch_deg: float


CAR_RECEIVER = ReceiverErrors(0.4, 0.03, 0.01, 0.6, 0.0, 0.0)
DRONE_RECEIVER = ReceiverErrors(0.5, 0.05, 0.02, 0.2, 0.7, 0.2)


def heading_deg(yaw_deg: np.ndarray) -> np.ndarray:
    """Clockwise from true north, of a direction turned left from the street's."""
    return (STREET_HEADING_DEG - yaw_deg) % 360


def _drift(rng: np.random.Generator, count: int, step_s: float, sigma_m: float) -> np.ndarray:
    """(N, 2) first-order Gauss-Markov process with a correlation time of 10 s."""
    keep = np.exp(-step_s / 10.0)
    out = np.empty((count, 2))
    out[0] = rng.normal(0, sigma_m, 2)
    for k in range(1, count):
        out[k] = keep * out[k - 1] + rng.normal(0, sigma_m * np.sqrt(1 - keep**2), 2)
    return out


def antenna_enu(one: Pass, t_s: np.ndarray) -> np.ndarray:
    """(N, 3) true east, north, up above the ground of the receiver's antenna."""
    pose = camera_poses(one.name, t_s)
    east, north = enu(pose[:, 0], pose[:, 1])
    if one.platform == "drone":
        return np.stack([east, north, pose[:, 2]], -1)
    right, forward, up = CAR_LEVER_ARM_M
    h = np.radians(heading_deg(pose[:, 3]))
    east -= forward * np.sin(h) + right * np.cos(h)
    north -= forward * np.cos(h) - right * np.sin(h)
    return np.stack([east, north, pose[:, 2] - up], -1)


def measured_enu(one: Pass, t_s: np.ndarray, errors: ReceiverErrors, seed: int) -> np.ndarray:
    """(N, 3) what the receiver reports of `antenna_enu`."""
    rng = np.random.default_rng(seed)
    bias = np.append(rng.normal(0, errors.bias_m, 2), rng.normal(0, errors.bias_up_m))
    drift = _drift(rng, len(t_s), t_s[1] - t_s[0], errors.drift_m)
    noise = rng.normal(0, errors.white_m, (len(t_s), 3))
    noise[:, :2] += drift
    return antenna_enu(one, t_s) + bias + noise


def receiver_times_s(one: Pass, rate_hz: int) -> np.ndarray:
    count = round((one.duration_s + 2 * SPARE_S) * rate_hz) + 1
    return np.arange(count) / rate_hz - SPARE_S


def instant(one: Pass, t_s: float) -> datetime:
    return one.started_at + timedelta(milliseconds=round(float(t_s) * 1000))


def gpx_text(one: Pass) -> str:
    """A GPX 1.1 track at 5 Hz: place, height and time only."""
    t_s = receiver_times_s(one, 5)
    enu_m = measured_enu(one, t_s, CAR_RECEIVER, 2026_1)
    lat, lon = wgs84_from_enu(enu_m[:, 0], enu_m[:, 1])
    points = [
        f'      <trkpt lat="{a:.8f}" lon="{o:.8f}"><ele>{u + GROUND_ALT_MSL_M:.2f}</ele>'
        f"<time>{instant(one, t).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        f".{instant(one, t).microsecond // 1000:03d}Z</time></trkpt>"
        for t, a, o, u in zip(t_s, lat, lon, enu_m[:, 2], strict=True)
    ]
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="patrolvision sample_media"'
        ' xmlns="http://www.topografix.com/GPX/1/1">\n'
        f"  <trk>\n    <name>{one.name}</name>\n    <trkseg>\n"
    )
    return head + "\n".join(points) + "\n    </trkseg>\n  </trk>\n</gpx>\n"


def write_csv_track(one: Pass, path: Path) -> None:
    """A 10 Hz track with speed and course, as a logger beside the receiver writes it."""
    t_s = receiver_times_s(one, 10)
    enu_m = measured_enu(one, t_s, CAR_RECEIVER, 2026_2)
    lat, lon = wgs84_from_enu(enu_m[:, 0], enu_m[:, 1])
    rng = np.random.default_rng(2026_22)
    step = antenna_enu(one, t_s + 0.05)[:, :2] - antenna_enu(one, t_s - 0.05)[:, :2]
    speed = np.hypot(*step.T) / 0.1 + rng.normal(0, 0.03, len(t_s))
    course = np.degrees(np.arctan2(step[:, 0], step[:, 1])) + rng.normal(0, 0.3, len(t_s))
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["time", "lat_deg", "lon_deg", "alt_msl_m", "speed_mps", "course_deg"])
        for k, t in enumerate(t_s):
            rows.writerow(
                [
                    instant(one, t).isoformat(timespec="milliseconds"),
                    f"{lat[k]:.8f}",
                    f"{lon[k]:.8f}",
                    f"{enu_m[k, 2] + GROUND_ALT_MSL_M:.2f}",
                    f"{speed[k]:.2f}",
                    f"{course[k] % 360:.1f}",
                ]
            )


def _srt_clock(t_s: float) -> str:
    ms = round(float(t_s) * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def srt_text(one: Pass, doubled: bool) -> str:
    """Subtitles in DJI's bracket style, one per frame, local time without a zone."""
    t_s = frame_times_s(one, doubled)
    step_s = t_s[1] - t_s[0]
    enu_m = measured_enu(one, t_s, DRONE_RECEIVER, 2026_3)
    lat, lon = wgs84_from_enu(enu_m[:, 0], enu_m[:, 1])
    rng = np.random.default_rng(2026_33)
    yaw_bias, pitch_bias = rng.normal(0, [DRONE_RECEIVER.yaw_deg, DRONE_RECEIVER.pitch_deg])
    pose = camera_poses(one.name, t_s)
    yaw = (heading_deg(pose[:, 3]) + yaw_bias + 180) % 360 - 180
    blocks = []
    for k, t in enumerate(t_s):
        local = instant(one, t)
        blocks.append(
            f"{k + 1}\n{_srt_clock(t)} --> {_srt_clock(t + step_s)}\n"
            f'<font size="28">FrameCnt: {k + 1}, DiffTime: {round(step_s * 1000)}ms\n'
            f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}\n"
            f"[iso: 100] [shutter: 1/1000.0] [fnum: 2.8] [ev: 0] [color_md: default]"
            f" [focal_len: {one.lens_mm:.2f}] [latitude: {lat[k]:.6f}] [longitude: {lon[k]:.6f}]"
            f" [rel_alt: {enu_m[k, 2]:.3f} abs_alt: {enu_m[k, 2] + GROUND_ALT_MSL_M:.3f}]"
            f" [ct: 5500] [gb_yaw: {yaw[k]:.1f} gb_pitch: {pose[k, 4] + pitch_bias:.1f}"
            f" gb_roll: {pose[k, 5]:.1f}] </font>\n"
        )
    return "\n".join(blocks)


def write_poses(one: Pass, path: Path, doubled: bool) -> None:
    """The exact pose of every frame's camera, for checks and training."""
    t_s = frame_times_s(one, doubled)
    pose = camera_poses(one.name, t_s)
    lat, lon = wgs84_from_street(pose[:, 0], pose[:, 1])
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            [
                "frame",
                "time",
                "street_x_m",
                "street_y_m",
                "lat_deg",
                "lon_deg",
                "height_m",
                "heading_deg",
                "pitch_deg",
                "roll_deg",
            ]
        )
        for k, t in enumerate(t_s):
            x, y, height, yaw, pitch, roll = pose[k]
            rows.writerow(
                [
                    k,
                    instant(one, t).isoformat(timespec="milliseconds"),
                    f"{x:.4f}",
                    f"{y:.4f}",
                    f"{lat[k]:.9f}",
                    f"{lon[k]:.9f}",
                    f"{height:.4f}",
                    f"{heading_deg(yaw):.4f}",
                    f"{pitch:.4f}",
                    f"{roll:.4f}",
                ]
            )


def camera_toml(one: Pass, name: str) -> str:
    f = one.focal_px
    lens = (
        f'name = "{name}"\nplatform = "{one.platform}"\n\n'
        f"[image]\nwidth = {IMAGE_WIDTH_PX}\nheight = {IMAGE_HEIGHT_PX}\n\n"
        f'[lens]\nmodel = "brown"\nfx = {f:.4f}\nfy = {f:.4f}\n'
        f"cx = {IMAGE_WIDTH_PX / 2:.1f}\ncy = {IMAGE_HEIGHT_PX / 2:.1f}\n"
        "distortion = [0.0, 0.0, 0.0, 0.0, 0.0]\n\n"
    )
    if one.platform == "drone":
        return lens + (
            "[mount] # the gimbal's angles and the height come from the telemetry\n"
            "height_m = 0.0\nyaw_deg = 0.0\npitch_deg = 0.0\nroll_deg = 0.0\n"
            "lever_arm_m = [0.0, 0.0, 0.0]\n\n"
            "[sigma]\nposition_m = 0.5\nheading_deg = 0.9\npitch_deg = 0.3\nroll_deg = 0.1\n"
            "pixel = 2.0\n"
        )
    lever = ", ".join(str(part) for part in CAR_LEVER_ARM_M)
    return lens + (
        "[mount]\nheight_m = 1.8\nyaw_deg = 0.0\npitch_deg = -6.0\nroll_deg = 0.0\n"
        f"lever_arm_m = [{lever}]\n\n"
        "[sigma]\nposition_m = 0.4\nheading_deg = 0.5\npitch_deg = 0.2\nroll_deg = 0.2\n"
        "pixel = 2.0\n"
    )


def _lonlat(points_xy: list[tuple[float, float]]) -> list[list[float]]:
    lat, lon = wgs84_from_street(*np.array(points_xy, float).T)
    return [[round(o, 9), round(a, 9)] for a, o in zip(lat.tolist(), lon.tolist(), strict=True)]


def _box(x0: float, y0: float, x1: float, y1: float) -> dict:
    # On this street x, y (left) is turned, not mirrored, against east, north: the ring stays
    # anticlockwise, as RFC 7946 wants it.
    ring = _lonlat([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    return {"type": "Polygon", "coordinates": [ring]}


def _collection(features: list[tuple[dict, dict]]) -> dict:
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": properties, "geometry": geometry}
            for properties, geometry in features
        ],
    }


def zones() -> dict:
    return _collection(
        [
            (
                {
                    "zone_id": "fire-lane-1",
                    "rule": "no_stopping",
                    "priority": "fire_lane",
                    "grace_s": 0,
                    "description": "fire engines' lane before a gate",
                },
                _box(32.5, -5.8, 44.5, -3.2),
            ),
            (
                {"zone_id": "bays-right-1", "rule": "parking_allowed"},
                _box(2, -5.6, 26, -3.35),
            ),
            (
                {"zone_id": "bays-left-1", "rule": "parking_allowed"},
                _box(8, 3.35, 14, 5.6),
            ),
            (
                {
                    "zone_id": "evening-left-1",
                    "rule": "no_parking",
                    "hours": "Mo-Fr 17:00-19:00",
                    "timezone": "Asia/Shanghai",
                    "grace_s": 300,
                    "description": "does not apply in the morning: legal-09 stands here",
                },
                _box(26, 3.2, 32, 5.8),
            ),
            (
                {
                    "zone_id": "new-rule-left-1",
                    "rule": "no_stopping",
                    "phase": "warning",
                    "valid_from": "2026-05-01",
                    "description": "warning phase: legal-11 stands here, at most a warning",
                },
                _box(56, 3.2, 62, 5.8),
            ),
        ]
    )


def grids() -> dict:
    features = []
    for row, y0 in enumerate((-50, 0)):
        for column, x0 in enumerate((-50, 0, 50, 100)):
            number = row * 4 + column + 1
            features.append(
                (
                    {
                        "layer": "unit",
                        "code": f"440605001003-{number:02d}",
                        "name": f"Sample unit grid {number}",
                        "level": "unit",
                    },
                    _box(x0, y0, x0 + 50, y0 + 50),
                )
            )
    features.append(
        (
            {
                "layer": "responsible",
                "code": "440605001003-R1",
                "name": "Sample responsible grid",
                "level": "village",
                "owner": "crew-1",
            },
            _box(-50, -50, 150, 50),
        )
    )
    features.append(
        (
            {
                "layer": "segment",
                "code": "440605001003-S1",
                "name": "Sample street",
                "level": "segment",
                "owner": "road-chief-1",
            },
            {"type": "LineString", "coordinates": _lonlat([(-50, 0), (150, 0)])},
        )
    )
    return _collection(features)


def _point(x: float, y: float) -> dict:
    return {"type": "Point", "coordinates": _lonlat([(x, y)])[0]}


def truth() -> dict:
    """The planted things; the point is the middle of what touches the ground."""
    seen_in = list(PASSES)
    words = {"heap": "bags and boxes in a heap", "group": "two bags, a box and bottles"}
    things = [
        ({"id": p.id, "category": "litter", "description": words[p.kind], "size_m": p.size_m}, p)
        for p in LITTER
    ]
    things += [
        (
            {
                "id": car.id,
                "category": "illegal_parking",
                "description": "a white saloon car in the fire lane",
                "size_m": 4.4,
            },
            car,
        )
        for car in PARKED_CARS
        if car.id.startswith("parking")
    ]
    features = [(what | {"seen_in": seen_in}, _point(at.x, at.y)) for what, at in things]
    fire = {
        "id": FIRE_ID,
        "category": "open_fire",
        "description": "a burning heap of wood at the kerb",
        "size_m": FIRE_SIZE,
        "seen_in": seen_in,
    }
    return _collection([*features, (fire, _point(*FIRE_XY))])


def distractors() -> dict:
    """What must raise no ticket: legally parked cars and a closed bin."""
    reasons = {
        "legal-01": "in a bay",
        "legal-02": "in a bay",
        "legal-08": "in a bay",
        "legal-09": "in a no-parking zone outside its hours",
        "legal-11": "in a zone in its warning phase: a warning is right, a ticket is not",
    }
    features = [
        (
            {"id": car.id, "class": "car", "why": reasons.get(car.id, "in no zone")},
            _point(car.x, car.y),
        )
        for car in PARKED_CARS
        if car.id.startswith("legal")
    ]
    features.append(({"id": BIN_ID, "class": "bin", "why": "a closed bin"}, _point(*BIN_XY)))
    return _collection(features)


MISSIONS = """\
# Each [[mission]] is one clip with all that is needed to run it; paths are relative to this file.
"""


def missions() -> str:
    telemetry = {"car_a": "car_a.gpx", "car_b": "car_b.csv", "drone_c": "drone_c.srt"}
    text = MISSIONS
    for one in sorted(PASSES.values(), key=lambda p: p.started_at):
        text += (
            f'\n[[mission]]\nid = "{one.name}"\nmedia = "{one.name}.mp4"\n'
            f'telemetry = "{telemetry[one.name]}"\ncamera = "{one.platform}.toml"\n'
            f'zones = "zones.geojson"\ngrids = "grids.geojson"\n'
            f'started_at = "{one.started_at.isoformat()}" # the first frame\n'
        )
        if one.platform == "drone":
            text += 'telemetry_timezone = "Asia/Shanghai" # the SRT states none\n'
    return text


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Write every file but the clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--doubled", action="append", default=[], choices=sorted(PASSES))
    call = parser.parse_args()
    out: Path = call.out
    (out / "render").mkdir(parents=True, exist_ok=True)
    for one in PASSES.values():
        write_poses(one, out / "render" / f"poses_{one.name}.csv", one.name in call.doubled)
    (out / "car_a.gpx").write_text(gpx_text(PASSES["car_a"]))
    write_csv_track(PASSES["car_b"], out / "car_b.csv")
    (out / "drone_c.srt").write_text(srt_text(PASSES["drone_c"], "drone_c" in call.doubled))
    (out / "car.toml").write_text(camera_toml(PASSES["car_a"], "front"))
    (out / "drone.toml").write_text(camera_toml(PASSES["drone_c"], "gimbal"))
    (out / "missions.toml").write_text(missions())
    for name, value in (
        ("zones", zones()),
        ("grids", grids()),
        ("truth", truth()),
        ("distractors", distractors()),
    ):
        _write_json(out / f"{name}.geojson", value)


if __name__ == "__main__":
    main()
