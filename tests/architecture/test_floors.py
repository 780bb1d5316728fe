"""The floors of docs/architecture.md: an import only goes down, never sideways."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "patrolvision"

STAGES = {
    "sources", "detect", "track", "observe", "coverage", "rules", "incidents", "tickets", "store",
    "relay", "evidence", "report", "training", "executors", "simulate",
}  # fmt: skip
DOORS = {
    "batch", "missions", "live", "follower", "early", "pacing", "retrain", "api", "demo", "fuse",
    "listing", "peek", "doctor", "bench", "hand", "deliver", "progress", "stopping", "curate",
    "releases", "evaluating", "reporting", "relaying", "rounds", "staff", "keeping", "looked",
    "sweeping",
}  # fmt: skip
FLOOR = {
    "types": 0, "errors": 0, "ports": 1, "geo": 1, "records": 1,
    **dict.fromkeys(STAGES, 2),
    "pipeline": 3, "desk": 3, "config": 4, "answers": 4, "wiring": 5, "neighbours": 5,
    **dict.fromkeys(DOORS, 6),
    "cli": 7, "__main__": 7,
}  # fmt: skip

HEAVY = ("numpy", "cv2", "av", "openvino", "torch", "ultralytics", "sqlalchemy", "fastapi", "rich")


def room(path: Path) -> str:
    """The top-level module or folder that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The rooms of this package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "patrolvision":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("patrolvision."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("patrolvision."):
                    yield alias.name.split(".")[1]


def files() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_an_import_only_goes_down_and_never_sideways(path: Path) -> None:
    here = room(path)
    assert here in FLOOR, f"{here} has no floor: draw it in docs/architecture.md and here"
    for there in imports(path):
        if there in (here, "__version__"):
            continue
        allowed = FLOOR[there] < FLOOR[here] or (FLOOR[there] == FLOOR[here] in (0, 1, 6))
        assert allowed, f"{path.name}: {here} (floor {FLOOR[here]}) imports {there}"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_config_reads_the_environment(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reads = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    # libraries that are set up by their environment
    sets_for_a_vendor = path.parent.name == "detect" or path.name == "ray.py"
    assert not reads or room(path) == "config" or sets_for_a_vendor


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_pydantic_stands_only_where_data_comes_in(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "pydantic" not in text or room(path) in ("config", "api", "training", "doctor")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from patrolvision.cli import build_parser\n"
        "build_parser().format_help()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("door", sorted(DOORS - {"api", "bench", "retrain"}))
def test_opening_a_door_loads_no_engine(door: str) -> None:
    code = (
        "import sys, importlib\n"
        f"importlib.import_module('patrolvision.{door}')\n"
        "print([n for n in ('openvino', 'torch', 'ultralytics') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
