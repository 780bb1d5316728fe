"""What fusion believes about each category, as data: distances in metres, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class AlignmentSettings:
    """How sightings of all categories are sorted into things; every gate is a chi-square value with
    two degrees of freedom.
    """

    max_link_m: float = 20.0  # sightings further apart are never one thing
    context_m: float = 150.0  # sightings of one pass this close tell of each other's shift
    vote_chi2: float = 13.8  # what a match gains a shift: 99.9 % of true pairs
    gate_chi2: float = 18.4  # once the shift is known: 99.99 % of true pairs
    fragment_chi2: float = 13.8  # 99.9 %: two sightings of one pass, whose bias cancels
    merge_chi2: float = 9.2
    same_place: float = 0.75  # of a thing's room: closer, once all shifts are known, are one thing
    sight_rate: float = 0.7  # a pass that sees one of two close things sees the other at least so
    turnover_rate: float = 0.02  # chance that a thing comes, or goes, between two passes
    broken_track_rate: float = 0.05  # of a pass's sightings, how many are a second part of one
    twin_rate: float = 0.0005  # how many are followed twice at once, until passes show more
    shared_fraction: float = 0.8  # of the smallest covariance of a pass, where it is not told

    def __post_init__(self) -> None:
        rates = (
            self.sight_rate,
            self.turnover_rate,
            self.broken_track_rate,
            self.twin_rate,
            self.shared_fraction,
        )
        if not all(0 < rate < 1 for rate in rates):
            raise ValueError(f"rates and fractions must lie in (0, 1), got {rates}")
        if min(self.max_link_m, self.context_m, self.gate_chi2, self.vote_chi2) <= 0:
            raise ValueError("distances and gates must be > 0")


@dataclass(frozen=True, slots=True)
class CategorySettings:
    """How the things of one category live.

    class_groups lists classes that a detector confuses for one thing; a class in none stands alone.
    """

    class_groups: tuple[frozenset[str], ...]
    extent_sigma_m: float  # how far the seen point wanders over one thing between passes
    max_gap_s: float  # unseen for longer, the next sight is another thing
    removal_prior: float  # chance that a thing went away between two passes
    return_prior: float  # chance that another came to the same place before the next sight
    min_missed_passes: int = 2  # never removed by one blink
    look_margin_m: float = 2.0  # a place nearer to the edge of a look was not looked at
    max_detection_probability: float = 0.95  # no look proves more than this
    min_detection_probability: float = 0.3  # a look that sees less proves nothing
    stated_visits: float = 20.0  # what a look states counts as so many visits to the thing itself
    room_m: float = 2.0  # two do not stand closer: what one pass followed closer at once is one
    narrow_classes: frozenset[str] = frozenset()  # these do: they need no room
    visit_gap_s: float = 600.0  # looks of one mission closer in time are one visit
    dwell_gap_s: float = 12 * 3600.0  # sights further apart prove no continuous stay
    enforce_probability: float = 0.95  # joint probability from which a review becomes a ticket

    def __post_init__(self) -> None:
        if not (0 < self.removal_prior < 1 and 0 < self.return_prior < 1):
            raise ValueError("removal_prior and return_prior must lie in (0, 1)")
        if self.max_gap_s <= 0 or self.extent_sigma_m < 0 or self.min_missed_passes < 2:
            raise ValueError("max_gap_s must be > 0, extent_sigma_m >= 0, min_missed_passes >= 2")


LITTER = CategorySettings(
    class_groups=(),
    extent_sigma_m=0.3,
    max_gap_s=14 * DAY_S,
    removal_prior=0.02,
    return_prior=0.001,
)
VEHICLES = CategorySettings(
    class_groups=(frozenset({"car", "truck", "bus", "van"}),),
    narrow_classes=frozenset({"motorcycle", "bicycle"}),
    extent_sigma_m=0.5,
    max_gap_s=3 * DAY_S,
    removal_prior=0.03,
    return_prior=0.001,
)
FIRES = CategorySettings(
    class_groups=(frozenset({"fire", "smoke"}),),
    extent_sigma_m=1.0,
    max_gap_s=DAY_S,
    removal_prior=0.04,
    return_prior=0.001,
)

STANDING = CategorySettings(  # a registered hazard: it stays where it is until somebody mends it
    class_groups=(),
    extent_sigma_m=0.5,
    max_gap_s=14 * DAY_S,
    removal_prior=0.02,
    return_prior=0.001,
)


def _defaults() -> Mapping[str, CategorySettings]:
    return MappingProxyType({"litter": LITTER, "illegal_parking": VEHICLES, "open_fire": FIRES})


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """The settings of each category, and those that all share."""

    categories: Mapping[str, CategorySettings] = field(default_factory=_defaults)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)

    def of(self, category: str) -> CategorySettings:
        """The category's settings; those of STANDING for one that has none of its own."""
        return self.categories.get(category, STANDING)
