"""A saloon or a hatchback, built from sections once and placed as often as wanted.

Car frame: x forward, y left, z up, origin on the ground under the middle; metres.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import bmesh
import bpy
from shading import new_surface, paint, speckled
from shapes import add_object, boxes, lathe, mesh, sharpen, sphere, subdivided, without

WHEEL_RADIUS_M = 0.325


@dataclass(frozen=True)
class Style:
    """The numbers in which one body differs from another."""

    name: str
    sections: tuple[tuple[float, float, float, float], ...]  # x, top, half width, bottom
    axles_x: tuple[float, float]
    door_gaps_x: tuple[float, float, float]
    sill: tuple[tuple[float, float], ...]  # x, z of the glass's lower corners, front to rear
    roof: tuple[tuple[float, float], ...]  # x, z of its upper corners
    sill_middle: tuple[tuple[float, float], tuple[float, float]]  # front and rear, at y = 0
    has_rear_side_glass: bool
    spokes: int
    spoke_width: float

    @property
    def rear_x(self) -> float:
        return self.sections[0][0]

    @property
    def front_x(self) -> float:
        return self.sections[-1][0]


STYLES = {
    "sedan": Style(
        "sedan",
        (
            (-2.22, 0.72, 0.58, 0.44),
            (-2.20, 0.86, 0.68, 0.36),
            (-2.12, 0.945, 0.79, 0.29),
            (-1.9, 0.985, 0.85, 0.25),
            (-1.5, 0.99, 0.885, 0.21),
            (-1.1, 0.975, 0.90, 0.19),
            (-0.5, 0.955, 0.905, 0.18),
            (0.2, 0.945, 0.905, 0.18),
            (0.8, 0.93, 0.90, 0.18),
            (1.15, 0.905, 0.895, 0.19),
            (1.5, 0.855, 0.88, 0.2),
            (1.85, 0.785, 0.84, 0.22),
            (2.08, 0.71, 0.75, 0.24),
            (2.18, 0.63, 0.64, 0.29),
            (2.21, 0.54, 0.55, 0.36),
        ),
        (1.32, -1.33),
        (0.98, -0.12, -1.08),
        ((1.08, 0.905), (-0.10, 0.935), (-1.02, 0.95), (-1.72, 0.965)),
        ((0.26, 1.375), (-0.20, 1.425), (-0.85, 1.405), (-1.12, 1.375)),
        ((1.22, 0.915), (-1.86, 0.97)),
        False,
        10,
        0.016,
    ),
    "hatch": Style(
        "hatch",
        (
            (-2.04, 0.74, 0.60, 0.44),
            (-2.03, 0.88, 0.70, 0.36),
            (-1.97, 0.955, 0.80, 0.29),
            (-1.8, 0.985, 0.85, 0.25),
            (-1.5, 0.985, 0.885, 0.21),
            (-1.1, 0.975, 0.895, 0.19),
            (-0.5, 0.96, 0.90, 0.18),
            (0.2, 0.95, 0.90, 0.18),
            (0.8, 0.935, 0.895, 0.18),
            (1.15, 0.91, 0.89, 0.19),
            (1.45, 0.865, 0.875, 0.2),
            (1.72, 0.80, 0.84, 0.22),
            (1.92, 0.73, 0.76, 0.24),
            (2.02, 0.645, 0.66, 0.29),
            (2.05, 0.55, 0.56, 0.36),
        ),
        (1.30, -1.27),
        (0.98, -0.12, -1.0),
        ((1.05, 0.91), (-0.10, 0.94), (-1.00, 0.955), (-1.90, 0.965)),
        ((0.26, 1.405), (-0.20, 1.465), (-0.95, 1.45), (-1.60, 1.41)),
        ((1.18, 0.92), (-2.0, 0.97)),
        True,
        5,
        0.034,
    ),
}
_SILL_HALF_WIDTHS = (0.76, 0.80, 0.79, 0.66)
_ROOF_HALF_WIDTHS = (0.55, 0.585, 0.575, 0.53)


def _paint_material(style: Style) -> bpy.types.Material:
    """Paint in the object's own colour, with gaps, grille, lamps and dirt drawn into it."""
    material, nodes, shader = new_surface(f"paint_{style.name}")
    vector, x, y, z = nodes.object_xyz()
    abs_y = nodes.math("ABSOLUTE", y)
    band, both, either = nodes.band, nodes.mul, nodes.maximum
    rear = style.rear_x + 0.02

    side = band(abs_y, 0.7, 9)
    doors = either(*[band(x, gap - 0.007, gap + 0.007, 0.003) for gap in style.door_gaps_x])
    gaps = either(
        both(side, band(z, 0.34, 0.96), doors),
        both(side, band(x, -1.08, 0.98), band(z, 0.335, 0.35)),
        both(band(abs_y, 0.70, 0.712, 0.003), band(x, 1.0, 2.0), band(z, 0.7, 2.0)),
        both(band(x, 1.6, 9), band(z, 0.66, 0.672, 0.003)),
        both(
            band(x, -9, rear + 0.25),
            either(
                both(band(z, 0.60, 0.612, 0.003), band(abs_y, -9, 0.6)),
                both(band(abs_y, 0.60, 0.612, 0.003), band(z, 0.60, 0.66)),
            ),
        ),
    )
    cladding = band(z, -9, 0.30, 0.01)
    bumper = both(band(x, -9, rear + 0.1), band(abs_y, -9, 0.62), band(z, 0.2, 0.36))
    openings = either(band(z, 0.57, 0.655), band(z, 0.30, 0.44))
    grille = both(band(x, 1.9, 9), band(abs_y, -9, 0.46), openings)
    headlamp = both(band(x, 1.62, 9), band(abs_y, 0.50, 0.84), band(z, 0.575, 0.69))
    tail_lamp = both(band(x, -9, rear + 0.30), band(abs_y, 0.50, 9), band(z, 0.66, 0.86))

    def stripes(rate: float, level: float) -> Any:
        return nodes.math("GREATER_THAN", nodes.math("SINE", nodes.mul(z, rate)), level)

    colour = nodes.mix(gaps, nodes.add("ObjectInfo").outputs["Color"], (0.01, 0.01, 0.01))
    colour = nodes.mix(either(cladding, bumper), colour, (0.02, 0.02, 0.022))
    slats = nodes.mix(stripes(260.0, 0.2), (0.008, 0.008, 0.008), (0.06, 0.06, 0.06))
    colour = nodes.mix(grille, colour, slats)
    facets = nodes.add("TexVoronoi", Vector=vector, Scale=14.0)
    lamp_stops = [(0, (0.95,) * 3), (0.5, (0.55, 0.56, 0.58)), (1, (0.08, 0.08, 0.09))]
    colour = nodes.mix(headlamp, colour, nodes.ramp(facets, lamp_stops))
    red = nodes.mix(stripes(90.0, -0.3), (0.18, 0.0, 0.0), (0.5, 0.012, 0.01))
    colour = nodes.mix(tail_lamp, colour, red)
    splash = nodes.math("SUBTRACT", 0.75, z, clamp=True)
    dirt = nodes.mul(splash, nodes.noise(vector, 3.5).outputs[0], 0.7)
    colour = nodes.mix(dirt, colour, (0.16, 0.14, 0.11))

    matte = either(gaps, cladding, bumper, grille)
    glossy = nodes.math("SUBTRACT", 1.0, either(matte, tail_lamp))
    paint(
        nodes,
        shader,
        Base_Color=colour,
        Roughness=nodes.math("ADD", 0.30, nodes.mul(matte, 0.3)),
        Metallic=nodes.mul(glossy, 0.35),
        Coat_Weight=nodes.math("SUBTRACT", 1.0, matte, clamp=True),
        Coat_Roughness=0.04,
    )
    return material


def _section(x: float, top: float, half: float, bottom: float) -> list[tuple[float, float, float]]:
    """Ten points of the left half of a cross-section, from keel to ridge."""
    h = top - bottom
    outline = (
        (0, bottom),
        (0.80 * half, bottom),
        (0.95 * half, bottom + 0.07 * h),
        (half, bottom + 0.32 * h),
        (0.992 * half, bottom + 0.58 * h),
        (0.985 * half, bottom + 0.76 * h),
        (0.955 * half, bottom + 0.91 * h),
        (0.86 * half, top),
        (0.5 * half, top + 0.022),
        (0, top + 0.03),
    )
    return [(x, y, z) for y, z in outline]


def _body(style: Style, coat: bpy.types.Material, black: bpy.types.Material) -> bpy.types.Mesh:
    """The lower body with its wheel arches cut out."""
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, ...]] = []
    rings = []
    for section in style.sections:
        left, right = [], []
        for x, y, z in _section(*section):
            vertices.append((x, y, z))
            left.append(len(vertices) - 1)
        for k, index in enumerate(left):
            if k in (0, 9):
                right.append(index)
                continue
            x, y, z = vertices[index]
            vertices.append((x, -y, z))
            right.append(len(vertices) - 1)
        rings.append((left, right))
    for (a, a_right), (b, b_right) in pairwise(rings):
        for i in range(9):
            faces.append((a[i], b[i], b[i + 1], a[i + 1]))
            faces.append((a_right[i + 1], b_right[i + 1], b_right[i], a_right[i]))
    for end, (left, right) in ((0, rings[0]), (1, rings[-1])):
        for i in range(9):
            face = list(dict.fromkeys([left[i], left[i + 1], right[i + 1], right[i]]))
            faces.append(tuple(face if end == 0 else face[::-1]))
    solid = subdivided(mesh("body", vertices, faces, [coat, black], is_smooth=True), 2)
    arches = [_arch(axle, side, black) for axle in style.axles_x for side in (1, -1)]
    return sharpen(without(solid, arches), 40)


def _arch(axle_x: float, side: int, black: bpy.types.Material) -> bpy.types.Object:
    """A drum to cut one wheel arch with."""
    drum = lathe("arch", [(0, 0), (0.385, 0), (0.385, 0.5), (0, 0.5)], [black], 40, axis="y")
    closed = bmesh.new()
    closed.from_mesh(drum)
    bmesh.ops.remove_doubles(closed, verts=closed.verts, dist=1e-5)
    bmesh.ops.recalc_face_normals(closed, faces=closed.faces)
    closed.to_mesh(drum)
    closed.free()
    return add_object("arch", drum, (axle_x, 0.58 if side > 0 else -1.08, 0.335))


class _Greenhouse:
    """Windows, pillars and roof as one creased cage; every pane is inset into its frame."""

    def __init__(self, style: Style) -> None:
        self.cage = bmesh.new()
        self.edge_crease = self.cage.edges.layers.float.new("crease_edge")
        self.point_crease = self.cage.verts.layers.float.new("crease_vert")
        self.panes: dict[str, list[Any]] = {}
        self._build_faces(style)
        bmesh.ops.recalc_face_normals(self.cage, faces=self.cage.faces)
        if sum(face.normal.z for face in self.cage.faces) < 0:
            bmesh.ops.reverse_faces(self.cage, faces=self.cage.faces)
        self._crease()
        glass = ["front", "rear", "left0", "left1", "right0", "right1"]
        if style.has_rear_side_glass:
            glass += ["left2", "right2"]
        for name in glass:
            self._glaze(name)

    def _row(
        self, corners: tuple[tuple[float, float], ...], widths: tuple[float, ...], side: int
    ) -> list[Any]:
        return [
            self.cage.verts.new((x, side * y, z)) for (x, z), y in zip(corners, widths, strict=True)
        ]

    def _build_faces(self, style: Style) -> None:
        new_point, new_face = self.cage.verts.new, self.cage.faces.new
        sill_l = self._row(style.sill, _SILL_HALF_WIDTHS, 1)
        sill_r = self._row(style.sill, _SILL_HALF_WIDTHS, -1)
        roof_l = self._row(style.roof, _ROOF_HALF_WIDTHS, 1)
        roof_r = self._row(style.roof, _ROOF_HALF_WIDTHS, -1)
        overhang = (0.07, 0.0, 0.0, -0.06)
        ridge = [
            new_point((x + more, 0, z + 0.035))
            for (x, z), more in zip(style.roof, overhang, strict=True)
        ]
        (front_x, front_z), (rear_x, rear_z) = style.sill_middle
        nose, tail = new_point((front_x, 0, front_z)), new_point((rear_x, 0, rear_z))
        skirt_l, skirt_r = (
            [new_point((v.co.x, v.co.y * 1.02, v.co.z - 0.12)) for v in row]
            for row in (sill_l, sill_r)
        )
        self.panes["front"] = [
            new_face((sill_l[0], roof_l[0], ridge[0], nose)),
            new_face((nose, ridge[0], roof_r[0], sill_r[0])),
        ]
        self.panes["rear"] = [
            new_face((roof_l[3], sill_l[3], tail, ridge[3])),
            new_face((ridge[3], tail, sill_r[3], roof_r[3])),
        ]
        for i in range(3):
            j = i + 1
            new_face((roof_l[i], roof_l[j], ridge[j], ridge[i]))
            new_face((ridge[i], ridge[j], roof_r[j], roof_r[i]))
            self.panes[f"left{i}"] = [new_face((sill_l[i], sill_l[j], roof_l[j], roof_l[i]))]
            self.panes[f"right{i}"] = [new_face((sill_r[j], sill_r[i], roof_r[i], roof_r[j]))]
            new_face((skirt_l[i], skirt_l[j], sill_l[j], sill_l[i]))
            new_face((skirt_r[j], skirt_r[i], sill_r[i], sill_r[j]))
        self.rows = (sill_l, sill_r, roof_l, roof_r, ridge)

    def _crease(self) -> None:
        def set_crease(a: Any, b: Any, value: float) -> None:
            edge = self.cage.edges.get((a, b))
            if edge:
                edge[self.edge_crease] = value

        sill_l, sill_r, roof_l, roof_r, ridge = self.rows
        for row, value in ((sill_l, 1.0), (sill_r, 1.0), (roof_l, 0.55), (roof_r, 0.55)):
            for a, b in pairwise(row):
                set_crease(a, b, value)
        for i in (0, 3):
            for roof, sill in ((roof_l, sill_l), (roof_r, sill_r)):
                set_crease(roof[i], sill[i], 0.6)
                set_crease(roof[i], ridge[i], 0.5)

    def _glaze(self, name: str) -> None:
        is_side = name not in ("front", "rear")
        frame = bmesh.ops.inset_region(
            self.cage,
            faces=self.panes[name],
            thickness=0.036 if is_side else 0.045,
            depth=-0.008,
            use_even_offset=True,
        )
        for pane in self.panes[name]:
            pane.material_index = 1
            for edge in pane.edges:
                if all(face.material_index == 1 for face in edge.link_faces):
                    continue
                edge[self.edge_crease] = 1.0
                if is_side:
                    # Creased edges alone are rounded along their run: an oval window.
                    for corner in edge.verts:
                        corner[self.point_crease] = 0.85
        if is_side:
            for face in frame["faces"]:
                face.material_index = 2

    def finished(self, materials: list[bpy.types.Material]) -> bpy.types.Mesh:
        made = bpy.data.meshes.new("greenhouse")
        self.cage.to_mesh(made)
        self.cage.free()
        for material in materials:
            made.materials.append(material)
        return sharpen(subdivided(made, 3), 50)


def _spokes(style: Style, metal: bpy.types.Material) -> bpy.types.Mesh:
    vertices, faces = [], []
    width = style.spoke_width
    stations = (
        (0.02, width, 0.085),
        (0.215, width * 0.8, 0.075),
        (0.215, width * 0.8, 0.05),
        (0.02, width, 0.05),
    )
    for k in range(style.spokes):
        angle = 2 * math.pi * k / style.spokes
        c, s = math.cos(angle), math.sin(angle)
        first = len(vertices)
        vertices += [
            (radius * c - sign * half * s, y, radius * s + sign * half * c)
            for radius, half, y in stations
            for sign in (-1, 1)
        ]
        shape = ((0, 1, 3, 2), (0, 2, 4, 6), (1, 7, 5, 3), (2, 3, 5, 4))
        faces += [tuple(first + index for index in face) for face in shape]
    return mesh("spokes", vertices, faces, [metal])


def _wheel(style: Style, black: bpy.types.Material) -> list[bpy.types.Mesh]:
    rubber = speckled("rubber", (0.022, 0.022, 0.022), 0.75, bump=0.15, scale=40)
    metal = speckled("rim", (0.55, 0.56, 0.58), 0.28, 0.9, spread=0.1)
    r = WHEEL_RADIUS_M
    tyre_profile = [(0.21, -0.10), (0.30, -0.105), (0.318, -0.09), (r, -0.06), (r, 0.06)]
    tyre_profile += [(0.318, 0.09), (0.30, 0.105), (0.225, 0.10), (0.215, 0.07)]
    tyre = sharpen(lathe("tyre", tyre_profile, [rubber], 48, axis="y"), 40)
    rim_profile = [(0.232, 0.102), (0.215, 0.095), (0.205, 0.03), (0.0, 0.03)]
    rim = lathe("rim", rim_profile, [metal, black], 48, axis="y", ring_materials=[0, 0, 1])
    hub = lathe("hub", [(0.05, 0.06), (0.05, 0.092), (0.0, 0.095)], [metal], 24, axis="y")
    return [tyre, rim, _spokes(style, metal), hub]


class CarModel:
    """The meshes of one style, shared by every car of it."""

    def __init__(self, style_name: str) -> None:
        self.style = style = STYLES[style_name]
        coat = _paint_material(style)
        glass = speckled(
            "carglass",
            (0.012, 0.016, 0.016),
            0.03,
            spread=0.0,
            Coat_Weight=0.6,
            Coat_Roughness=0.02,
        )
        black = speckled("blacktrim", (0.015, 0.015, 0.015), 0.5)
        plate = speckled("plate", (0.75, 0.75, 0.72), 0.4, spread=0.03)
        self.letters = speckled("platetext", (0.01, 0.01, 0.02), 0.5)
        front, rear = style.front_x, style.rear_x
        self.parts: list[tuple[bpy.types.Mesh, dict[str, Any]]] = [
            (_body(style, coat, black), {}),
            (_Greenhouse(style).finished([coat, glass, black]), {}),
        ]
        wheel = _wheel(style, black)
        for axle in style.axles_x:
            for side in (1, -1):
                place = {
                    "location": (axle, side * 0.775, WHEEL_RADIUS_M),
                    "rotation": (0, 0, 0 if side > 0 else math.pi),
                }
                self.parts += [(part, place) for part in wheel]
        mirror = sharpen(sphere("mirror", 3, coat), 80)
        for side in (1, -1):
            place = {"location": (0.72, side * 0.93, 1.0), "scale": (0.07, 0.11, 0.07)}
            self.parts.append((mirror, place))
        trim = [
            (x - 0.09, side * 0.895 - 0.012, 0.80, x + 0.09, side * 0.895 + 0.012, 0.825)
            for x in (0.05, -0.92)
            for side in (1, -1)
        ]
        trim.append((-1.2, -0.70, 0.20, 1.2, 0.70, 0.3))
        self.parts.append((boxes("trim", trim, [black]), {}))
        plates = [
            (front + 0.005, -0.26, 0.40, front + 0.02, 0.26, 0.51),
            (rear - 0.015, -0.26, 0.48, rear - 0.005, 0.26, 0.59),
        ]
        self.parts.append((boxes("plates", plates, [plate]), {}))

    def place(
        self,
        name: str,
        location: tuple[float, float],
        heading_rad: float,
        colour: tuple[float, float, float],
        plate: str,
    ) -> list[bpy.types.Object]:
        """The objects of one car; the plates are invented."""
        root = add_object(name, None, (*location, 0), (0, 0, heading_rad))
        made = []
        for part, where in self.parts:
            one = add_object(f"{name}_{part.name}", part, parent=root, **where)
            one.color = (*colour, 1)
            made.append(one)
        ends = (
            ((self.style.front_x + 0.023, 0, 0.455), math.pi / 2),
            ((self.style.rear_x - 0.019, 0, 0.535), -math.pi / 2),
        )
        for where, turn in ends:
            text = bpy.data.curves.new(f"{name}_plate", "FONT")
            text.body, text.size = plate, 0.115
            text.align_x = text.align_y = "CENTER"
            text.materials.append(self.letters)
            add_object(text.name, text, where, (math.pi / 2, 0, turn), parent=root)
        return made
