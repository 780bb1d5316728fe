"""What the receivers and the gimbal reported, with honest errors, and the exact poses.

The same call writes the same bytes: every error comes from a fixed seed.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from passes import Pass, camera_poses, frame_times_s
from place import (
    GROUND_ALT_MSL_M,
    STREET_HEADING_DEG,
    enu_from_street,
    wgs84_from_enu,
    wgs84_from_street,
)

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
    east, north = enu_from_street(pose[:, 0], pose[:, 1])
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
