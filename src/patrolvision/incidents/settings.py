"""What fusion believes about each category, as data: distances in metres, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class CategorySettings:
    """How the sightings of one category hang together.

    Every gate is a chi-square value with two degrees of freedom. class_groups lists classes that a
    detector confuses for one thing; a class that is in none stands alone.
    """

    class_groups: tuple[frozenset[str], ...]
    extent_sigma_m: float  # how far the seen point wanders over one thing between passes
    max_link_m: float  # sightings further apart never influence each other directly
    max_gap_s: float  # unseen for longer, the next sight is another thing
    removal_prior: float  # chance that a thing went away between two passes
    return_prior: float  # chance that another came to the same place afterwards
    gate_chi2: float = 13.8  # 99.9 % of true pairs
    fragment_chi2: float = 9.2  # 99 %: two sightings of one pass, once its bias has cancelled
    merge_chi2: float = 9.2
    broken_track_rate: float = 0.05  # of a pass's sightings, how many are a second part of one
    shared_fraction: float = 0.8  # of the smallest covariance of a pass, where it is not told
    min_missed_passes: int = 2  # never removed by one blink
    look_margin_m: float = 2.0  # a place nearer to the edge of a look was not looked at
    max_detection_probability: float = 0.95  # no look proves more than this
    min_detection_probability: float = 0.3  # a look that sees less proves nothing
    visit_gap_s: float = 600.0  # looks of one mission closer in time are one visit
    dwell_gap_s: float = 12 * 3600.0  # sights further apart prove no continuous stay
    enforce_probability: float = 0.95  # joint probability from which a review becomes a ticket

    def __post_init__(self) -> None:
        if not (0 < self.shared_fraction < 1 and 0 < self.broken_track_rate < 1):
            raise ValueError("shared_fraction and broken_track_rate must lie in (0, 1)")
        if not (0 < self.removal_prior < 1 and 0 < self.return_prior < 1):
            raise ValueError("removal_prior and return_prior must lie in (0, 1)")
        if min(self.max_link_m, self.max_gap_s, self.gate_chi2) <= 0:
            raise ValueError("max_link_m, max_gap_s and gate_chi2 must be > 0")


LITTER = CategorySettings(
    class_groups=(),
    extent_sigma_m=0.3,
    max_link_m=15.0,
    max_gap_s=14 * DAY_S,
    removal_prior=0.02,
    return_prior=0.02,
)
VEHICLES = CategorySettings(
    class_groups=(frozenset({"car", "truck", "bus", "van"}),),
    extent_sigma_m=0.5,
    max_link_m=15.0,
    max_gap_s=DAY_S,
    removal_prior=0.05,
    return_prior=0.05,
)
FIRES = CategorySettings(
    class_groups=(frozenset({"fire", "smoke"}),),
    extent_sigma_m=1.0,
    max_link_m=20.0,
    max_gap_s=DAY_S,
    removal_prior=0.05,
    return_prior=0.02,
)


def _defaults() -> Mapping[str, CategorySettings]:
    return MappingProxyType({"litter": LITTER, "illegal_parking": VEHICLES, "open_fire": FIRES})


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """The settings of each category."""

    categories: Mapping[str, CategorySettings] = field(default_factory=_defaults)

    def of(self, category: str) -> CategorySettings:
        """The category's settings; KeyError names a category that has none."""
        return self.categories[category]
