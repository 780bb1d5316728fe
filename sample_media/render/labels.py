"""Exact boxes of every frame as YOLO text: python labels.py OUT PASS [PASS …]

Needs Blender as a Python module. Classes: 0 litter, 1 fire, 3 car. A box spans the visible part of
the picture; things of which less than a third of the sampled points is in sight are left out.
"""

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from passes import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, PASSES, Pass, camera_poses, frame_times_s
from scene import Things, add_camera, aim, build

SEEN_SHARE = 1 / 3
SMALLEST_PX = 6
SAMPLED_POINTS = 60


def class_of(thing_id: str) -> int | None:
    for prefix, number in (("litter", 0), ("fire", 1), ("legal", 3), ("parking", 3)):
        if thing_id.startswith(prefix):
            return number
    return None


def world_points(objects: list[bpy.types.Object]) -> np.ndarray:
    """(N, 3) vertices of the thing; a flame is counted to two thirds of its volume's size."""
    clouds = []
    for one in objects:
        points = np.empty(len(one.data.vertices) * 3)
        one.data.vertices.foreach_get("co", points)
        points = points.reshape(-1, 3)
        if one.name.endswith("flame"):
            points = points * (0.6, 0.6, 0.75)
        matrix = np.array(one.matrix_world)
        clouds.append(points @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(clouds)


def pixels_of(points: np.ndarray, camera: bpy.types.Object, focal_px: float) -> np.ndarray:
    """(M, 2) pixels of the points before the camera."""
    from_world = np.array(camera.matrix_world.inverted())
    local = points @ from_world[:3, :3].T + from_world[:3, 3]
    local = local[local[:, 2] < -0.3]
    centre = np.array([IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX]) / 2
    return centre + focal_px * local[:, :2] * (1, -1) / -local[:, 2:]


def seen_share(points: np.ndarray, objects: list[bpy.types.Object], eye: Vector) -> float:
    """Share of sampled points to which nothing but the thing itself stops the view."""
    scene, graph = bpy.context.scene, bpy.context.evaluated_depsgraph_get()
    own = {one.name for one in objects}
    chosen = points[:: max(1, len(points) // SAMPLED_POINTS)]
    seen = 0
    for point in chosen:
        ray = Vector(point) - eye
        hit, _, _, _, what, _ = scene.ray_cast(
            graph, eye, ray.normalized(), distance=ray.length - 0.02
        )
        seen += not hit or what.name in own
    return seen / len(chosen)


def boxes_of_frame(
    things: Things, clouds: dict[str, np.ndarray], camera: bpy.types.Object, focal_px: float
) -> list[str]:
    lines = []
    size = np.array([IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX])
    for thing_id, points in clouds.items():
        pixels = pixels_of(points, camera, focal_px)
        if not len(pixels):
            continue
        low, high = pixels.min(0).clip(0, size), pixels.max(0).clip(0, size)
        if (high - low).min() < SMALLEST_PX:
            continue
        if seen_share(points, things[thing_id], camera.matrix_world.translation) < SEEN_SHARE:
            continue
        numbers = [*((low + high) / 2 / size), *((high - low) / size)]
        lines.append(f"{class_of(thing_id)} " + " ".join(f"{n:.5f}" for n in numbers))
    return lines


def label_pass(one: Pass, out: Path) -> None:
    """One text file a frame, named as the frame is."""
    out.mkdir(parents=True, exist_ok=True)
    things = {key: value for key, value in build(one).items() if class_of(key) is not None}
    camera = add_camera(one)
    bpy.context.view_layer.update()
    clouds = {key: world_points(objects) for key, objects in things.items()}
    # Rays pass through volumes only if these are hidden; hidden before, they had no place yet.
    for volume in ("flame", "smoke"):
        for made in bpy.data.objects:
            if made.name.endswith(volume):
                made.hide_viewport = True
    for half_step, t_s in enumerate(frame_times_s(one, doubled=True)):
        aim(camera, camera_poses(one.name, [t_s])[0])
        bpy.context.view_layer.update()
        lines = boxes_of_frame(things, clouds, camera, one.focal_px)
        (out / f"{half_step:04d}.txt").write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Label the passes in the order given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+", choices=sorted(PASSES))
    call = parser.parse_args()
    for name in call.names:
        label_pass(PASSES[name], call.out / name)


if __name__ == "__main__":
    main()
