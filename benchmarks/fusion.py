"""How well things are counted once, on simulated cities, beside two baselines."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from patrolvision.geo.geodesy import local_en
from patrolvision.incidents.association import components, pairs_within
from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.memory import MemoryNeighbourhood
from patrolvision.simulate.city import City, CitySettings, build_city
from patrolvision.types import Category, Finding, Observation

CATEGORY: dict[str, Category] = {
    "litter": "litter",
    "car": "illegal_parking",
    "fire": "open_fire",
}


@dataclass(frozen=True, slots=True)
class Score:
    """How a partition of observations compares with the truth; false alarms are left out.

    An incident belongs to the thing that most of its observations show. duplicates: incidents
    beyond the first of each thing; false_merges: things that own no incident, because theirs went
    into another's; both per 100 things.
    """

    pairwise_precision: float
    pairwise_recall: float
    b_cubed_f1: float
    duplicates_per_100: float
    false_merges_per_100: float


def score(found: Mapping[str, str], truth: Mapping[str, str | None]) -> Score:
    """The score of found (observation id -> incident) against truth (observation id -> thing)."""
    real = {o: thing for o, thing in truth.items() if thing is not None}
    both = Counter((found.get(o, o), thing) for o, thing in real.items())
    of_found, of_real = Counter[str](), Counter[str]()
    for (incident, thing), n in both.items():
        of_found[incident] += n
        of_real[thing] += n
    pairs = sum(n * (n - 1) for n in both.values())
    said = sum(n * (n - 1) for n in of_found.values())
    meant = sum(n * (n - 1) for n in of_real.values())
    precision = sum(n * n / of_found[i] for (i, _), n in both.items()) / len(real)
    recall = sum(n * n / of_real[t] for (_, t), n in both.items()) / len(real)
    owner: dict[str, str] = {}
    for (incident, thing), _ in sorted(both.items(), key=lambda item: (item[1], item[0])):
        owner[incident] = thing
    duplicates = len(owner) - len(set(owner.values()))
    lost = len(of_real) - len(set(owner.values()))
    per = 100 / len(of_real)
    return Score(
        pairs / said if said else 1.0,
        pairs / meant if meant else 1.0,
        2 * precision * recall / (precision + recall),
        duplicates * per,
        lost * per,
    )


def fused(
    city: City, order: Sequence[int] | None = None, chunk: int | None = None
) -> dict[str, str]:
    """observation id -> incident, by absorbing all at once, or chunk by chunk in this order."""
    findings = [finding_of(o) for o in city.observations]
    near = MemoryNeighbourhood()
    near.save(looks=city.looks)
    order = range(len(findings)) if order is None else order
    step = chunk or len(findings)
    for low in range(0, len(order), step):
        some = [findings[k] for k in order[low : low + step]]
        near.save(some)
        near.save(incidents=absorb(some, near))
    return {o: i.id for i in near.incidents.values() for o in i.observation_ids}


def finding_of(observation: Observation) -> Finding:
    """A plain finding for each observation."""
    return Finding(
        id=f"f-{observation.id}",
        category=CATEGORY[observation.class_name],
        kind="enforce",
        observation=observation,
        score=observation.confidence,
    )


def dbscan_by_class_and_day(city: City, radius_m: float = 10.0) -> dict[str, str]:
    """The baseline of the open systems: chains of sights within 10 m, per class and UTC day.

    DBSCAN with a minimum of one point is the connected parts of the neighbourhood graph (Ester et
    al., KDD 1996).
    """
    groups: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for o in city.observations:
        groups[o.class_name, o.first_seen.date().isoformat()].append(o)
    found: dict[str, str] = {}
    for key, seen in groups.items():
        xy = _places(seen)
        label = components(len(seen), *pairs_within(xy, xy, radius_m))
        found |= {o.id: f"{key}-{k}" for o, k in zip(seen, label, strict=True)}
    return found


def nearest_neighbour(city: City, radius_m: float = 6.0) -> dict[str, str]:
    """The baseline of a simple tracker: each sight joins the nearest running mean of its class."""
    found: dict[str, str] = {}
    for class_name in sorted({o.class_name for o in city.observations}):
        seen = sorted(
            (o for o in city.observations if o.class_name == class_name),
            key=lambda o: (o.first_seen, o.id),
        )
        mean, count = np.zeros((len(seen), 2)), np.zeros(len(seen))
        used = 0
        for o, place in zip(seen, _places(seen), strict=True):
            apart = np.hypot(*(mean[:used] - place).T)
            k = int(np.argmin(apart)) if used else 0
            if not used or apart[k] > radius_m:
                k, used = used, used + 1
            mean[k] = (mean[k] * count[k] + place) / (count[k] + 1)
            count[k] += 1
            found[o.id] = f"{class_name}-{k}"
    return found


def _places(seen: Sequence[Observation]) -> np.ndarray:
    lat = np.array([o.place.lat_deg for o in seen])
    lon = np.array([o.place.lon_deg for o in seen])
    return np.stack(local_en(lat[0], lon[0], lat, lon), axis=-1)


def main() -> None:
    """Print a table of scores for the cities of the public benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--spacing", type=float, default=12.0)
    parser.add_argument("--gnss", type=float, default=2.0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for seed in args.seeds:
        city = build_city(
            CitySettings(seed=seed, min_spacing_m=args.spacing, gnss_sigma_m=args.gnss)
        )
        for name, way in (
            ("patrolvision", fused),
            ("dbscan 10 m a day", dbscan_by_class_and_day),
            ("nearest neighbour", nearest_neighbour),
        ):
            since = time.perf_counter()
            result = score(way(city), city.truth)
            seconds = time.perf_counter() - since
            row = {name_: round(getattr(result, name_), 4) for name_ in Score.__slots__}
            row |= {"seconds": round(seconds, 1), "observations": len(city.observations)}
            print(json.dumps({"seed": seed, "way": name} | row))


if __name__ == "__main__":
    main()
