"""Rendered PNG frames of a pass to an H.264 clip: python encode.py FRAMES_DIR PASS OUT.mp4

Frames are numbered in half steps (0000, 0002, … and 0001, 0003, … between them); the clip runs at
twice the pass's rate when the frames between are complete.
"""

import argparse
from datetime import UTC
from fractions import Fraction
from pathlib import Path

import av
from passes import PASSES, Pass
from PIL import Image


def frame_files(folder: Path, one: Pass) -> tuple[list[Path], int]:
    """The files in order, and their rate: from the first without a gap."""
    for step in (1, 2):
        files = [folder / f"{k:04d}.png" for k in range(0, 2 * one.frames, step)]
        there = [file for file in files if file.exists()]
        if len(there) == len(files):
            return files, one.fps * 2 // step
    first_gap = next(k for k, file in enumerate(files) if not file.exists())
    return files[:first_gap], one.fps


def encode(files: list[Path], rate: int, one: Pass, out: Path) -> None:
    """Write the clip, with the instant of its first frame as creation time."""
    with av.open(str(out), "w", options={"movflags": "+faststart"}) as container:
        utc = one.started_at.astimezone(UTC)
        container.metadata["creation_time"] = f"{utc:%Y-%m-%dT%H:%M:%S}.000000Z"
        container.metadata["comment"] = "Rendered by the patrolvision project, AGPL-3.0-or-later"
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height = Image.open(files[0]).size
        stream.pix_fmt = "yuv420p"
        # no B-frames: some RTSP servers stamp pictures in decoding order
        stream.options = {"crf": "17", "preset": "slow", "bf": "0"}
        for file in files:
            frame = av.VideoFrame.from_image(Image.open(file).convert("RGB"))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main() -> None:
    """Encode one pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("name", choices=sorted(PASSES))
    parser.add_argument("out", type=Path)
    call = parser.parse_args()
    one = PASSES[call.name]
    files, rate = frame_files(call.frames / call.name, one)
    encode(files, rate, one, call.out)
    print(f"{call.out.name}: {len(files)} frames at {rate}/s")


if __name__ == "__main__":
    main()
