"""Examples from reviews -> folders of labelled pictures and the manifest that joins them.

Confirmed boxes teach a box and no absence; each class's false ones are a source of their own, that
teaches this class's absence and no other's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from patrolvision.errors import ConfigError
from patrolvision.training.files import copy_whole, write_whole
from patrolvision.training.pictures import Looked, look_at
from patrolvision.training.problems import Problem
from patrolvision.training.reviews import Example, hardest_first, hardness_of

HARDNESS = "hardness.csv"
MANIFEST = "manifest.toml"
GROUP = "^(.+?)__(.+?)__"


def missed_of(path: Path) -> list[Example]:
    """The missed things of a file: a JSON line each with picture, class, xyxy, mission and place.

    picture is relative to the file. ConfigError names the line and field at fault.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            x1, y1, x2, y2 = (float(edge) for edge in value["xyxy"])
            picture, name = path.parent / str(value["picture"]), str(value["class"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}:{number}: expected picture, class and xyxy, got {line[:80]!r} ({error!r})"
            ) from error
        mission, place = str(value.get("mission", "")), str(value.get("place", ""))
        hard = hardness_of("missed", 0.0, 0.0)
        found.append(Example(picture, "missed", name, (x1, y1, x2, y2), hard, mission, place))
    return found


def write_review_set(
    out: Path,
    examples: Iterable[Example],
    classes: Sequence[str],
    *,
    licence: str,
    released: bool,
    limit: int | None = None,
) -> tuple[int, list[Problem]]:
    """Write sources and manifest.toml into out; how many pictures, and those that are none.

    Of more than `limit` examples the hardest are kept. Several boxes of one missed picture become
    one picture. ConfigError if nothing is left.
    """
    ordered = hardest_first(examples)[: limit or None]
    problems: list[Problem] = []
    sources: dict[str, dict[str, float]] = {}
    written = 0
    for same in _by_picture(ordered):
        looked = look_at(same[0].picture)
        if isinstance(looked, str):
            problems.append(Problem(same[0].picture, None, looked))
            continue
        source = _source_of(same[0])
        name = _name_of(same[0], looked)
        copy_whole(same[0].picture, out / source / "images" / name)
        labels = [] if same[0].said == "false" else [_row(e, looked, classes) for e in same]
        text = "".join(labels).encode()
        write_whole((out / source / "labels" / name).with_suffix(".txt"), text)
        sources.setdefault(source, {})[name] = max(e.hardness for e in same)
        written += 1
    if not written:
        raise ConfigError(f"{out}: no verdict leads to a picture to learn from")
    for source, hardness in sources.items():
        rows = sorted(hardness.items(), key=lambda pair: (-pair[1], pair[0]))
        table = "file,hardness\n" + "".join(f"{name},{value}\n" for name, value in rows)
        write_whole(out / source / HARDNESS, table.encode())
        write_whole(out / source / "classes.txt", "".join(f"{c}\n" for c in classes).encode())
    write_whole(out / MANIFEST, manifest_of(sources, classes, licence, released).encode())
    return written, problems


def manifest_of(
    sources: Mapping[str, Any], classes: Sequence[str], licence: str, released: bool
) -> str:
    """The manifest of review sources, as TOML."""
    lines = ["# Made from reviewers' verdicts; see docs/howto/retraining.md.", 'name = "reviews"']
    lines += [f"classes = {json.dumps(list(classes))}", ""]
    lines += ["[split]", "val_share = 0.2", "test_share = 0.0", ""]
    identity = ", ".join(f"{json.dumps(name)} = {json.dumps(name)}" for name in classes)
    for source in sorted(sources):
        taught = [source.removeprefix("false_")] if source.startswith("false_") else []
        lines += [
            "[[source]]",
            f"name = {json.dumps(source)}",
            f"path = {json.dumps(source)}",
            f"class_map = {{ {identity} }}",
            f"labelled = {json.dumps(taught)}",
            f"group = {json.dumps(GROUP)}",
            f"hardness = {json.dumps(HARDNESS)}",
            f"licence = {json.dumps(licence, ensure_ascii=False)}",
            f"released = {str(released).lower()}",
            "",
        ]
    return "\n".join(lines)


def _by_picture(examples: Iterable[Example]) -> list[list[Example]]:
    groups: dict[tuple[Path, str], list[Example]] = {}
    for example in examples:
        groups.setdefault((example.picture, _source_of(example)), []).append(example)
    return list(groups.values())


def _source_of(example: Example) -> str:
    return f"false_{example.class_name}" if example.said == "false" else example.said


def _name_of(example: Example, looked: Looked) -> str:
    """mission__place__hash.suffix: what must stay together stands in the name."""
    alone = f"alone-{looked.sha256[:8]}"
    parts = (_safe(example.mission) or alone, _safe(example.place) or alone, looked.sha256[:16])
    return "__".join(parts) + example.picture.suffix.lower()


def _safe(text: str) -> str:
    return (
        "".join(c if c.isalnum() or c in "-." else "_" for c in text).replace("__", "_").strip("_")
    )


def _row(example: Example, looked: Looked, classes: Sequence[str]) -> str:
    if example.class_name not in classes:
        raise ConfigError(f"{example.picture}: class {example.class_name!r} is none of the set's")
    width, height = looked.size_wh
    x1, y1, x2, y2 = example.xyxy
    x1, x2 = (min(max(v / width, 0.0), 1.0) for v in (x1, x2))
    y1, y2 = (min(max(v / height, 0.0), 1.0) for v in (y1, y2))
    place = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
    index = classes.index(example.class_name)
    return f"{index} " + " ".join(f"{value:.6f}" for value in place) + "\n"
