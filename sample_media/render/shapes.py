"""Meshes from numbers: boxes, turned profiles, spheres, and the objects that carry them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import bmesh
import bpy
from mathutils import Vector

Materials = Sequence[bpy.types.Material]
_BOX_FACES = (
    (0, 3, 2, 1),
    (4, 5, 6, 7),
    (0, 1, 5, 4),
    (1, 2, 6, 5),
    (2, 3, 7, 6),
    (3, 0, 4, 7),
)


def mesh(
    name: str,
    vertices: Sequence[Any],
    faces: Sequence[Any],
    materials: Materials = (),
    face_materials: Sequence[int] | None = None,
    is_smooth: bool = False,
) -> bpy.types.Mesh:
    """A mesh; `face_materials` indexes `materials` face by face."""
    made = bpy.data.meshes.new(name)
    made.from_pydata([tuple(vertex) for vertex in vertices], [], faces)
    made.update()
    for material in materials:
        made.materials.append(material)
    if face_materials is not None:
        made.polygons.foreach_set("material_index", face_materials)
    if is_smooth:
        made.polygons.foreach_set("use_smooth", [True] * len(made.polygons))
    return made


def add_object(
    name: str,
    data: Any,
    location: Sequence[float] = (0, 0, 0),
    rotation: Sequence[float] = (0, 0, 0),
    scale: float | Sequence[float] = 1.0,
    parent: bpy.types.Object | None = None,
) -> bpy.types.Object:
    """An object in the scene; `data` None makes an empty, to be a parent."""
    made = bpy.data.objects.new(name, data)
    made.location = location
    made.rotation_euler = rotation
    made.scale = scale if isinstance(scale, Sequence) else (scale,) * 3
    made.parent = parent
    bpy.context.scene.collection.objects.link(made)
    return made


def boxes(name: str, corners: Sequence[Sequence[float]], materials: Materials) -> bpy.types.Mesh:
    """Boxes (x0, y0, z0, x1, y1, z1[, index of the material]) in one mesh."""
    vertices: list[tuple[float, ...]] = []
    faces, face_materials = [], []
    for x0, y0, z0, x1, y1, z1, *index in corners:
        first = len(vertices)
        for z in (z0, z1):
            vertices += [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
        faces += [tuple(first + k for k in face) for face in _BOX_FACES]
        face_materials += [index[0] if index else 0] * 6
    return mesh(name, vertices, faces, materials, face_materials)


def lathe(
    name: str,
    profile: Sequence[tuple[float, float]],
    materials: Materials,
    segments: int = 32,
    axis: str = "z",
    ring_materials: Sequence[int] | None = None,
) -> bpy.types.Mesh:
    """A profile of (radius, height) turned about the z or y axis."""
    vertices: list[tuple[float, float, float]] = []
    faces, face_materials = [], []
    for radius, height in profile:
        for k in range(segments):
            angle = 2 * math.pi * k / segments
            a, b = radius * math.cos(angle), radius * math.sin(angle)
            vertices.append((a, b, height) if axis == "z" else (a, height, b))
    for ring in range(len(profile) - 1):
        low, high = ring * segments, (ring + 1) * segments
        for k in range(segments):
            after = (k + 1) % segments
            face = (low + k, low + after, high + after, high + k)
            faces.append(face if axis == "z" else face[::-1])
            face_materials.append(ring_materials[ring] if ring_materials else 0)
    return mesh(name, vertices, faces, materials, face_materials, is_smooth=True)


def sphere(
    name: str,
    subdivisions: int,
    material: bpy.types.Material,
    shape: Callable[[Vector], Vector] = lambda point: point,
) -> bpy.types.Mesh:
    """A unit sphere whose every point is moved by `shape`."""
    ball = bmesh.new()
    bmesh.ops.create_icosphere(ball, subdivisions=subdivisions, radius=1)
    for vertex in ball.verts:
        vertex.co = shape(vertex.co.copy())
    made = bpy.data.meshes.new(name)
    ball.to_mesh(made)
    ball.free()
    made.materials.append(material)
    return made


def sharpen(made: bpy.types.Mesh, angle_deg: float) -> bpy.types.Mesh:
    """The same mesh, smooth except at edges sharper than the angle."""
    made.polygons.foreach_set("use_smooth", [True] * len(made.polygons))
    made.set_sharp_from_angle(angle=math.radians(angle_deg))
    return made


def subdivided(made: bpy.types.Mesh, levels: int) -> bpy.types.Mesh:
    """A new mesh: the smooth limit of this one, creases kept."""
    carrier = add_object("carrier", made)
    modifier = carrier.modifiers.new("subdivide", "SUBSURF")
    modifier.levels = modifier.render_levels = levels
    return _consume(carrier)


def without(made: bpy.types.Mesh, cutters: Sequence[bpy.types.Object]) -> bpy.types.Mesh:
    """A new mesh with the cutters' volumes taken away; the cutters are removed."""
    carrier = add_object("carrier", made)
    for cutter in cutters:
        modifier = carrier.modifiers.new("cut", "BOOLEAN")
        modifier.object = cutter
        modifier.operation = "DIFFERENCE"
        modifier.solver = "EXACT"
        modifier.material_mode = "TRANSFER"
    bpy.context.view_layer.update()
    result = _consume(carrier)
    for cutter in cutters:
        bpy.data.objects.remove(cutter)
    return result


def _consume(carrier: bpy.types.Object) -> bpy.types.Mesh:
    """What the object's modifiers make of its mesh; the object goes."""
    graph = bpy.context.evaluated_depsgraph_get()
    made = bpy.data.meshes.new_from_object(carrier.evaluated_get(graph))
    bpy.data.objects.remove(carrier)
    return made
