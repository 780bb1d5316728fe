"""Frames a second of `patrolvision run` against `YOLO(...).predict(stream=True)` as shipped.

The same clip and the same weights, in turn, several rounds, in one call; every frame is analysed.
The figure to quote is the median of the rounds' ratios: both sides share the machine's moods.

    python benchmarks/end_to_end.py --video clip.mp4 [--camera C.toml --telemetry T.gpx]

The peer runs in the interpreter given by --peer-python (default: this one), which needs torch and
ultralytics (`make torch`). patrolvision does more in its time than the peer: it tracks, locates,
judges, fuses, keeps pictures and, unless --no-clip, writes the annotated clip.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PEER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from patrolvision.detect._torchvision_stand_in import put_in_place_if_needed
put_in_place_if_needed()
from ultralytics import YOLO
started = time.perf_counter()
model = YOLO(sys.argv[2])
frames = sum(1 for _ in model.predict(sys.argv[3], stream=True, verbose=False))
print(frames, time.perf_counter() - started)
"""


def ours(args: argparse.Namespace, out: Path) -> float:
    """Frames a second of one run, model loading included."""
    command = [
        sys.executable, "-m", "patrolvision.cli", "run", str(args.video), "--out", str(out),
        "--analysis-fps", "0", "--json", "--model", str(args.model),
    ]  # fmt: skip
    for name in ("camera", "telemetry", "zones", "started_at"):
        if getattr(args, name):
            command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    if args.no_clip:
        command.append("--no-clip")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mission = json.loads(done.stdout.splitlines()[-1])["missions"][0]
    return float(mission["frames"]["analysed"] / mission["seconds"])


def peer(args: argparse.Namespace) -> float:
    """Frames a second of the peer, model loading and warm-up included as on our side."""
    source = Path(__file__).resolve().parents[1] / "src"
    weights = next(Path(args.model).glob("*.pt"))
    done = subprocess.run(
        [args.peer_python, "-c", PEER, str(source), str(weights), str(args.video)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    frames, seconds = done.stdout.split()[-2:]
    return int(frames) / float(seconds)


def main() -> None:
    """Measure in turn and print the ratios."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, default=root / "sample_media" / "car_a.mp4")
    parser.add_argument("--camera", type=Path)
    parser.add_argument("--telemetry", type=Path)
    parser.add_argument("--zones", type=Path)
    parser.add_argument("--started-at")
    parser.add_argument("--model", type=Path, default=root / "models" / "patrol-n" / "0.1.0")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-clip", action="store_true")
    args = parser.parse_args()
    ratios = []
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            mine = ours(args, Path(folder))
        theirs = peer(args)
        ratios.append(mine / theirs)
        print(
            f"round {number + 1}: {mine:6.1f} against {theirs:6.1f} frames/s = {mine / theirs:.2f}"
        )
    print(
        f"ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"{args.rounds} rounds, {args.video.name}, every frame analysed"
    )


if __name__ == "__main__":
    main()
