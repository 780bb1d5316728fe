"""One stage at a time, on the command line: detect, locate, telemetry, simulate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from patrolvision import wiring
from patrolvision.config import Settings, checked, settings_on
from patrolvision.errors import (
    EXIT_OK,
    EXIT_SOME_ITEMS_FAILED,
    ConfigError,
    ItemError,
    MediaError,
    ObservationError,
    OutputError,
)

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def _say(error: ItemError) -> None:
    sys.stderr.write(f"patrolvision: {error}\n")


def _print(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


def _pictures(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES)
            if not inside:
                raise ConfigError(f"{path}: holds no pictures ({', '.join(sorted(PICTURES))})")
            yield from inside
        else:
            yield path


def detect(args: argparse.Namespace) -> int:
    """`patrolvision detect`: a JSON line per picture; a bad one is named, the rest goes on."""
    from patrolvision.sources.picture import read_picture

    values = {name: getattr(args, name) for name in ("model", "engine", "precision", "tiling")}
    if args.models_dir is not None:
        values["models_dir"] = args.models_dir
    if args.conf is not None and not 0.0 <= args.conf <= 1.0:
        raise ConfigError(f"--conf: must lie in [0, 1], got {args.conf}")
    settings = checked(Settings, values, where="the command line")
    detector = wiring.detector(settings, conf=args.conf)
    detector = wiring.tiled(detector) if settings.tiling == "on" else detector
    failed = 0
    for path in _pictures(args.media):
        try:
            image = read_picture(path)
        except MediaError as error:
            _say(error)
            failed += 1
            continue
        found = detector.detect([image])[0]
        names = detector.release.classes
        boxes = [
            {
                "class": names[class_id],
                "confidence": round(float(confidence), 4),
                "xyxy": [round(float(v), 2) for v in xyxy],
            }
            for xyxy, confidence, class_id in zip(
                found.xyxy, found.confidence, found.class_id, strict=True
            )
        ]
        height, width = image.shape[:2]
        _print({"file": str(path), "width": width, "height": height, "detections": boxes})
    detector.close()
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK


def locate(args: argparse.Namespace) -> int:
    """`patrolvision locate`: a JSON line out per line in; a bad one is named, the rest goes on.

    A bad line is answered too, with status error, so that the n-th answer is to the n-th case.
    """
    from patrolvision.geo.cases import answer_case

    failed = 0
    for number, line in lines(args.cases):
        case: dict[str, Any] = {}
        try:
            case = parsed(line, args.cases, number)
            _print(answer_case(case))
        except ObservationError as error:
            _print({"id": case.get("id"), "status": "error", "reason": str(error)})
            _say(ObservationError(f"{args.cases}:{number}: {error}"))
            failed += 1
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The non-empty lines of a UTF-8 file with their numbers; ConfigError if it cannot be read.

    A byte-order mark, as Windows editors write one, is passed over. Bytes that are not UTF-8 come
    as lone surrogates, which `parsed` refuses: they spoil their line, not the file.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    """The JSON object of a line; ObservationError naming what is wrong."""
    try:
        line.encode()
        value = json.loads(line)
    except UnicodeEncodeError as error:
        raise ObservationError("is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ObservationError(f"is not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all sense
        raise ObservationError(f"is no JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise ObservationError(f"expected a JSON object, found {type(value).__name__}")
    return value


def telemetry(args: argparse.Namespace) -> int:
    """`patrolvision telemetry`: the samples of any supported telemetry, as JSON lines or GPX."""
    from patrolvision.sources.telemetry import log_to_gpx, read_telemetry

    zone = ZoneInfo(settings_on(args.timezone).timezone)
    log = read_telemetry(args.file, timezone=zone, datum=args.datum)
    if args.format == "gpx":
        sys.stdout.write(log_to_gpx(log))
    else:
        for k, sample in enumerate(log.samples):
            fields = {name: getattr(sample, name) for name in sample.__slots__}
            record = {"at": fields.pop("at").isoformat()}
            if log.video_times_s is not None:
                record["video_time_s"] = round(log.video_times_s[k], 6)
            _print(record | {name: v for name, v in fields.items() if v is not None})
    dropped = ", ".join(f"{reason}: {count}" for reason, count in sorted(log.problems.items()))
    note = f" (left out: {dropped})" if dropped else ""
    sys.stderr.write(f"{args.file}: {len(log.samples)} samples, {log.format}{note}\n")
    return EXIT_OK


def simulate(args: argparse.Namespace) -> int:
    """`patrolvision simulate`: a city's observations, looks, zones and truth, from a seed."""
    from patrolvision.simulate.writing import write_city

    try:
        counts = write_city(args.out, preset=args.city, seed=args.seed)
    except ValueError as error:
        raise ConfigError(f"--city: {error}") from error
    except OSError as error:
        raise OutputError(f"{args.out}: cannot be written ({error.strerror})") from error
    told = ", ".join(f"{number} {what}" for what, number in counts.items())
    sys.stdout.write(f"{args.out}: {told}\n")
    return EXIT_OK
