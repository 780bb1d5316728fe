"""Identities kept by our tracker and by the package `trackers`, on rendered scenes of known truth.

    python benchmarks/tracking.py [--seeds 2] [--trackers ours,ours at once,botsort,bytetrack,cbiou]

"ours at once" gives ids from the first sight on, as the library does in a stream's first frame.
Prints one row per scene and tracker: IDF1, switches of identity, ids per thing (1 is right).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.moving_scenes import (
    CLASSES,
    Step,
    drive,
    follow,
    idf1,
    ids_each,
    pan,
    switches,
    without,
)
from patrolvision.ports import Tracker
from patrolvision.track.bytetrack import ByteTracker, TrackSettings

SCENES: dict[str, Callable[[float, int], list[Step]]] = {
    "drive 5 m/s": lambda fps, seed: drive(fps, 5, seed=seed),
    "drive 8 m/s": lambda fps, seed: drive(fps, 8, seed=seed),
    "drive, 0.5 s blind": lambda fps, seed: without(drive(fps, 5, seed=seed), 2.2, 2.7),
    "sweep 100 px/s": lambda fps, seed: pan(fps, 100, seed=seed),
    "sweep 250 px/s, 20°/s": lambda fps, seed: pan(fps, 250, 20, seed=seed),
}


def make(name: str) -> Tracker:
    """A fresh tracker by its name in this table."""
    if name == "ours":
        return ByteTracker(CLASSES)
    if name == "ours at once":
        return ByteTracker(CLASSES, TrackSettings(confirm_frames=1, confirm_s=0.0))
    from patrolvision.track.trackers_lib import LibraryTracker

    return LibraryTracker(CLASSES, kind=name)  # type: ignore[arg-type]


def main(argv: list[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--trackers", default="ours,ours at once,botsort,bytetrack,cbiou")
    parser.add_argument("--fps", default="2,5,30")
    args = parser.parse_args(argv)
    for fps in map(float, args.fps.split(",")):
        for scene, render in SCENES.items():
            rendered = [render(fps, seed) for seed in range(args.seeds)]
            for name in args.trackers.split(","):
                ids = [follow(make(name), steps) for steps in rendered]
                each = [n for one in ids for n in ids_each(one)]
                f1, switched = statistics.mean(map(idf1, ids)), sum(map(switches, ids))
                print(
                    f"{fps:4.0f} fps  {scene:22} {name:13} IDF1 {f1:.3f}  switches {switched:3}"
                    f"  ids/thing {statistics.mean(each):.2f}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
