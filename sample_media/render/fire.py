"""An open fire: glowing flames, a column of smoke, charred wood, and the light it casts.

Both volumes only emit and absorb. They scatter nothing, so a few samples a pixel leave no grain.
"""

import math
import random
from typing import Any

import bpy
from shading import Nodes, new_material, speckled
from shapes import add_object, boxes


def _clock(nodes: Nodes) -> Any:
    """The output that `set_fire_clock` sets."""
    node = nodes.add("Value")
    node.name = "clock"
    return node.outputs[0]


def _distance(nodes: Nodes, x: Any, y: Any) -> Any:
    return nodes.math("SQRT", nodes.math("ADD", nodes.mul(x, x), nodes.mul(y, y)))


def _inwardness(nodes: Nodes, distance: Any, radius: Any) -> Any:
    """1 on the axis, 0 at the radius, negative outside."""
    ratio = nodes.math("DIVIDE", distance, nodes.math("MAXIMUM", radius, 0.01))
    return nodes.math("SUBTRACT", 1.0, ratio)


def _positive(nodes: Nodes, value: Any) -> Any:
    return nodes.math("MULTIPLY", nodes.math("MAXIMUM", value, 0.0), 1.0, clamp=True)


def _flame_material(height: float, width: float, size: float) -> bpy.types.Material:
    material, nodes, output = new_material("flame")
    _, x, y, z = nodes.object_xyz()
    clock = _clock(nodes)
    rising = nodes.math("SUBTRACT", nodes.mul(z, 0.55), nodes.mul(clock, 1.6))
    noise = nodes.add(
        "TexNoise",
        {"noise_dimensions": "4D"},
        Vector=nodes.add("CombineXYZ", X=x, Y=y, Z=rising),
        W=nodes.mul(clock, 0.5),
        Scale=2.1 / size,
        Detail=3.0,
        Roughness=0.55,
        Distortion=0.6,
    ).outputs[0]
    up = nodes.math("DIVIDE", z, height)
    taper = nodes.math("POWER", nodes.math("SUBTRACT", 1.0, up, clamp=True), 0.8)
    inward = _inwardness(nodes, _distance(nodes, x, y), nodes.mul(taper, width))
    tongues = nodes.mul(
        nodes.math("SUBTRACT", noise, 0.53), nodes.math("ADD", 2.6, nodes.mul(up, 2.5))
    )
    heat = nodes.math("ADD", nodes.mul(inward, 0.55), tongues)
    heat = _positive(nodes, nodes.mul(heat, nodes.math("GREATER_THAN", inward, -0.25)))
    colour = nodes.ramp(
        nodes.math("SUBTRACT", heat, nodes.mul(up, 0.15)),
        [
            (0.0, (0.9, 0.08, 0.005)),
            (0.25, (1, 0.22, 0.015)),
            (0.6, (1, 0.48, 0.06)),
            (1.0, (1, 0.75, 0.25)),
        ],
    )
    glow = nodes.add("Emission", Color=colour, Strength=nodes.mul(heat, heat, 60.0))
    nodes.link(glow, output.inputs["Volume"])
    return material


def _smoke_material(height: float, size: float) -> bpy.types.Material:
    material, nodes, output = new_material("smoke")
    _, x, y, z = nodes.object_xyz()
    drift = nodes.mul(nodes.math("POWER", nodes.math("MAXIMUM", z, 0.0), 1.35), 0.22)
    x = nodes.math("SUBTRACT", x, drift)
    rising = nodes.math("SUBTRACT", z, nodes.mul(_clock(nodes), 1.3))
    noise = nodes.noise(
        nodes.add("CombineXYZ", X=x, Y=y, Z=rising),
        0.9 / size,
        2.0,
        Roughness=0.5,
        Distortion=0.4,
    ).outputs[0]
    radius = nodes.math("ADD", 0.30 * size, nodes.mul(z, 0.20))
    inward = _inwardness(nodes, _distance(nodes, x, y), radius)
    billows = nodes.mul(nodes.math("SUBTRACT", noise, 0.52), 2.2)
    thick = _positive(nodes, nodes.math("ADD", nodes.mul(inward, 0.8), billows))
    thick = nodes.mul(thick, nodes.math("GREATER_THAN", inward, -0.3))
    from_top = nodes.math("SUBTRACT", 1.0, nodes.math("DIVIDE", z, height), clamp=True)
    from_foot = nodes.math("SUBTRACT", z, 0.6 * size)
    from_foot = nodes.math("MULTIPLY", from_foot, 1.0, clamp=True)
    density = nodes.mul(thick, nodes.mul(from_top, from_foot), 4.0 / size)
    both = nodes.add("AddShader")
    absorb = nodes.add("VolumeAbsorption", Color=(0, 0, 0), Density=density)
    grey = nodes.add("Emission", Color=(0.9, 0.92, 1.0), Strength=nodes.mul(density, 0.2))
    nodes.link(absorb, both.inputs[0])
    nodes.link(grey, both.inputs[1])
    nodes.link(both, output.inputs["Volume"])
    return material


def add_fire(name: str, x: float, y: float, size: float) -> list[bpy.types.Object]:
    """The fire's flame objects, for labels; smoke and wood come with them."""
    root = add_object(name, None, (x, y, 0))
    height, width, smoke_height = 2.1 * size, 0.88 * size, 6.0 * size
    half = width * 1.3
    flame_box = boxes(
        "flame", [(-half, -half, 0, half, half, height)], [_flame_material(height, width, size)]
    )
    flame = add_object(f"{name}_flame", flame_box, (0, 0, 0.02), parent=root)
    span = (-1.6 * size, -2 * size, 0.5, 6.5 * size, 2 * size, smoke_height)
    smoke_box = boxes("smoke", [span], [_smoke_material(smoke_height, size)])
    add_object(f"{name}_smoke", smoke_box, parent=root)
    char = speckled("char", (0.012, 0.011, 0.01), 0.9, bump=0.8, scale=12)
    rng = random.Random(5)
    log = boxes("log", [(-0.35, -0.05, -0.04, 0.35, 0.05, 0.04)], [char])
    for k in range(9):
        place = (rng.uniform(-0.25, 0.25) * size, rng.uniform(-0.25, 0.25) * size)
        turn = (rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), rng.random() * 6)
        add_object(f"{name}_log", log, (*place, 0.06 + 0.025 * k), turn, size, root)
    lamp = bpy.data.lights.new("fire", "POINT")
    lamp.color, lamp.energy = (1, 0.42, 0.12), 120 * size
    lamp.shadow_soft_size = 0.4 * size
    add_object(f"{name}_light", lamp, (0, 0, 0.7 * size), parent=root)
    return [flame]


def set_fire_clock(t_s: float) -> None:
    """Flames and smoke as they are at this time; any time will do."""
    if not math.isfinite(t_s):
        raise ValueError(f"expected a finite time in seconds, found {t_s}")
    for name in ("flame", "smoke"):
        nodes = bpy.data.materials[name].node_tree.nodes
        nodes["clock"].outputs[0].default_value = t_s
