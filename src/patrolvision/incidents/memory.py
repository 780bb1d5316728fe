"""A neighbourhood in memory: what fusion reads of a store, for simulations and benchmarks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.incidents.neighbourhood import Memberships, anchor_of, ordered
from patrolvision.types import Anchor, Finding, HandDecision, Incident, Look


class MemoryNeighbourhood:
    """Findings, looks and incidents in dictionaries; a fresh array of places after each change."""

    def __init__(self) -> None:
        self.findings: dict[str, Finding] = {}
        self.looks: dict[str, Look] = {}
        self.incidents: dict[str, Incident] = {}
        self.decisions: list[HandDecision] = []
        self._holder: dict[str, str] = {}
        self._places: tuple[list[Finding], np.ndarray] | None = None
        self._boxes: tuple[list[Look], np.ndarray] | None = None

    def save(
        self,
        findings: Iterable[Finding] = (),
        looks: Iterable[Look] = (),
        incidents: Iterable[Incident] = (),
    ) -> None:
        """Insert or replace by id."""
        self.findings.update((finding.id, finding) for finding in findings)
        self.looks.update((look.id, look) for look in looks)
        self._places, self._boxes = None, None
        for incident in incidents:
            for observation_id in self.incidents.get(incident.id, incident).observation_ids:
                if self._holder.get(observation_id) == incident.id:
                    del self._holder[observation_id]
            self.incidents[incident.id] = incident
            self._holder.update((o, incident.id) for o in incident.observation_ids)

    def findings_around(
        self,
        places: Sequence[tuple[float, float]],
        radius_m: float,
        *,
        known: Collection[str] = (),
        missions: Sequence[str] = (),
    ) -> list[Finding]:
        """Findings within the radius of any of the places, but for those known by id."""
        if self._places is None:
            chosen = list(self.findings.values())
            at = [(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in chosen]
            self._places = chosen, np.array(at, np.float64).reshape(-1, 2)
        chosen, array = self._places
        reach_deg = radius_m / 110_000
        close = np.zeros(len(chosen), bool)
        for lat_deg, lon_deg in places:
            near = np.flatnonzero(~close & (abs(array[:, 0] - lat_deg) <= reach_deg))
            apart = distance_m(lat_deg, lon_deg, array[near, 0], array[near, 1])
            close[near[apart <= radius_m]] = True
        found = (chosen[k] for k in np.flatnonzero(close))
        return [
            f
            for f in found
            if f.id not in known and (not missions or f.observation.mission_id in missions)
        ]

    def findings_of(self, observation_ids: Sequence[str]) -> list[Finding]:
        """Findings about these observations."""
        wanted = set(observation_ids)
        return [f for f in self.findings.values() if f.observation.id in wanted]

    def incidents_around(
        self, places: Sequence[tuple[float, float]], radius_m: float
    ) -> list[Incident]:
        """Incidents of every category within the radius of any of the places."""
        chosen = [i for i in self.incidents.values() if i.observation_ids]
        lat = np.array([incident.place.lat_deg for incident in chosen])
        lon = np.array([incident.place.lon_deg for incident in chosen])
        close = np.zeros(len(chosen), bool)
        for place in places:
            close |= distance_m(*place, lat, lon) <= radius_m
        return [chosen[k] for k in np.flatnonzero(close)]

    def anchors_around(
        self, place: tuple[float, float], radius_m: float, mission_id: str, *, but: str
    ) -> list[Anchor]:
        """What a mission saw within the radius of a place that another mission saw too."""
        about = self.findings_around([place], radius_m, missions=[mission_id])
        seen = {f.observation.id: f.observation for f in ordered(about)}
        held = {o: i for i in self.incidents.values() for o in i.observation_ids}
        return [
            anchor_of(o, held[o.id].place)
            for o in seen.values()
            if o.id != but and o.id in held and len(held[o.id].mission_ids) > 1
        ]

    def hand_decisions(self) -> list[HandDecision]:
        """What persons decided about which observations are one thing, and did not take back."""
        return [d for d in self.decisions if d.undone_at is None]

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Incidents that hold any of these observations."""
        ids = {self._holder[o] for o in observation_ids if o in self._holder}
        return [self.incidents[id] for id in sorted(ids)]

    def memberships(self, observation_ids: Sequence[str]) -> Memberships:
        """The incidents that hold any of these observations, each with all that it holds."""
        return {
            (incident.category, incident.id): frozenset(incident.observation_ids)
            for incident in self.incidents_with(observation_ids)
        }

    def hold(self, districts: Collection[int]) -> None:
        """Nobody else writes here."""

    def looks_around(self, places: Sequence[tuple[float, float]], radius_m: float) -> list[Look]:
        """Looks whose bounding box comes within the radius of any of the places."""
        if self._boxes is None:
            chosen = list(self.looks.values())
            rings = [np.asarray(look.polygon) for look in chosen]
            boxes = [np.concatenate([ring.min(0), ring.max(0)]) for ring in rings]
            self._boxes = (chosen, np.array(boxes).reshape(-1, 4))
        chosen, boxes_array = self._boxes
        close = np.zeros(len(chosen), bool)
        for lat_deg, lon_deg in places:
            lat = np.clip(lat_deg, boxes_array[:, 0], boxes_array[:, 2])
            lon = np.clip(lon_deg, boxes_array[:, 1], boxes_array[:, 3])
            close |= distance_m(lat_deg, lon_deg, lat, lon) <= radius_m
        return [chosen[k] for k in np.flatnonzero(close)]
