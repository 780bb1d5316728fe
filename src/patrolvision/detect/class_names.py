"""The class names that a bare weights file carries inside or beside itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from patrolvision.errors import ModelError


def class_names_in(path: Path) -> tuple[str, ...]:
    """The classes of a .xml, .onnx or .pt file in the order of their index.

    Raises ModelError where the file does not tell: then it needs a card.
    """
    readers = {".xml": _from_openvino, ".onnx": _from_onnx, ".pt": _from_checkpoint}
    names = readers[path.suffix](path)
    if not names:
        raise ModelError(f"{path} does not say which classes it knows: give it a card.json")
    return names


def _from_openvino(path: Path) -> tuple[str, ...]:
    beside = path.with_name("metadata.yaml")  # ultralytics writes it; the labels inside lose blanks
    if beside.is_file():
        return _from_yaml(beside.read_text(encoding="utf-8"))
    try:
        labels = ElementTree.parse(path).find("rt_info/model_info/labels")
    except ElementTree.ParseError as error:
        raise ModelError(f"{path} is not an OpenVINO model: {error}") from error
    return () if labels is None else tuple(labels.get("value", "").split())


def _from_yaml(text: str) -> tuple[str, ...]:
    block = re.search(r"^names:\n((?:[ ]+\d+:.*\n?)+)", text, re.MULTILINE)
    if block is None:
        return ()
    lines = (line.split(":", 1) for line in block[1].splitlines())
    return _in_order({int(index): name.strip().strip("'\"") for index, name in lines})


def _from_onnx(path: Path) -> tuple[str, ...]:
    """The metadata entry "names", a Python dict in text, as ultralytics writes it.

    It lies near the file's end as plain text; a protobuf library for this alone is too much.
    """
    found = re.findall(rb"names\x12.{1,3}?(\{0: [^}]*\})", path.read_bytes()[-65536:], re.DOTALL)
    return _in_order(ast.literal_eval(found[-1].decode())) if found else ()


def _from_checkpoint(path: Path) -> tuple[str, ...]:
    from patrolvision.detect.checkpoint import class_names_of_checkpoint

    return _in_order(class_names_of_checkpoint(path))


def _in_order(names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(str(names[index]) for index in sorted(names))
