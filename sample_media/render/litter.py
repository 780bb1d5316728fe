"""Rubbish: tied bags, cardboard boxes, bottles; heaps and groups of them; and a closed bin."""

import math
import random
from collections.abc import Sequence
from typing import Any

import bpy
from layout import LitterPile
from mathutils import Vector, noise
from shading import new_surface, paint, speckled
from shapes import add_object, boxes, lathe, mesh, sharpen, sphere

Objects = list[bpy.types.Object]


def _bag(seed: int, material: bpy.types.Material) -> bpy.types.Mesh:
    """A full bag of about 1.6 m across, to be scaled: folded film, drawn together at the neck."""
    offset = Vector((seed * 5.7, seed * 2.3, 1.0))

    def shape(p: Vector) -> Vector:
        neck = 1.0 if p.z < 0.35 else max(0.10, 1 - 1.25 * (p.z - 0.35) ** 0.8)
        stretched = Vector((p.x * 2.4, p.y * 2.4, p.z * 1.1))
        folds = noise.multi_fractal(stretched + offset, 0.7, 2.1, 5)
        angle = math.atan2(p.y, p.x)
        pleats = 0.05 * math.sin(angle * 13 + 4 * noise.noise(p + offset)) * max(0, p.z)
        ridges = 0.10 * (1 - abs(noise.noise(p * 2.1 + offset)))
        ridges += 0.07 * (1 - abs(noise.noise(p * 4.5 + offset)))
        radius = 0.78 + ridges + 0.04 * folds + 0.18 * noise.noise(p * 0.9 + offset)
        z = p.z * radius * 0.9 + (0 if p.z < 0.5 else (p.z - 0.5) * 0.45)
        width = radius * neck + pleats
        return Vector((p.x * width, p.y * width, max(z, -0.55)))

    return sharpen(sphere("bag", 6, material, shape), 70)


def _glass(name: str, colour: Sequence[float], roughness: float, clear: float, ior: float) -> Any:
    material, nodes, shader = new_surface(name)
    paint(
        nodes,
        shader,
        Base_Color=colour,
        Roughness=roughness,
        Transmission_Weight=clear,
        IOR=ior,
    )
    return material


# fmt: off
_GLASS_BOTTLE = (
    (0, 0), (0.034, 0.0), (0.037, 0.006), (0.037, 0.06), (0.0372, 0.061), (0.0372, 0.14),
    (0.037, 0.141), (0.036, 0.155), (0.028, 0.185), (0.016, 0.21), (0.0135, 0.23),
    (0.0135, 0.262), (0.0155, 0.264), (0.0155, 0.272), (0.0, 0.273),
)
_PLASTIC_BOTTLE = (
    (0, 0), (0.03, 0.0), (0.036, 0.01), (0.034, 0.03), (0.036, 0.05), (0.034, 0.07),
    (0.0365, 0.08), (0.0365, 0.14), (0.034, 0.15), (0.036, 0.165), (0.033, 0.19),
    (0.022, 0.215), (0.013, 0.228), (0.013, 0.236), (0.016, 0.238), (0.016, 0.252),
    (0.0, 0.252),
)
# fmt: on


def _bottles() -> list[bpy.types.Mesh]:
    green = _glass("greenglass", (0.05, 0.32, 0.07), 0.04, 0.85, 1.5)
    brown = _glass("brownglass", (0.30, 0.10, 0.02), 0.04, 0.7, 1.5)
    plastic = _glass("plastic", (0.80, 0.9, 0.95), 0.08, 0.85, 1.3)
    red = speckled("label_red", (0.55, 0.03, 0.03), 0.5, spread=0.3, scale=30)
    cream = speckled("label_cream", (0.75, 0.72, 0.6), 0.5, spread=0.3, scale=40)
    cap = speckled("cap", (0.02, 0.1, 0.5), 0.4)
    rings = [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2]
    return [
        lathe("bottle", _GLASS_BOTTLE, [green, cream, cap], 40, ring_materials=rings),
        lathe("bottle", _GLASS_BOTTLE, [brown, red, cap], 40, ring_materials=rings),
        lathe(
            "bottle",
            _PLASTIC_BOTTLE,
            [plastic, red, cap],
            40,
            ring_materials=[0] * 6 + [1] + [0] * 6 + [2] * 3,
        ),
    ]


def _cartons() -> list[bpy.types.Mesh]:
    """An open box with two flaps, a taped one, and a flattened one."""
    card = speckled("card", (0.42, 0.28, 0.16), 0.85, spread=0.18, scale=12, bump=0.1)
    tape = speckled("tape", (0.55, 0.45, 0.3), 0.3)
    w, d, h, t = 0.25, 0.19, 0.16, 0.004
    top = 2 * h
    opened = [
        (-w, -d, 0, w, d, t),
        (-w, -d, 0, w, -d + t, top),
        (-w, d - t, 0, w, d, top),
        (-w, -d, 0, -w + t, d, top),
        (w - t, -d, 0, w, d, top),
        (-w, -d - 0.16, top - 0.05, w, -d, top - 0.045),
        (-w - 0.2, -d, top - 0.003, -w, d, top),
    ]
    closed = [
        (-w, -d, 0, w, d, top, 0),
        (-w - 0.001, -0.03, -0.001, w + 0.001, 0.03, top + 0.001, 1),
    ]
    return [
        boxes("carton", opened, [card]),
        boxes("carton", closed, [card, tape]),
        boxes("carton", [(-0.4, -0.3, 0, 0.4, 0.3, 0.008)], [card]),
    ]


class LitterModels:
    """The meshes from which every pile is put together."""

    def __init__(self) -> None:
        colours = ((0.012, 0.012, 0.014), 0.28, 0.3), ((0.02, 0.05, 0.16), 0.32, 0.25)
        colours += (((0.6, 0.6, 0.6), 0.35, 0.1),)
        black, blue, white = (
            speckled("film", colour, roughness, bump=0.25, scale=9, spread=spread)
            for colour, roughness, spread in colours
        )
        self.bags = [_bag(1, black), _bag(2, black), _bag(3, blue), _bag(4, white)]
        self.bottles = _bottles()
        self.cartons = _cartons()

    def add_pile(self, pile: LitterPile) -> Objects:
        return self._heap(pile) if pile.kind == "heap" else self._group(pile)

    def _heap(self, pile: LitterPile) -> Objects:
        rng = random.Random(pile.seed)
        x, y, made = pile.x, pile.y, []

        def bag(index: int, dx: float, dy: float, z: float, tilt: float, scale: float) -> None:
            turn = (rng.uniform(-tilt, tilt), rng.uniform(-tilt, tilt), rng.random() * 6.3)
            place = (x + dx, y + dy, scale * 0.5 + z)
            made.append(add_object(pile.id, self.bags[index], place, turn, scale))

        for k in range(6):
            a = k * math.pi / 3 + rng.uniform(-0.2, 0.2)
            reach = rng.uniform(0.48, 0.6)
            scale = rng.uniform(0.40, 0.48)
            index = (0, 1, 3, 0, 2, 3)[(k + pile.seed) % 6]
            bag(index, reach * math.cos(a) * 1.15, reach * math.sin(a) * 0.75, 0, 0.25, scale)
        for k, index in enumerate((3, 0, 1)):
            a = k * 2.1 + rng.random()
            scale = rng.uniform(0.38, 0.44)
            bag(index, 0.28 * math.cos(a), 0.2 * math.sin(a), 0.42, 0.4, scale)
        for index, dx, dy, z, turn, scale in (
            (0, -1.05, 0.12, 0, 0.5, 1.0),
            (1, 1.02, -0.2, 0, -0.3, 1.05),
            (0, 1.0, -0.2, 0.335, 0.4, 0.8),
            (2, -0.75, 0.62, 0.004, 0.9, 1.0),
        ):
            place = (x + dx, y + dy, z)
            carton = self.cartons[index]
            made.append(add_object(pile.id, carton, place, (0, 0, turn), scale))
        return made

    def _group(self, pile: LitterPile) -> Objects:
        rng = random.Random(pile.seed)
        x, y = pile.x, pile.y
        first, second = (3, 0) if pile.seed % 2 else (0, 3)
        made = [
            add_object(pile.id, self.bags[first], (x, y, 0.2), (0, 0.1, 1.0), 0.40),
            add_object(pile.id, self.bags[second], (x + 0.5, y + 0.22, 0.17), (0.1, 0, 2.0), 0.34),
            add_object(pile.id, self.cartons[0], (x - 0.5, y - 0.1, 0), (0, 0, 0.4), 0.9),
        ]
        for k, bottle in enumerate(self.bottles):
            place = (x - 0.35 + 0.35 * k, y + 0.5 + 0.1 * rng.random(), 0.036)
            turn = (math.pi / 2, 0, rng.random() * 6.3)
            made.append(add_object(pile.id, bottle, place, turn))
        return made


def add_bin(name: str, x: float, y: float, z: float) -> Objects:
    """A closed wheeled bin, its front towards the carriageway: no litter."""
    plastic = speckled("bin_plastic", (0.02, 0.10, 0.05), 0.45, spread=0.1)
    rubber = speckled("bin_rubber", (0.015, 0.015, 0.015), 0.6)
    corners = [
        corner
        for height, w, d in ((0.06, 0.23, 0.25), (0.95, 0.29, 0.35))
        for corner in ((-w, -d, height), (w, -d, height), (w, d, height), (-w, d, height))
    ]
    sides = [(i, (i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    root = add_object(name, None, (x, y, z), (0, 0, math.pi))
    lid = [(-0.31, -0.38, 0.95, 0.31, 0.36, 1.03), (-0.27, 0.30, 0.86, 0.27, 0.42, 0.93)]
    body = mesh("bin", corners, [(3, 2, 1, 0), (4, 5, 6, 7), *sides], [plastic])
    wheel = lathe(
        "bin_wheel", [(0, -0.03), (0.1, -0.03), (0.1, 0.03), (0, 0.03)], [rubber], 20, axis="y"
    )
    made = [
        add_object(name, body, parent=root),
        add_object(name, boxes("bin_lid", lid, [plastic]), parent=root),
    ]
    for side in (1, -1):
        place, turn = (side * 0.24, 0.27, 0.10), (0, 0, math.pi / 2)
        made.append(add_object(name, wheel, place, turn, parent=root))
    return made
