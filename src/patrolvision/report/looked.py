"""What was looked at when, and how far: by cell or road segment, from the sheets of the days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patrolvision.report.sheet import LAYERS, NOWHERE, Arrays, Ground, hop_m
from patrolvision.types import FloatArray
from patrolvision.types.columns import IntArray
from patrolvision.types.instants import MICROSECOND

WEEK, MONTH, YEAR = timedelta(days=7), timedelta(days=30), timedelta(days=365)
PASS_GAP = timedelta(minutes=10)  # looks of one mission further apart are two passes
KINDS: Mapping[str, str] = {
    "unit": "unit_grid",
    "responsible": "responsible_grid",
    "segment": "segment",
}
BoolArray = NDArray[np.bool_]
Key = tuple[str, str]  # kind, code


@dataclass(frozen=True, slots=True)
class AreaLooked:
    """One cell or segment: when it was last looked at (None: not within a year), and how often.

    A pass counts if any part of the area was in its sight; the way observed is that of
    `report.observed.km_observed`, as in the reports.
    """

    code: str
    last_looked_at: datetime | None
    passes_7d: int
    passes_30d: int
    km_7d: float
    km_30d: float


@dataclass(frozen=True, slots=True)
class Looked:
    """The L looks of some days one by one, days in order, and what of a layer they met.

    way_m and way_in (L,) are of the hop from the look came_from (NOWHERE: the first of its
    mission, or not known) to each. met (2, M) is look and area.
    """

    mission: IntArray
    start_us: IntArray
    end_us: IntArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    way_m: FloatArray
    way_in: IntArray
    came_from: IntArray
    met: IntArray


def looked_of(layer: str, sheets: Sequence[tuple[int, Arrays, Arrays]]) -> Looked:
    """The looks of the days whose sheets (day, `looks`, and the layer's part) these are."""
    names = sorted(set(chain.from_iterable(looks["missions"] for _, looks, _ in sheets)))
    number = {name: k for k, name in enumerate(names)}
    parts: dict[str, list[Any]] = {name: [] for name in Looked.__dataclass_fields__}
    last: dict[int, tuple[int, int]] = {}  # mission -> day and number of its last look so far
    begin = 0
    for day, looks, met in sheets:
        today = np.flatnonzero(~looks["before"])
        mission = np.array([number[name] for name in looks["missions"]], np.int64)[looks["mission"]]
        came_from = np.where(np.diff(mission, prepend=NOWHERE) == 0, 0, NOWHERE)
        place = np.full(len(mission), NOWHERE)
        place[today] = begin + np.arange(len(today))
        for k in np.flatnonzero(looks["before"]).tolist():
            on, at = last.get(int(mission[k]), (0, NOWHERE))
            place[k] = at if on == day - 1 else NOWHERE
        came_from = np.where(came_from == 0, np.roll(place, 1), NOWHERE)
        for name, column in (
            ("mission", mission), ("start_us", looks["start"]), ("end_us", looks["end"]),
            ("lat_deg", looks["lat"]), ("lon_deg", looks["lon"]), ("way_m", looks["way"]),
            ("way_in", looks[layer]), ("came_from", came_from),
        ):  # fmt: skip
            parts[name].append(column[today])
        parts["met"].append(np.stack([place[met["look"]], met["area"].astype(np.int64)]))
        last |= {m: (day, int(k)) for m, k in zip(mission.tolist(), place.tolist(), strict=True)}
        begin += len(today)
    empty = {"met": np.zeros((2, 0), np.int64)}
    return Looked(
        **{
            name: np.concatenate([empty.get(name, np.zeros(0, np.int64)), *found], axis=-1)
            for name, found in parts.items()
        }
    )


def metres_in(looked: Looked, keep: BoolArray, layer: str, ground: Ground) -> FloatArray:
    """(areas of the layer,) metres of the way between successive ones of the looks to be kept."""
    order = np.argsort(looked.mission, kind="stable")
    order = order[keep[order]]
    a, b = order[:-1], order[1:]
    same = looked.mission[a] == looked.mission[b]
    a, b = a[same], b[same]
    is_known = looked.came_from[b] == a
    way_m, area = looked.way_m[b].copy(), looked.way_in[b].astype(np.int64)
    if not is_known.all():  # looks in between were not kept: another hop
        p, q = a[~is_known], b[~is_known]
        lat, lon = looked.lat_deg, looked.lon_deg
        way_m[~is_known] = hop_m(looked.start_us, looked.end_us, lat, lon, p, q)
        codes = ground.codes_of((lat[p] + lat[q]) / 2, (lon[p] + lon[q]) / 2)[layer]
        area[~is_known] = ground.positions(layer, codes)
    there = ~np.isnan(way_m) & (area != NOWHERE)
    metres = np.bincount(area[there], way_m[there], minlength=len(ground.codes(layer)))
    return metres.astype(np.float64)


def passes_at(looked: Looked, keep: BoolArray, areas: int) -> IntArray:
    """(areas,) how many passes the looks to be kept belong to that met each area."""
    look, area = looked.met[:, keep[looked.met[0]]]
    group = area * (looked.mission.max(initial=0) + 1) + looked.mission[look]
    order = np.argsort(group, kind="stable")
    group, look, area = group[order], look[order], area[order]
    is_first = np.diff(group, prepend=NOWHERE) != 0
    until = _running_most(looked.end_us[look], np.cumsum(is_first))
    waited = np.diff(looked.start_us[look], prepend=0)
    waited[1:] = looked.start_us[look][1:] - until[:-1]
    is_pass = is_first | (waited > PASS_GAP // MICROSECOND)
    return np.bincount(area[is_pass], minlength=areas)


def _running_most(values: IntArray, group: IntArray) -> IntArray:
    """The greatest so far within each group; groups are numbered in order."""
    distinct, rank = np.unique(values, return_inverse=True)
    step = len(distinct)
    return np.asarray(distinct[np.maximum.accumulate(group * step + rank) - group * step])


def km_of_days(
    sheets: Iterable[tuple[str, Arrays]], start_us: int, end_us: int, ground: Ground
) -> dict[Key, float]:
    """Kilometres by (kind, code) of the looks that begin in [start, end); ("all", "") the whole.

    sheets are a part and its content of every day that reaches into it: `way` of those that lie
    in it whole, else `looks`.
    """
    metres = {layer: np.zeros(len(ground.codes(layer))) for layer in LAYERS}
    seen = {layer: np.zeros(len(ground.codes(layer)), np.bool_) for layer in LAYERS}
    total, hops = 0.0, 0
    for part, sheet in sheets:
        if part == "way":
            total, hops = total + float(sheet["total"][0]), hops + int(sheet["hops"][0])
            for layer in LAYERS:
                metres[layer][sheet[layer]] += sheet[f"{layer} m"]
                seen[layer][sheet[layer]] = True
            chosen = sheet["from"] >= start_us
            way_m, areas = sheet["from m"], {layer: sheet[f"from {layer}"] for layer in LAYERS}
        else:
            start, way_m, areas = sheet["start"], sheet["way"], sheet
            chosen = ~sheet["before"] & (start >= start_us) & (start < end_us)
            chosen &= ~np.isnan(way_m) & (np.roll(start, 1) >= start_us)
        total, hops = total + float(way_m[chosen].sum()), hops + int(chosen.sum())
        for layer in LAYERS:
            area = areas[layer][chosen]
            np.add.at(metres[layer], area[area >= 0], way_m[chosen][area >= 0])
            seen[layer][area[area >= 0]] = True
    km = {
        (KINDS[layer], ground.codes(layer)[k]): float(metres[layer][k]) / 1000.0
        for layer in LAYERS
        for k in np.flatnonzero(seen[layer]).tolist()
    }
    return {("all", ""): total / 1000.0, **km} if hops else {}
