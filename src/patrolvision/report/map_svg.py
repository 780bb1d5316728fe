"""The report's map as one SVG drawing: it needs no tiles and no internet.

Plane coordinates are metres east and south of the drawing's centre (equirectangular around the
centre's latitude: better than 0.1 % within 10 km, far below what the eye can tell).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from patrolvision.report.contents import Entry, LatLon, Recording, Report, Shape

METRES_PER_DEGREE = 111_320.0
CHI2_95_2D = 5.991  # 95 % quantile of chi-squared with two degrees of freedom
MARGIN_M = 18.0


class Plane:
    """Metres east and south of a centre."""

    def __init__(self, points: Sequence[LatLon]) -> None:
        lats, lons = zip(*points, strict=True)
        self.lat0 = (min(lats) + max(lats)) / 2
        self.lon0 = (min(lons) + max(lons)) / 2
        self._east = METRES_PER_DEGREE * math.cos(math.radians(self.lat0))

    def xy(self, point: LatLon) -> tuple[float, float]:
        """(x right, y down) in metres of a (lat_deg, lon_deg)."""
        x = (point[1] - self.lon0) * self._east
        return x, (self.lat0 - point[0]) * METRES_PER_DEGREE

    def path(self, ring: Iterable[LatLon], *, closed: bool) -> str:
        """The `d` of an SVG path."""
        corners = " L".join("{:.2f},{:.2f}".format(*self.xy(p)) for p in ring)
        return f"M{corners}{'Z' if closed else ''}"


def nice_length_m(width_m: float) -> float:
    """A round length near a fifth of the width, for the scale bar."""
    target = max(width_m / 5, 1.0)
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target)


def _points_of_interest(report: Report) -> list[LatLon]:
    points = [(e.incident.place.lat_deg, e.incident.place.lon_deg) for e in report.entries]
    for recording in report.recordings:
        points.extend(recording.track)
    return points


def _shapes(shapes: Iterable[Shape], plane: Plane, name: str) -> Iterable[str]:
    for shape in shapes:
        for ring in shape.rings:
            d = plane.path(ring, closed=shape.closed)
            yield (
                f'<path class="{name} {name}-{escape(shape.kind)}" d="{d}">'
                f"<title>{escape(shape.label)}</title></path>"
            )


def _track(recording: Recording, plane: Plane, index: int) -> str:
    if len(recording.track) < 2:
        return ""
    d = plane.path(recording.track, closed=False)
    x, y = plane.xy(recording.track[0])
    title = f"<title>{escape(recording.mission_id)}</title>"
    return (
        f'<g class="track track-{index % 4}"><path d="{d}">{title}</path>'
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="1.1">{title}</circle></g>'
    )


def _ellipse(entry: Entry, plane: Plane) -> str:
    place = entry.incident.place
    values, vectors = np.linalg.eigh(place.cov_en_m2)
    radii = np.sqrt(np.maximum(values, 0) * CHI2_95_2D)
    east, north = vectors[:, 1]
    angle = math.degrees(math.atan2(-north, east))
    x, y = plane.xy((place.lat_deg, place.lon_deg))
    return (
        f'<ellipse class="error" cx="{x:.2f}" cy="{y:.2f}" rx="{radii[1]:.2f}" ry="{radii[0]:.2f}" '
        f'transform="rotate({angle:.1f} {x:.2f} {y:.2f})"/>'
    )


def _marker(entry: Entry, plane: Plane, number: int) -> str:
    incident = entry.incident
    x, y = plane.xy((incident.place.lat_deg, incident.place.lon_deg))
    label = f"{number}. {incident.category.replace('_', ' ')}"
    kind = "ticket" if entry.ticket is not None else incident.kind
    return (
        f'<a href="#i{number}" class="marker {incident.category} {kind}" data-card="i{number}">'
        f"<title>{escape(label)}</title>{_ellipse(entry, plane)}"
        f'<g class="pin" transform="translate({x:.2f} {y:.2f})" data-x="{x:.2f}" data-y="{y:.2f}">'
        f'<circle r="9"/><text y="3.6">{number}</text></g></a>'
    )


def draw(report: Report) -> str:
    """The map of a report as an <svg> element, or "" when there is nothing with a place."""
    points = _points_of_interest(report)
    if not points:
        return ""
    plane = Plane(points)
    xs, ys = zip(*(plane.xy(p) for p in points), strict=True)
    left, right = min(xs) - MARGIN_M, max(xs) + MARGIN_M
    top, bottom = min(ys) - MARGIN_M, max(ys) + MARGIN_M
    width, height = right - left, max(bottom - top, (right - left) * 0.42)
    top -= (height - (bottom - top)) / 2
    bar = nice_length_m(width)
    body = [
        *_shapes(report.cells, plane, "cell"),
        *_shapes(report.zones, plane, "zone"),
        *(_track(r, plane, k) for k, r in enumerate(report.recordings)),
        *(_marker(e, plane, k) for k, e in enumerate(report.entries, 1)),
    ]
    return (
        f'<svg id="map" viewBox="{left:.2f} {top:.2f} {width:.2f} {height:.2f}" role="img" '
        f'aria-label="Map of {len(report.entries)} incidents" data-bar="{bar:g}">'
        + "".join(body)
        + "</svg>"
        f'<div class="scale"><i style="width:{100 * bar / width:.2f}%"></i>'
        f'<span>{bar:g} m</span></div><div class="north" title="north is up">N</div>'
    )
