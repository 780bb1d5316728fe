"""Which findings influence each other: those that may be one thing, and neighbours in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patrolvision.geo.geodesy import local_en
from patrolvision.geo.pairs import pairs_within
from patrolvision.incidents.association import IntArray, chi2, inverse
from patrolvision.incidents.settings import FusionSettings
from patrolvision.types import Finding, FloatArray

Pairs = tuple[IntArray, IntArray]
A_PASS_APART = 1e7  # metres between passes laid side by side: more than any one reaches


class Linked:
    """A growing list of findings and the links between them, each pair looked at once."""

    def __init__(self, settings: FusionSettings) -> None:
        self.findings: list[Finding] = []
        self.ids: set[str] = set()
        nothing = np.zeros(0, np.int64)
        self.one: Pairs = nothing, nothing  # may be one thing
        self.fellows: Pairs = nothing, nothing  # neighbours in one pass, so they share its shift
        self._settings = settings
        self._missions: dict[str, int] = {}
        self._categories: dict[str, int] = {}
        self._numbers: FloatArray = np.zeros((0, 10))
        self._xy: FloatArray = np.zeros((0, 2))

    @property
    def places(self) -> tuple[FloatArray, FloatArray]:
        """lat_deg, lon_deg (N,) of the findings."""
        return self._numbers[:, 0], self._numbers[:, 1]

    def order(self) -> IntArray:
        """The findings by index: by the time of their first sight, then by observation and id."""
        keys = [(f.observation.first_seen, f.observation.id, f.id) for f in self.findings]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)

    def add(self, findings: Sequence[Finding]) -> None:
        """Append findings that are not in the list, and their links with all."""
        if not findings:
            return
        before = len(self.findings)
        self.findings += findings
        self.ids |= {finding.id for finding in findings}
        numbers = np.array([self._row(finding) for finding in findings])
        self._numbers = np.concatenate([self._numbers, numbers])
        lat, lon = self._numbers[0, :2]
        xy = np.stack(local_en(lat, lon, numbers[:, 0], numbers[:, 1]), axis=-1)
        self._xy = np.concatenate([self._xy, xy])
        self.one = _joined(self.one, self._that_may_be_one(before))
        self.fellows = _joined(self.fellows, self._of_one_pass(before))

    def _row(self, finding: Finding) -> tuple[float, ...]:
        seen, lives_as = finding.observation, self._settings.of(finding.category)
        cov = seen.place.cov_en_m2
        extent_m2 = lives_as.extent_sigma_m**2
        return (
            seen.place.lat_deg,
            seen.place.lon_deg,
            cov[0, 0] + extent_m2,
            cov[0, 1],
            cov[1, 1] + extent_m2,
            seen.first_seen.timestamp(),
            seen.last_seen.timestamp(),
            lives_as.max_gap_s,
            self._missions.setdefault(seen.mission_id, len(self._missions)),
            self._categories.setdefault(finding.category, len(self._categories)),
        )

    def _that_may_be_one(self, before: int) -> Pairs:
        alignment, row = self._settings.alignment, self._numbers
        i, j = _new_pairs(self._xy, before, alignment.max_link_m)
        wait = np.maximum(row[i, 5] - row[j, 6], row[j, 5] - row[i, 6])
        keep = (row[i, 9] == row[j, 9]) & (wait <= row[i, 7])
        i, j = i[keep], j[keep]
        ee, en, nn = (row[i, k] + row[j, k] for k in (2, 3, 4))
        total = np.stack([ee, en, en, nn], axis=-1).reshape(-1, 2, 2)
        is_one = chi2(self._xy[i] - self._xy[j], inverse(total)) <= alignment.gate_chi2
        return i[is_one], j[is_one]

    def _of_one_pass(self, before: int) -> Pairs:
        side_by_side = self._xy.copy()
        side_by_side[:, 0] += A_PASS_APART * self._numbers[:, 8]
        return _new_pairs(side_by_side, before, self._settings.alignment.context_m)


def _new_pairs(xy: FloatArray, before: int, radius_m: float) -> Pairs:
    """The pairs within the radius of which one at least is not among those before, each once."""
    i, j = pairs_within(xy[before:], xy, radius_m)
    i = i + before
    once = j < i
    return i[once], j[once]


def _joined(a: Pairs, b: Pairs) -> Pairs:
    return np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
