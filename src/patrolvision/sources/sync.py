"""Where the camera was at an instant of the video: interpolated, never extrapolated, never guessed.

pose_at answers with a Pose or with the reason why there is none. Rules: - Position is linear
between two fixes, angles go the shorter way round, nothing crosses a gap. - A vehicle's heading
is its compass, else its course (the receiver's own, else the track's). Standing still there is
none; a car keeps the heading it had up to hold_heading_s before, because it cannot turn on the
spot: its sigma grows with the way it may have crept (9.5° per metre on a circle of 6 m). - A car
that reverses has a course opposite to its heading: without a compass this goes unnoticed. - The
camera's own absolute angles win where the telemetry has them; else the mount is composed with the
vehicle's attitude. A drone's gimbal is level: its vehicle's pitch and roll are not the camera's.
- A drone's height is height_m, else the height above take-off; alt_msl_m is never a height. Where
the telemetry tells none at all, that of the mount stands in.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import numpy as np

from patrolvision.errors import TelemetryError
from patrolvision.geo.attitude import camera_angles, enu_from_body
from patrolvision.geo.elevation import ElevationGrid
from patrolvision.geo.geodesy import offset
from patrolvision.sources.angles import circular_between
from patrolvision.sources.fixes import TelemetryLog
from patrolvision.sources.motion import MIN_SPEED_MPS, Course, Motion
from patrolvision.types import Camera, Pose, TelemetrySample

_CIRCULAR = ("course_deg", "heading_deg", "gimbal_heading_deg", "roll_deg", "gimbal_roll_deg")
_PLAIN = (
    "alt_takeoff_m",
    "height_m",
    "speed_mps",
    "pitch_deg",
    "gimbal_pitch_deg",
    "sigma_position_m",
    "sigma_heading_deg",
)
_DOPPLER_SIGMA_MPS = 0.1  # per axis, a receiver's velocity in the open
_LEAST_COURSE_SPEED_MPS = 1.0
_CREEP_DEG_PER_M = 9.5
_DRONE_COURSE_SIGMA_DEG = 30.0  # a drone flies sideways as well
_GIMBAL_FOLLOW_SIGMA_DEG = 5.0
_LEAST_FLIGHT_M = 1.0
_LEAST_STATED_FLIGHT_M = 5.0  # a drone's mount.height_m below it is a car's, left in the file


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How far interpolation may reach.

    max_gap_s: between two fixes, or twice the log's usual interval if that is longer.
    hold_heading_s: how long a standing car keeps its last heading.
    sigma_time_s: one sigma of video time against telemetry time.
    """

    max_gap_s: float = 3.0
    hold_heading_s: float = 5.0
    sigma_time_s: float = 0.05


@dataclass(frozen=True, slots=True)
class _Heading:
    deg: float
    sigma_deg: float


class PoseTrack:
    """The camera's poses along one log.

    clock_offset_s is added to the video's time (and clock) to get the telemetry's.
    """

    def __init__(
        self,
        log: TelemetryLog,
        camera: Camera,
        *,
        clock_offset_s: float = 0.0,
        settings: SyncSettings | None = None,
        elevation: ElevationGrid | None = None,
    ) -> None:
        self.log, self.camera = log, camera
        self._elevation = elevation
        self.settings = settings or SyncSettings()
        self._offset_s = clock_offset_s
        self._origin = log.samples[0].at
        times = _times_s(log)
        steps = [b - a for a, b in pairwise(times)]
        usual_s = median(steps) if steps else 0.0
        self.max_gap_s = max(self.settings.max_gap_s, 2.0 * usual_s)
        lats, lons = [s.lat_deg for s in log.samples], [s.lon_deg for s in log.samples]
        self._motion = Motion(times, lats, lons, self.max_gap_s)
        self._stated_height_m = stated_height_m(log, self.camera)
        self._series = {
            name: _Series.of(log.samples, times, name, name in _CIRCULAR, self.max_gap_s)
            for name in (*_CIRCULAR, *_PLAIN)
        }

    def pose_at(self, at: datetime, video_time_s: float | None) -> Pose | str:
        """The camera's pose at an instant, or the reason why there is none.

        video_time_s is used for logs tied to a video, `at` for those that only know the clock.
        """
        time_s = self._time_s(at, video_time_s)
        times = self._motion.times_s
        if time_s < times[0] - 1e-6:
            return "before telemetry"
        if time_s > times[-1] + 1e-6:
            return "after telemetry"
        place = self._motion.position(time_s)
        if place is None:
            return "gap in telemetry"
        height = self._height(time_s, place)
        if isinstance(height, str):
            return height
        course = self._course(time_s)
        angles = self._angles(time_s, course)
        if angles is None:
            return "no heading"
        (heading, pitch, roll), sigma_heading_deg, body = angles
        lat, lon = self._with_lever_arm(place[0], place[1], body)
        speed = self._value("speed_mps", time_s)
        speed = course.speed_mps if speed is None and course else speed
        return Pose(
            at=at,
            lat_deg=lat,
            lon_deg=lon,
            height_m=height[0],
            heading_deg=heading,
            pitch_deg=pitch,
            roll_deg=roll,
            sigma_position_m=self._sigma_position_m(time_s, place[2], speed),
            sigma_heading_deg=sigma_heading_deg,
            sigma_pitch_deg=self.camera.sigma.pitch_deg,
            sigma_roll_deg=self.camera.sigma.roll_deg,
            sigma_height_m=height[1],
            speed_mps=speed,
            course_deg=course.course_deg if course else None,
        )

    def _time_s(self, at: datetime, video_time_s: float | None) -> float:
        times = self.log.video_times_s
        if times is not None and video_time_s is not None:
            return video_time_s + self._offset_s
        start_s = times[0] if times is not None else 0.0
        return (at - self._origin).total_seconds() + start_s + self._offset_s

    def _value(self, name: str, time_s: float) -> float | None:
        return self._series[name].at(time_s)

    def _sigma_position_m(self, time_s: float, sigma_m: float, speed: float | None) -> float:
        own_m = self._value("sigma_position_m", time_s)
        own_m = self.camera.sigma.position_m if own_m is None else own_m
        slip_m = self.settings.sigma_time_s * (speed or 0.0)
        return math.sqrt(own_m**2 + sigma_m**2 + slip_m**2)

    def _height(
        self, time_s: float, place: tuple[float, float, float]
    ) -> tuple[float, float] | str:
        """(height above the ground, its sigma) or why there is none."""
        if self.camera.platform == "car":
            return self.camera.mount.height_m, self.camera.sigma.height_m
        height, share = self._value("height_m", time_s), 0.02
        if height is None:  # the ground below need not be as high as the take-off point
            height, share = self._value("alt_takeoff_m", time_s), 0.05
            if height is not None and (fall := self._fall(place)) is not None:
                height, share = height + fall, 0.02
        if height is None:
            height = self._stated_height_m
        if height is None:
            return "no height"
        if height < _LEAST_FLIGHT_M:
            return "not in the air"
        return height, max(1.0, share * height, self.camera.sigma.height_m)

    def _fall(self, place: tuple[float, float, float]) -> float | None:
        """How much lower the ground is here than where the log begins, at take-off."""
        if self._elevation is None:
            return None
        start = self.log.samples[0]
        fall = self._elevation.height_at(start.lat_deg, start.lon_deg)
        fall = fall - self._elevation.height_at(place[0], place[1])
        return float(fall) if math.isfinite(float(fall)) else None

    def _course(self, time_s: float) -> Course | None:
        """The receiver's own course or the track's, whichever is better known; None at a stand."""
        course, speed = self._value("course_deg", time_s), self._value("speed_mps", time_s)
        if speed is not None and speed < MIN_SPEED_MPS:
            return None
        of_track = self._motion.course(time_s)
        if course is None or speed is None or speed < _LEAST_COURSE_SPEED_MPS:
            return of_track
        sigma_deg = math.degrees(math.atan(_DOPPLER_SIGMA_MPS / speed))
        if of_track is not None and of_track.sigma_deg < sigma_deg:
            return Course(of_track.course_deg, of_track.sigma_deg, speed)
        return Course(course, sigma_deg, speed)

    def _vehicle_heading(self, time_s: float, course: Course | None) -> _Heading | None:
        own_deg = self.camera.sigma.heading_deg
        compass = self._value("heading_deg", time_s)
        if compass is not None:
            given_deg = self._value("sigma_heading_deg", time_s)
            return _Heading(compass, own_deg if given_deg is None else given_deg)
        if self.camera.platform == "drone":
            if course is None:
                return None
            return _Heading(course.course_deg, math.hypot(own_deg, _DRONE_COURSE_SIGMA_DEG))
        if course is not None:
            return _Heading(course.course_deg, math.hypot(own_deg, course.sigma_deg))
        return self._held_heading(time_s)

    def _held_heading(self, time_s: float) -> _Heading | None:
        """What a car headed when it last moved, if that is not long ago."""
        step_s = 0.5
        for k in range(1, int(self.settings.hold_heading_s / step_s) + 1):
            before_s = time_s - k * step_s
            course = self._course(before_s)
            if course is not None:
                crept_deg = _CREEP_DEG_PER_M * self._motion.moved_m(before_s, time_s)
                own_deg = self.camera.sigma.heading_deg
                sigma_deg = math.sqrt(own_deg**2 + course.sigma_deg**2 + crept_deg**2)
                return _Heading(course.course_deg, sigma_deg) if sigma_deg < 30.0 else None
        return None

    def _angles(
        self, time_s: float, course: Course | None
    ) -> tuple[tuple[float, float, float], float, tuple[float, float, float]] | None:
        """((heading, pitch, roll) of the camera, sigma of heading, attitude of the vehicle)."""
        mount, own_deg = self.camera.mount, self.camera.sigma.heading_deg
        vehicle = self._vehicle_heading(time_s, course)
        yaw = self._value("gimbal_heading_deg", time_s)
        pitch = self._value("gimbal_pitch_deg", time_s)
        roll = self._value("gimbal_roll_deg", time_s)
        if yaw is None and vehicle is None:
            return None
        body_yaw = vehicle.deg if vehicle else yaw or 0.0
        body = (body_yaw, *self._tilt(time_s))
        if yaw is not None:
            camera_pitch = mount.pitch_deg if pitch is None else pitch
            camera_roll = mount.roll_deg if roll is None else roll
            given_deg = self._value("sigma_heading_deg", time_s) or 0.0
            return (yaw, camera_pitch, _signed(camera_roll)), max(own_deg, given_deg), body
        if vehicle is None:
            return None
        if self.camera.platform == "drone":
            camera_pitch = mount.pitch_deg if pitch is None else pitch
            camera_roll = mount.roll_deg if roll is None else roll
            sigma_deg = math.hypot(vehicle.sigma_deg, _GIMBAL_FOLLOW_SIGMA_DEG)
            heading = (vehicle.deg + mount.yaw_deg) % 360.0
            return (heading, camera_pitch, _signed(camera_roll)), sigma_deg, body
        angles = camera_angles(*body, mount.yaw_deg, mount.pitch_deg, mount.roll_deg)
        return angles, vehicle.sigma_deg, body

    def _tilt(self, time_s: float) -> tuple[float, float]:
        """Pitch and roll of the vehicle; level where the telemetry does not say."""
        pitch, roll = self._value("pitch_deg", time_s), self._value("roll_deg", time_s)
        return pitch or 0.0, _signed(roll or 0.0)

    def _with_lever_arm(
        self, lat_deg: float, lon_deg: float, body: tuple[float, float, float]
    ) -> tuple[float, float]:
        """The camera's place from the antenna's; its height is known by itself."""
        if not any(self.camera.mount.lever_arm_m):
            return lat_deg, lon_deg
        east, north, _ = enu_from_body(*body) @ np.asarray(self.camera.mount.lever_arm_m)
        lat, lon = offset(lat_deg, lon_deg, east, north)
        return float(lat), float(lon)


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """One field over the samples that have it."""

    times_s: tuple[float, ...]
    values: tuple[float, ...]
    is_circular: bool
    max_gap_s: float

    @staticmethod
    def of(
        samples: Sequence[TelemetrySample],
        times_s: Sequence[float],
        name: str,
        is_circular: bool,
        max_gap_s: float,
    ) -> _Series:
        """The series of a field of TelemetrySample."""
        found = [
            (t, v)
            for t, s in zip(times_s, samples, strict=True)
            if (v := getattr(s, name)) is not None
        ]
        return _Series(
            tuple(t for t, _ in found), tuple(v for _, v in found), is_circular, max_gap_s
        )

    def at(self, time_s: float) -> float | None:
        """The value at an instant, interpolated; None outside or in a gap."""
        times = self.times_s
        if not times or time_s < times[0] - 1e-6 or time_s > times[-1] + 1e-6:
            return None
        i = max(bisect_right(times, time_s) - 1, 0)
        if i == len(times) - 1 or abs(time_s - times[i]) < 1e-6:
            return self.values[i]
        if times[i + 1] - times[i] > self.max_gap_s:
            return self.values[i + 1] if abs(time_s - times[i + 1]) < 1e-6 else None
        share = (time_s - times[i]) / (times[i + 1] - times[i])
        first, second = self.values[i], self.values[i + 1]
        if self.is_circular:
            return circular_between(first, second, share)
        return first + share * (second - first)


def stated_height_m(log: TelemetryLog, camera: Camera) -> float | None:
    """The height a drone's camera file states, for a log without any; None where it is not used."""
    if camera.platform != "drone" or camera.mount.height_m < _LEAST_STATED_FLIGHT_M:
        return None
    told = any(s.height_m is not None or s.alt_takeoff_m is not None for s in log.samples)
    return None if told else camera.mount.height_m


def _signed(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


def _times_s(log: TelemetryLog) -> list[float]:
    """Seconds of video for a tied log, else seconds since its first sample."""
    if log.video_times_s is not None:
        return list(log.video_times_s)
    return [(sample.at - log.samples[0].at).total_seconds() for sample in log.samples]


def check_overlap(
    log: TelemetryLog,
    media_name: str,
    started_at: datetime | None,
    duration_s: float | None,
    clock_offset_s: float = 0.0,
) -> None:
    """Raises TelemetryError, naming both files and spans, where log and video share no instant."""
    if duration_s is None:
        return
    offset_span = timedelta(seconds=clock_offset_s)
    if log.video_times_s is not None:
        first, last = log.video_times_s[0], log.video_times_s[-1]
        if first > duration_s + clock_offset_s or last < clock_offset_s:
            raise TelemetryError(
                f"{log.name}: covers {first:.1f} to {last:.1f} s of video, but {media_name} covers "
                f"{clock_offset_s:.1f} to {duration_s + clock_offset_s:.1f} s"
            )
        return
    if started_at is None:
        return
    begin, end = started_at + offset_span, started_at + offset_span + timedelta(seconds=duration_s)
    first_at, last_at = log.span
    if first_at > end or last_at < begin:
        raise TelemetryError(
            f"{log.name}: covers {_span(first_at, last_at)}, but {media_name} covers "
            f"{_span(begin, end)}: they share no instant "
            "(give --started-at, or clock_offset_s in a mission file)"
        )


def _span(first: datetime, last: datetime) -> str:
    return f"{first.isoformat(timespec='seconds')} to {last.isoformat(timespec='seconds')}"
