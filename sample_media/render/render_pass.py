"""Render a pass to numbered PNG frames: python render_pass.py OUT PASS [PASS …] [--between]

Needs Blender as a Python module (bpy 5.0.1, Python 3.11). Frames that exist are skipped, so the
call may be stopped and repeated. Frames are numbered in half steps: even numbers are the pass's
own frames, `--between` renders the odd ones.
"""

import argparse
import time
from pathlib import Path

import bpy
from fire import set_fire_clock
from passes import PASSES, Pass, camera_poses
from scene import add_camera, aim, build


def render_pass(one: Pass, folder: Path, between: bool, samples: int) -> None:
    """All missing frames of one pass, with the seconds each took."""
    folder.mkdir(parents=True, exist_ok=True)
    build(one, samples)
    camera = add_camera(one)
    for half_step in range(1 if between else 0, 2 * one.frames, 2):
        file = folder / f"{half_step:04d}.png"
        if file.exists():
            continue
        t_s = half_step / (2 * one.fps)
        aim(camera, camera_poses(one.name, [t_s])[0])
        set_fire_clock(1 + one.flame_clock_s + t_s)
        part = file.with_suffix(".part.png")
        bpy.context.scene.render.filepath = str(part)
        started = time.monotonic()
        bpy.ops.render.render(write_still=True)
        part.rename(file)
        print(f"{one.name} {half_step} {time.monotonic() - started:.1f} s", flush=True)


def main() -> None:
    """Render the passes in the order given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+", choices=sorted(PASSES))
    parser.add_argument("--between", action="store_true")
    parser.add_argument("--samples", type=int, default=4)
    call = parser.parse_args()
    for name in call.names:
        render_pass(PASSES[name], call.out / name, call.between, call.samples)


if __name__ == "__main__":
    main()
