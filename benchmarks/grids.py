"""From a place to its three codes in a city of Shenyang's size.

51,495 unit grids, 1,093 responsible grids, 4,784 road segments. Prints the CPU time of a lookup,
and the same in a hundredth of the city measured in turn with it, so that a busy machine slows both.

    python benchmarks/grids.py
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from patrolvision.tickets.grids import GridIndex

UNITS, RESPONSIBLE, SEGMENTS = 51_495, 1_093, 4_784
WEST, SOUTH, SIDE_DEG = 123.2, 41.6, 0.45
LOOKUPS = 4_000


def cell(layer: str, code: str, x: float, y: float, side: float) -> dict[str, Any]:
    """A square with eight corners, as surveyed borders have more than four."""
    half = side / 2
    ring = [[x, y], [x + half, y], [x + side, y], [x + side, y + half], [x + side, y + side],
            [x + half, y + side], [x, y + side], [x, y + half], [x, y]]  # fmt: skip
    return feature(layer, code, {"type": "Polygon", "coordinates": [ring]})


def feature(layer: str, code: str, geometry: Any) -> dict[str, Any]:
    """A feature of a grids file."""
    properties = {"layer": layer, "code": code}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def squares(layer: str, count: int) -> list[dict[str, Any]]:
    """So many cells side by side, row by row."""
    across = int(count**0.5) + 1
    side = SIDE_DEG / across
    places = ((k % across * side + WEST, k // across * side + SOUTH) for k in range(count))
    return [cell(layer, f"{layer[0]}{k:06}", x, y, side) for k, (x, y) in enumerate(places)]


def roads(count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Roads of four corners, about half a kilometre long."""
    lines = []
    for k in range(count):
        x, y = WEST + rng.random() * SIDE_DEG, SOUTH + rng.random() * SIDE_DEG
        line = [[x + 0.0015 * j, y + rng.uniform(-2e-4, 2e-4)] for j in range(4)]
        lines.append(feature("segment", f"s{k:05}", {"type": "LineString", "coordinates": line}))
    return lines


def city(share: float, rng: random.Random) -> list[dict[str, Any]]:
    """A city of a share of Shenyang's cells and roads on the same ground."""
    counts = [max(int(n * share), 1) for n in (UNITS, RESPONSIBLE, SEGMENTS)]
    return [
        *squares("unit", counts[0]), *squares("responsible", counts[1]), *roads(counts[2], rng),
    ]  # fmt: skip


def index(features: list[dict[str, Any]]) -> GridIndex:
    """The index of the features, as of a file."""
    return GridIndex.from_text(
        json.dumps({"type": "FeatureCollection", "features": features}), "city"
    )


def cpu_ms(work: Callable[[], object]) -> float:
    """Milliseconds of this thread's CPU that the work takes."""
    start = time.thread_time()
    work()
    return 1000.0 * (time.thread_time() - start)


def undecided(whole: GridIndex, other: GridIndex) -> int:
    """How many corners of cells, where four meet, get another code from a shuffled file."""
    across = int(UNITS**0.5) + 1
    side = SIDE_DEG / across
    corners = [(SOUTH + j * side, WEST + i * side) for i in range(1, 40) for j in range(1, 40)]
    return sum(whole.codes_at(*c) != other.codes_at(*c) for c in corners)


def main() -> None:
    """Load, look up, and print."""
    rng = random.Random(1)
    features = city(1.0, rng)
    made: list[GridIndex] = []
    load_ms = cpu_ms(lambda: made.append(index(features)))
    whole, small = made[0], index(city(0.01, random.Random(2)))
    places = [(SOUTH + rng.random() * SIDE_DEG, WEST + rng.random() * SIDE_DEG)
              for _ in range(LOOKUPS)]  # fmt: skip
    for place in places[:200]:
        whole.codes_at(*place), small.codes_at(*place)
    times = [(cpu_ms(lambda p=p: whole.codes_at(*p)), cpu_ms(lambda p=p: small.codes_at(*p)))
             for p in places]  # fmt: skip
    large, little = (sorted(pair[k] for pair in times) for k in (0, 1))
    shuffled = features.copy()
    rng.shuffle(shuffled)
    print(f"cells and segments  {len(features)}, read in {load_ms / 1000:.1f} s of CPU")
    for name, values in (("whole city", large), ("a hundredth", little)):
        median, p99 = values[LOOKUPS // 2], values[int(LOOKUPS * 0.99)]
        print(f"lookup, {name:11} median {median:.3f} ms, p99 {p99:.3f} ms, of CPU")
    print(f"ratio of the medians {large[LOOKUPS // 2] / little[LOOKUPS // 2]:.2f}")
    print(f"corners decided otherwise from a shuffled file {undecided(whole, index(shuffled))}")


if __name__ == "__main__":
    main()
