"""A neighbourhood in memory: what fusion reads of a store, for simulations and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from patrolvision.geo.geodesy import distance_m
from patrolvision.types import Finding, Incident, Look


class MemoryNeighbourhood:
    """Findings, looks and incidents in dictionaries; a fresh array of places after each change."""

    def __init__(self) -> None:
        self.findings: dict[str, Finding] = {}
        self.looks: dict[str, Look] = {}
        self.incidents: dict[str, Incident] = {}
        self._holder: dict[str, str] = {}
        self._places: dict[str, tuple[list[Finding], np.ndarray]] | None = None
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

    def findings_near(
        self, category: str, lat_deg: float, lon_deg: float, radius_m: float
    ) -> list[Finding]:
        """Findings of the category within the radius."""
        if self._places is None:
            self._places = {}
            for kind in {f.category for f in self.findings.values()}:
                chosen = [f for f in self.findings.values() if f.category == kind]
                places = [
                    (f.observation.place.lat_deg, f.observation.place.lon_deg) for f in chosen
                ]
                self._places[kind] = (chosen, np.array(places))
        chosen, array = self._places.get(category, ([], np.zeros((0, 2))))
        reach_deg = radius_m / 110_000
        near = np.flatnonzero(abs(array[:, 0] - lat_deg) <= reach_deg)
        apart = distance_m(lat_deg, lon_deg, array[near, 0], array[near, 1])
        return [chosen[k] for k in near[apart <= radius_m]]

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Incidents that hold any of these observations."""
        ids = {self._holder[o] for o in observation_ids if o in self._holder}
        return [self.incidents[id] for id in sorted(ids)]

    def looks_near(self, lat_deg: float, lon_deg: float, radius_m: float) -> list[Look]:
        """Looks whose bounding box comes within the radius."""
        if self._boxes is None:
            chosen = list(self.looks.values())
            rings = [np.asarray(look.polygon) for look in chosen]
            boxes = [np.concatenate([ring.min(0), ring.max(0)]) for ring in rings]
            self._boxes = (chosen, np.array(boxes).reshape(-1, 4))
        chosen, boxes_array = self._boxes
        lat = np.clip(lat_deg, boxes_array[:, 0], boxes_array[:, 2])
        lon = np.clip(lon_deg, boxes_array[:, 1], boxes_array[:, 3])
        apart = distance_m(lat_deg, lon_deg, lat, lon)
        return [chosen[k] for k in np.flatnonzero(apart <= radius_m)]
