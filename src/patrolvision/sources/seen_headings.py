"""Whether a film from above that looks back along its way flew backwards or has a wrong compass.

Telemetry alone cannot tell; two pictures of one ground can (strips.py). A few pairs from each
doubtful stretch are enough.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import av.error

from patrolvision.sources.angles import turn_between
from patrolvision.sources.heading import Leg
from patrolvision.sources.overlap import describe, register
from patrolvision.sources.strips import AGREE_DEG, HEADING_SIGMA_DEG, Pair, compare
from patrolvision.sources.video import upright
from patrolvision.types import Camera, Image, Pose

PAIRS = 4  # looked at on each stretch
FEWEST = 2  # that must agree
WAY_PER_HEIGHT = 0.35  # between the two pictures: most of the ground stays in view
STEP_S = (0.4, 6.0)
MOST_LEGS = 12
_SEARCH = 600  # frames decoded behind a key frame


def seen_headings(
    path: Path,
    legs: Sequence[Leg],
    camera: Camera,
    pose_at_s: Callable[[float], Pose | str],
) -> dict[Leg, tuple[float, float]]:
    """leg -> (the heading's error to be added, its sigma), in degrees, for those that show it.

    pose_at_s gives the pose at a second of the film; legs are in seconds of the film.
    """
    found: dict[Leg, tuple[float, float]] = {}
    try:
        with av.open(str(path)) as film:
            for leg in sorted(legs, key=lambda leg: leg.begin_s - leg.end_s)[:MOST_LEGS]:
                pairs = _pairs(film, leg, camera, pose_at_s)
                error = agreed([p for p in pairs if p.tells_heading])
                if error is not None:
                    found[leg] = error
    except (av.error.FFmpegError, OSError, ValueError):
        return found  # the film is read again in earnest, and refused there if it must be
    return found


def agreed(pairs: Sequence[Pair]) -> tuple[float, float] | None:
    """The error that at least FEWEST pairs agree on, weighted, with its sigma; None else."""
    if len(pairs) < FEWEST:
        return None
    together = sum(cmath.rect(p.sigma_deg**-2, math.radians(p.first_error_deg)) for p in pairs)
    error = math.degrees(cmath.phase(together))
    if any(abs(turn_between(error, p.first_error_deg)) > AGREE_DEG for p in pairs):
        return None
    sigma = math.sqrt(1.0 / sum(p.sigma_deg**-2 for p in pairs))
    return error, math.hypot(sigma, HEADING_SIGMA_DEG)


def _pairs(
    film: Any, leg: Leg, camera: Camera, pose_at_s: Callable[[float], Pose | str]
) -> list[Pair]:
    length_s = leg.end_s - leg.begin_s
    pairs: list[Pair] = []
    for k in range(PAIRS):
        first_s = leg.begin_s + (k + 0.2) / PAIRS * length_s
        first = pose_at_s(first_s)
        if isinstance(first, str):
            continue
        step_s = WAY_PER_HEIGHT * first.height_m / max(leg.speed_mps, 0.1)
        second_s = min(first_s + min(max(step_s, STEP_S[0]), STEP_S[1]), leg.end_s)
        second = pose_at_s(second_s)
        if isinstance(second, str) or second_s - first_s < STEP_S[0] / 2:
            continue
        here, there = _picture(film, first_s), _picture(film, second_s)
        if here is None or there is None:
            continue
        overlap = register(describe(here), describe(there))
        pair = None if overlap is None else compare(camera.lens, first, second, overlap, (0, 1))
        if pair is not None:
            pairs.append(pair)
    return pairs


def _picture(film: Any, time_s: float) -> Image | None:
    """The first picture at or after a second of the film."""
    video = film.streams.video[0]
    zero = video.start_time or 0
    wanted = zero + round(time_s / video.time_base)
    film.seek(wanted, stream=video, backward=True)
    for number, frame in enumerate(film.decode(video)):
        if frame.pts is not None and frame.pts >= wanted - 0.02 / float(video.time_base):
            return upright(frame)
        if number > _SEARCH:
            break
    return None
