"""What is installed, which engines work, what is missing and how to get it."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from patrolvision import __version__, wiring
from patrolvision.config import Settings, default_models_dir, default_sample_dir
from patrolvision.errors import EXIT_CALL_IS_WRONG, EXIT_OK, PatrolVisionError

EXTRAS = (
    ("psycopg", "postgres", "the store in PostgreSQL"),
    ("rasterio", "elevation", "ground that is not level"),
    ("ray", "ray", "missions over several machines"),
    ("paho-mqtt", "mqtt", "events over MQTT"),
    ("reportlab", "pdf", "notices as PDF"),
    ("mlflow-skinny", "tracking", "training runs in MLflow"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; remedy says how to mend it."""

    name: str
    ok: bool
    found: str
    required: bool = True
    remedy: str = ""


def _package(distribution: str, module: str, remedy: str) -> Check:
    try:
        importlib.import_module(module)
        return Check(distribution, True, version(distribution))
    except PackageNotFoundError:
        return Check(distribution, True, "present")
    except ImportError as error:
        return Check(distribution, False, str(error).splitlines()[0], True, remedy)


def _extra(distribution: str, remedy: str) -> Check:
    """Whether an optional package is installed; it is not imported, which may take seconds."""
    try:
        return Check(distribution, True, version(distribution), False)
    except PackageNotFoundError:
        return Check(distribution, False, "not installed", False, remedy)


def _attempt(name: str, work: Callable[[], str], remedy: str, *, required: bool = True) -> Check:
    try:
        return Check(name, True, work(), required)
    except (PatrolVisionError, ImportError, OSError) as error:
        return Check(name, False, str(error), required, remedy)


def _model() -> str:
    chosen = wiring.release(Settings())
    return f"{chosen.id}: {', '.join(chosen.classes)}"


def _detects(engine: str) -> str:
    detector = wiring.detector(Settings(engine=engine))  # type: ignore[arg-type]
    found = detector.detect([np.full((360, 640, 3), 114, np.uint8)])
    detector.close()
    precision = getattr(detector, "precision", "f32")
    return f"works ({precision}); {len(found[0])} boxes on a grey picture"


def _sqlite() -> str:
    import sqlite3

    return f"SQLite {sqlite3.sqlite_version}"


def checks() -> list[Check]:
    """Everything, in the order in which a new user needs it."""
    reinstall = "make demo (or: pip install -c constraints.txt -e .)"
    samples = default_sample_dir()
    found = [
        Check("python", sys.version_info >= (3, 11), platform.python_version(), True,
              "Python 3.11 or newer"),
        Check("processors", True, f"{os.cpu_count()} ({platform.machine()})"),
    ]  # fmt: skip
    for distribution, module in (
        ("numpy", "numpy"), ("opencv-python-headless", "cv2"), ("av", "av"),
        ("openvino", "openvino"), ("sqlalchemy", "sqlalchemy"), ("shapely", "shapely"),
        ("fastapi", "fastapi"),
    ):  # fmt: skip
        found.append(_package(distribution, module, reinstall))
    found += [
        _attempt("database", _sqlite, reinstall),
        Check("models folder", default_models_dir().is_dir(), str(default_models_dir()), True,
              "set PATROLVISION_MODELS to the models folder of a checkout"),
        _attempt("production model", _model, "set PATROLVISION_MODELS, or run from a checkout"),
        _attempt("engine openvino", lambda: _detects("openvino"), reinstall),
        Check("sample clips", (samples / "missions.toml").is_file(), str(samples), False,
              "set PATROLVISION_SAMPLES to the sample_media folder of a checkout"),
        _extra("torch", "make torch"),
        _extra("ultralytics", "make torch"),
    ]  # fmt: skip
    found += [
        _extra(distribution, f"pip install 'patrolvision[{extra}]'  ({what_for})")
        for distribution, extra, what_for in EXTRAS
    ]
    if all(c.ok for c in found if c.name in ("torch", "ultralytics")):
        found.append(
            _attempt("engine ultralytics", lambda: _detects("ultralytics"), "make torch",
                     required=False)
        )  # fmt: skip
    return found


def main(args: argparse.Namespace) -> int:
    """`patrolvision doctor`: exit 2 when something required is missing."""
    results = checks()
    broken = [c for c in results if c.required and not c.ok]
    if args.json:
        sys.stdout.write(json.dumps({"version": __version__, "checks": [asdict(c) for c in results],
                                     "ok": not broken}) + "\n")  # fmt: skip
        return EXIT_CALL_IS_WRONG if broken else EXIT_OK
    width = max(len(c.name) for c in results)
    sys.stdout.write(f"patrolvision {__version__} in {Path(sys.prefix).name}\n")
    for c in results:
        mark = "ok     " if c.ok else ("MISSING" if c.required else "absent ")
        remedy = f"  ->  {c.remedy}" if not c.ok and c.remedy else ""
        sys.stdout.write(f"  {mark}  {c.name:<{width}}  {c.found}{remedy}\n")
    sys.stdout.write(f"missing: {', '.join(c.name for c in broken)}\n" if broken else "ready\n")
    return EXIT_CALL_IS_WRONG if broken else EXIT_OK
