"""The street without what stands on it: carriageway, pavements, houses, trees, sky and sun."""

import math
import random
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Vector
from shading import Nodes, new_surface, paint, speckled
from shapes import add_object, boxes, mesh

CARRIAGEWAY_HALF_M = 5.6
LANE_EDGE_M = 3.35
KERB_OUTER_M = 5.78
HOUSE_LINE_M = 12.5
PAVEMENT_Z_M = 0.125
BAY_LENGTH_M = 6.0


def add_sky(elevation_deg: float, strength: float = 0.14) -> None:
    """A clouded sky without its sun disc: the sun is a lamp, which costs fewer samples."""
    nodes = Nodes(bpy.data.worlds[0].node_tree)
    bpy.context.scene.world = bpy.data.worlds[0]
    sky = nodes.add("TexSky", {"sky_type": "MULTIPLE_SCATTERING", "sun_disc": False})
    sky.sun_elevation = math.radians(elevation_deg)
    sky.sun_rotation = math.radians(215)
    view = nodes.add("TexCoord").outputs["Generated"]
    flattened = nodes.add("Mapping", Vector=view, Scale=(1, 1, 3))
    noise = nodes.noise(flattened, 2.2, Roughness=0.62)
    cloud = nodes.ramp(noise.outputs[0], [(0.47, (0, 0, 0)), (0.66, (1, 1, 1))])
    colour = nodes.mix(nodes.mul(cloud, 0.8), sky.outputs[0], (7, 7.2, 7.6))
    background = nodes.add("Background", Color=colour, Strength=strength)
    nodes.link(background, nodes.add("OutputWorld").inputs[0])


def add_sun(azimuth_deg: float, elevation_deg: float, energy: float = 7.5) -> None:
    """A sun lamp; the azimuth counts from straight ahead (x) towards the left (y)."""
    a, e = math.radians(azimuth_deg), math.radians(elevation_deg)
    towards = Vector((math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e)))
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.angle, lamp.color = energy, math.radians(0.8), (1, 0.93, 0.82)
    add_object("sun", lamp, rotation=towards.to_track_quat("Z", "Y").to_euler())


def _asphalt() -> bpy.types.Material:
    material, nodes, shader = new_surface("asphalt")
    vector, x, y, _ = nodes.object_xyz()
    grain = nodes.noise(vector, 90.0).outputs[0]
    patches = nodes.noise(vector, 0.35).outputs[0]
    wobble = nodes.noise(vector, 1.1).outputs[1]
    cells = nodes.add(
        "TexVoronoi",
        {"feature": "DISTANCE_TO_EDGE"},
        Vector=nodes.mix(0.25, vector, wobble),
        Scale=0.22,
    )
    cracks = nodes.math("LESS_THAN", cells.outputs[0], 0.0035)
    colour = nodes.mix(patches, (0.045, 0.045, 0.047), (0.11, 0.108, 0.104))
    colour = nodes.mix(nodes.mul(grain, 0.5), colour, (0.15, 0.15, 0.15))
    colour = nodes.mix(nodes.mul(cracks, 0.8), colour, (0.012, 0.012, 0.012))
    wheels = nodes.math("SINE", nodes.mul(y, 3.6))
    wheels = nodes.math("ADD", nodes.mul(wheels, 0.5), 0.5)
    colour = nodes.mix(nodes.mul(wheels, 0.25), colour, (0.03, 0.03, 0.03))
    lines = _road_lines(nodes, x, nodes.math("ABSOLUTE", y))
    worn = nodes.math("ADD", grain, nodes.mul(patches, 0.5))
    worn = nodes.math("GREATER_THAN", worn, 0.68)
    lines = nodes.mul(lines, nodes.math("SUBTRACT", 1.0, nodes.mul(worn, 0.5)))
    paint(nodes, shader, Base_Color=nodes.mix(lines, colour, (0.62, 0.62, 0.58)), Roughness=0.82)
    stones = nodes.add("TexVoronoi", Vector=vector, Scale=160.0)
    uneven = nodes.add("Bump", Strength=0.5, Distance=0.01, Height=stones.outputs[0])
    nodes.link(uneven, shader.inputs["Normal"])
    return material


def _road_lines(nodes: Nodes, x: Any, abs_y: Any) -> Any:
    """1 on the dashed centre line, the lane edges and the bays' cross lines."""

    def share_of(period_m: float) -> Any:
        return nodes.math("FRACT", nodes.math("DIVIDE", nodes.math("ADD", x, 400.0), period_m))

    dashes = nodes.math("LESS_THAN", share_of(9.0), 0.34)
    centre = nodes.mul(nodes.math("LESS_THAN", abs_y, 0.07), dashes)
    edge = nodes.math("COMPARE", abs_y, LANE_EDGE_M, 0.06)
    is_bay = nodes.math("GREATER_THAN", abs_y, LANE_EDGE_M)
    bays = nodes.mul(is_bay, nodes.math("LESS_THAN", share_of(BAY_LENGTH_M), 0.016))
    return nodes.maximum(centre, edge, bays)


def _slabs() -> bpy.types.Material:
    material, nodes, shader = new_surface("slabs")
    vector = nodes.add("TexCoord").outputs["Object"]
    slabs = nodes.add(
        "TexBrick",
        Vector=vector,
        Scale=1.6,
        Mortar_Size=0.012,
        Brick_Width=0.8,
        Row_Height=0.8,
        Color1=(0.30, 0.29, 0.27),
        Color2=(0.24, 0.235, 0.22),
        Mortar=(0.09, 0.085, 0.08),
    )
    stains = nodes.mul(nodes.noise(vector, 1.2).outputs[0], 0.6)
    colour = nodes.mix(stains, slabs.outputs[0], (0.16, 0.155, 0.145))
    paint(nodes, shader, Base_Color=colour, Roughness=0.85)
    return material


def _rectangle(
    name: str, x0: float, y0: float, x1: float, y1: float, z: float, material: bpy.types.Material
) -> None:
    corners = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    add_object(name, mesh(name, corners, [(0, 1, 2, 3)], [material]))


def add_road(x0: int, x1: int) -> None:
    """Carriageway with markings, kerbs of 1 m stones, pavements, and earth around."""
    half = CARRIAGEWAY_HALF_M
    _rectangle("road", x0, -half, x1, half, 0, _asphalt())
    stones = [
        (k + 0.004, min(inner, outer), -0.1, k + 0.996, max(inner, outer), 0.13)
        for inner, outer in ((half, KERB_OUTER_M), (-half, -KERB_OUTER_M))
        for k in range(x0, x1)
    ]
    kerb = speckled("kerb", (0.38, 0.37, 0.35), 0.85, bump=0.3, scale=15)
    add_object("kerb", boxes("kerb", stones, [kerb]))
    slabs = _slabs()
    _rectangle("pavement", x0, KERB_OUTER_M, x1, HOUSE_LINE_M, PAVEMENT_Z_M, slabs)
    _rectangle("pavement", x0, -HOUSE_LINE_M, x1, -KERB_OUTER_M, PAVEMENT_Z_M, slabs)
    earth = speckled("earth", (0.13, 0.12, 0.09), 0.95, scale=0.5, spread=0.5)
    _rectangle("earth", -300, -300, 500, 300, -0.15, earth)


def add_fire_lane(x_span: tuple[float, float], kerb_y: float) -> None:
    """A double yellow line along the kerb."""
    (x0, x1), z, half = x_span, 0.004, 0.05
    vertices, faces = [], []
    for y in (kerb_y, kerb_y + 0.22):
        first = len(vertices)
        vertices += [(x0, y + half, z), (x1, y + half, z), (x1, y - half, z), (x0, y - half, z)]
        faces.append((first, first + 1, first + 2, first + 3))
    yellow = speckled("yellow", (0.62, 0.42, 0.03), 0.7, spread=0.25, scale=8)
    add_object("fire_lane", mesh("fire_lane", vertices, faces, [yellow]))


def _wall(index: int, light: Sequence[float], dark: Sequence[float], is_brick: bool) -> Any:
    material, nodes, shader = new_surface(f"wall{index}")
    vector, x, y, z = nodes.object_xyz()
    noise = nodes.noise(vector, 0.6).outputs[0]
    if is_brick:
        unrolled = nodes.add("CombineXYZ", X=nodes.math("ADD", x, y), Y=z)
        base = nodes.add(
            "TexBrick",
            Vector=unrolled,
            Scale=4.5,
            Mortar_Size=0.018,
            Color1=light,
            Color2=dark,
            Mortar=(0.35, 0.33, 0.3),
        ).outputs[0]
    else:
        base = nodes.mix(noise, light, dark)
    colour = nodes.mix(nodes.mul(noise, 0.45), base, [part * 0.5 for part in light])
    low = nodes.math("SUBTRACT", 1.2, nodes.mul(z, 0.5), clamp=True)
    grime = nodes.mul(low, 0.5, noise)
    colour = nodes.mix(grime, colour, (0.08, 0.075, 0.07))
    paint(nodes, shader, Base_Color=colour, Roughness=0.9)
    return material


def _window_glass() -> bpy.types.Material:
    """Dark panes, each with its own curtain or none."""
    material, nodes, shader = new_surface("window")
    snapped = nodes.add("VectorMath", {"operation": "SNAP"})
    nodes.link(nodes.add("TexCoord").outputs["Object"], snapped.inputs[0])
    snapped.inputs[1].default_value = (2.6, 50, 3.1)
    pane = nodes.add("TexWhiteNoise", Vector=snapped)
    stops = [
        (0.0, (0.01, 0.012, 0.015)),
        (0.55, (0.03, 0.035, 0.04)),
        (0.8, (0.22, 0.2, 0.17)),
        (1.0, (0.35, 0.33, 0.3)),
    ]
    colour = nodes.ramp(pane.outputs[0], stops)
    paint(nodes, shader, Base_Color=colour, Roughness=0.06, Coat_Weight=0.5)
    return material


_FRAME, _PLINTH, _GLASS, _DOOR = 1, 2, 3, 4


def _door(x: float) -> list[tuple[float, ...]]:
    return [
        (x - 0.55, -0.05, 0, x + 0.55, 0.01, 2.25, _DOOR),
        (x - 0.65, -0.09, 0, x - 0.55, 0.0, 2.35, _FRAME),
        (x + 0.55, -0.09, 0, x + 0.65, 0.0, 2.35, _FRAME),
        (x - 0.65, -0.09, 2.25, x + 0.65, 0.0, 2.4, _FRAME),
    ]


def _window(x: float, z: float) -> list[tuple[float, ...]]:
    half, top = 0.6, z + 1.55
    return [
        (x - half, -0.012, z, x + half, 0.01, top, _GLASS),
        (x - half - 0.08, -0.05, z, x - half, 0.0, top, _FRAME),
        (x + half, -0.05, z, x + half + 0.08, 0.0, top, _FRAME),
        (x - half - 0.08, -0.05, top, x + half + 0.08, 0, z + 1.65, _FRAME),
        (x - half - 0.15, -0.14, z - 0.08, x + half + 0.15, 0, z, _FRAME),
        (x - 0.03, -0.04, z, x + 0.03, 0, top, _FRAME),
        (x - half, -0.035, z + 0.98, x + half, 0, z + 1.03, _FRAME),
    ]


def _house(width: float, floors: int) -> list[tuple[float, ...]]:
    height = floors * 3.1 + 0.9
    parts: list[tuple[float, ...]] = [
        (0, 0, 0, width - 0.02, 8, height, 0),
        (-0.05, -0.18, height - 0.25, width, 0.3, height, _FRAME),
        (0, -0.06, 0, width - 0.02, 0, 0.55, _PLINTH),
    ]
    columns = int(width / 2.6)
    for floor in range(floors):
        for column in range(columns):
            x = (column + 0.5) * width / columns
            is_door = floor == 0 and column == columns // 2
            parts += _door(x) if is_door else _window(x, floor * 3.1 + 1.05)
    return parts


def _gable_roof(x: float, width: float, side: int, height: float, tiles: Any) -> bpy.types.Mesh:
    eaves, ridge, back = (side * (HOUSE_LINE_M + d) for d in (-0.3, 4.0, 8.3))
    points = [
        (x - 0.2, eaves, height),
        (x + width, eaves, height),
        (x + width, ridge, height + 2.6),
        (x - 0.2, ridge, height + 2.6),
        (x - 0.2, back, height),
        (x + width, back, height),
    ]
    return mesh("roof", points, [(0, 1, 2, 3), (3, 2, 5, 4)], [tiles])


def add_houses(rng: random.Random, x0: float, x1: float) -> None:
    """Two rows of houses of two to four floors, with a gap here and there."""
    colours = (
        ((0.30, 0.12, 0.08), (0.22, 0.09, 0.06), True),
        ((0.55, 0.48, 0.36), (0.5, 0.43, 0.32), False),
        ((0.42, 0.40, 0.38), (0.36, 0.35, 0.33), False),
        ((0.36, 0.20, 0.13), (0.28, 0.15, 0.1), True),
        ((0.62, 0.58, 0.5), (0.58, 0.54, 0.47), False),
    )
    walls = [_wall(index, *colour) for index, colour in enumerate(colours)]
    light_frame = speckled("frame_light", (0.7, 0.7, 0.68), 0.5, spread=0.05)
    dark_frame = speckled("frame_dark", (0.07, 0.06, 0.05), 0.5)
    glass = _window_glass()
    tiles = speckled("tiles", (0.10, 0.06, 0.05), 0.9, scale=8)
    door = speckled("door", (0.10, 0.04, 0.03), 0.4)
    for side in (1, -1):
        x = x0
        while x < x1:
            width = rng.choice([8, 10.5, 13, 15.6])
            floors = rng.choice([2, 3, 3, 4])
            wall = walls[rng.randrange(5)]
            frame = light_frame if rng.random() < 0.6 else dark_frame
            materials = [wall, frame, walls[2], glass, door]
            house = boxes("house", _house(width, floors), materials)
            corner = x if side > 0 else x + width
            turn = 0 if side > 0 else math.pi
            add_object("house", house, (corner, side * HOUSE_LINE_M, 0.1), (0, 0, turn))
            roof = _gable_roof(x, width, side, floors * 3.1 + 0.9, tiles)
            add_object("roof", roof)
            x += width
            if rng.random() < 0.22:
                x += 4


class _TreeMesh:
    """Trunk, limbs and leaves (four-cornered, one by one) in one mesh."""

    def __init__(self) -> None:
        self.vertices: list[Vector] = []
        self.faces: list[tuple[int, ...]] = []
        self.face_materials: list[int] = []

    def limb(self, start: Vector, end: Vector, r0: float, r1: float, sides: int = 8) -> None:
        first = len(self.vertices)
        along = (end - start).normalized()
        u = along.orthogonal().normalized()
        w = along.cross(u)
        for centre, radius in ((start, r0), (end, r1)):
            for i in range(sides):
                a = 2 * math.pi * i / sides
                self.vertices.append(centre + u * math.cos(a) * radius + w * math.sin(a) * radius)
        for i in range(sides):
            j = (i + 1) % sides
            self.faces.append((first + i, first + j, first + sides + j, first + sides + i))
            self.face_materials.append(1)

    def leaf(self, rng: random.Random, centre: Vector, radius: float) -> None:
        def gauss(lift: float = 0.0) -> Vector:
            return Vector((rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1) + lift)).normalized()

        point = centre + gauss() * radius * (rng.random() ** 0.4)
        point.z = centre.z + (point.z - centre.z) * 0.8
        normal = gauss(0.6)
        u = normal.orthogonal().normalized()
        w = normal.cross(u)
        size = rng.uniform(0.07, 0.13)
        a = rng.random() * 6.28
        u, w = u * math.cos(a) + w * math.sin(a), w * math.cos(a) - u * math.sin(a)
        first = len(self.vertices)
        across, along = u * size * 1.5, w * size * 0.7
        self.vertices.extend([point - across, point + along, point + across, point - along])
        self.faces.append((first, first + 1, first + 2, first + 3))
        self.face_materials.append(0)


def _tree(rng: random.Random, materials: list[bpy.types.Material], height: float) -> Any:
    tree = _TreeMesh()
    top = Vector((rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), height * 0.45))
    tree.limb(Vector((0, 0, 0)), top, 0.16, 0.11)
    clumps = []
    for _ in range(16):
        a = rng.random() * 2 * math.pi
        reach = rng.uniform(0.3, 1.7)
        z = height * rng.uniform(0.45, 0.95) - reach * 0.35
        centre = Vector((reach * math.cos(a), reach * math.sin(a), z))
        clumps.append((centre, rng.uniform(0.55, 1.0)))
        tree.limb(top - Vector((0, 0, rng.uniform(0, 0.6))), centre, 0.05, 0.015, 5)
    for _ in range(3500):
        tree.leaf(rng, *rng.choice(clumps))
    return mesh("tree", tree.vertices, tree.faces, materials, tree.face_materials)


def add_trees(rng: random.Random, places_xy: Sequence[tuple[float, float]]) -> None:
    """Low, sparse trees: they must not hide the street from above."""
    leaf, nodes, shader = new_surface("leaf")
    noise = nodes.noise(nodes.add("TexCoord").outputs["Object"], 3.0, 3.0)
    green = nodes.mix(noise.outputs[0], (0.035, 0.085, 0.015), (0.11, 0.17, 0.03))
    paint(nodes, shader, Base_Color=green, Roughness=0.5)
    through = nodes.add("BsdfTranslucent", Color=green)
    both = nodes.add("MixShader")
    for socket, value in zip(both.inputs, (0.35, shader, through), strict=True):
        nodes.feed(socket, value)
    nodes.link(both, nodes.tree.nodes["Material Output"].inputs["Surface"])
    bark = speckled("bark", (0.09, 0.065, 0.045), 0.95, bump=0.6, scale=25)
    models = [_tree(rng, [leaf, bark], rng.uniform(5.0, 6.0)) for _ in range(3)]
    for k, (x, y) in enumerate(places_xy):
        add_object("tree", models[k % 3], (x, y, 0.12), (0, 0, k * 1.3), 0.75)
