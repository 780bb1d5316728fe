"""Blender's shader nodes in few words: a tree that is built by calls, and one everyday material.

A value handed to a node may be a number, a tuple, a node (its first output) or an output socket.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import bpy

Colour = Sequence[float]


def _output(value: Any) -> Any:
    """The output socket that `value` stands for, None if it is a constant."""
    if hasattr(value, "is_output"):
        return value
    return value.outputs[0] if hasattr(value, "outputs") else None


class Nodes:
    """One node tree under construction; arithmetic returns output sockets."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        tree.nodes.clear()

    def link(self, source: Any, socket: Any) -> None:
        self.tree.links.new(_output(source), socket)

    def feed(self, socket: Any, value: Any) -> None:
        """Link an output or set a constant."""
        if _output(value) is not None:
            self.link(value, socket)
        elif socket.type == "RGBA":
            socket.default_value = (*value[:3], 1)
        else:
            socket.default_value = value

    def add(self, kind: str, settings: dict[str, Any] | None = None, **inputs: Any) -> Any:
        """A node of the type `ShaderNode<kind>`; underscores in input names stand for spaces."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in (settings or {}).items():
            setattr(node, key, value)
        for key, value in inputs.items():
            self.feed(node.inputs[key.replace("_", " ")], value)
        return node

    def math(self, operation: str, *values: Any, clamp: bool = False) -> Any:
        node = self.add("Math", {"operation": operation, "use_clamp": clamp})
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]

    def mul(self, *values: Any) -> Any:
        return self._fold("MULTIPLY", values)

    def maximum(self, *values: Any) -> Any:
        return self._fold("MAXIMUM", values)

    def _fold(self, operation: str, values: Sequence[Any]) -> Any:
        total = values[0]
        for value in values[1:]:
            total = self.math(operation, total, value)
        return total

    def band(self, value: Any, low: float, high: float, soft: float = 0.004) -> Any:
        """1 where low < value < high, with soft edges."""
        rise = self.math("DIVIDE", self.math("SUBTRACT", value, low), soft, clamp=True)
        fall = self.math("DIVIDE", self.math("SUBTRACT", high, value), soft, clamp=True)
        return self.mul(rise, fall)

    def mix(self, factor: Any, first: Any, second: Any) -> Any:
        """The colour between two, from the first at factor 0 to the second at 1."""
        node = self.add("Mix", {"data_type": "RGBA"})
        for index, value in ((0, factor), (6, first), (7, second)):
            self.feed(node.inputs[index], value)
        return node.outputs[2]

    def ramp(self, factor: Any, stops: Iterable[tuple[float, Colour]]) -> Any:
        node = self.add("ValToRGB")
        self.link(factor, node.inputs[0])
        stops = list(stops)
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position = position
            element.color = (*colour[:3], 1)
        return node.outputs[0]

    def object_xyz(self) -> tuple[Any, Any, Any, Any]:
        """Object coordinates as one vector and as x, y, z."""
        vector = self.add("TexCoord").outputs["Object"]
        split = self.add("SeparateXYZ", Vector=vector)
        return vector, *split.outputs

    def noise(self, vector: Any, scale: float, detail: float = 4.0, **inputs: Any) -> Any:
        return self.add("TexNoise", Vector=vector, Scale=scale, Detail=detail, **inputs)


def new_material(name: str) -> tuple[bpy.types.Material, Nodes, Any]:
    """An empty material, its nodes and its output node."""
    material = bpy.data.materials.new(name)
    nodes = Nodes(material.node_tree)
    return material, nodes, nodes.add("OutputMaterial")


def new_surface(name: str) -> tuple[bpy.types.Material, Nodes, Any]:
    """A material with a principled surface: its nodes and that shader."""
    material, nodes, output = new_material(name)
    shader = nodes.add("BsdfPrincipled")
    nodes.link(shader, output.inputs["Surface"])
    return material, nodes, shader


def paint(nodes: Nodes, shader: Any, **inputs: Any) -> None:
    """Set or link inputs of a shader; underscores stand for spaces."""
    for key, value in inputs.items():
        nodes.feed(shader.inputs[key.replace("_", " ")], value)


def speckled(
    name: str,
    colour: Colour,
    roughness: float = 0.5,
    metallic: float = 0.0,
    bump: float = 0.0,
    scale: float = 20.0,
    spread: float = 0.25,
    **inputs: Any,
) -> bpy.types.Material:
    """A plain material whose brightness wanders by ± `spread`, and whose surface may be uneven."""
    material, nodes, shader = new_surface(name)
    noise = nodes.noise(nodes.add("TexCoord").outputs["Object"], scale)
    dark = [part * (1 - spread) for part in colour]
    bright = [min(1.0, part * (1 + spread)) for part in colour]
    base = nodes.mix(noise.outputs[0], dark, bright)
    paint(nodes, shader, Base_Color=base, Roughness=roughness, Metallic=metallic, **inputs)
    if bump:
        uneven = nodes.add("Bump", Strength=bump, Distance=0.02, Height=noise.outputs[0])
        nodes.link(uneven, shader.inputs["Normal"])
    return material
