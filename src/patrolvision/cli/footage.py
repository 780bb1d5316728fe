"""Recordings and streams in, tickets out; and one stage at a time."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from patrolvision.cli.doors import DATUMS, door


def add_footage(commands: Any) -> None:
    """demo, run, watch."""
    demo = commands.add_parser("demo", help="the main job on the project's own sample clips")
    demo.add_argument("--out", type=Path, default=Path("demo_out"), metavar="DIR")
    demo.add_argument("--samples", type=Path, metavar="DIR", help="default: sample_media")
    demo.add_argument("--json", action="store_true")
    demo.set_defaults(door=door("demo"))

    run = commands.add_parser("run", help="recordings in, tickets out")
    run.add_argument(
        "media",
        nargs="+",
        type=Path,
        help="videos, folders, photo folders or mission files (.toml)",
    )
    run.add_argument("--camera", type=Path, metavar="C.toml")
    run.add_argument("--telemetry", type=Path, metavar="FILE")
    run.add_argument("--telemetry-datum", choices=DATUMS, default="WGS-84",
                     help="of telemetry beside the media (default WGS-84)")  # fmt: skip
    run.add_argument("--started-at", metavar="ISO", help="instant of the first frame, with offset")
    _add_analysis_options(run)
    run.set_defaults(door=door("batch"))

    watch = commands.add_parser("watch", help="live streams, until a signal")
    watch.add_argument("config", type=Path, metavar="CONFIG.toml")
    watch.add_argument("--json", action="store_true")
    watch.set_defaults(door=door("live"))


def add_stages(commands: Any) -> None:
    """detect, locate, telemetry."""
    detect = commands.add_parser("detect", help="one JSON line per picture")
    detect.add_argument("media", nargs="+", type=Path, help="pictures or folders of pictures")
    detect.add_argument("--model", metavar="NAME|PATH")
    detect.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    detect.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    detect.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")
    detect.add_argument("--tiling", choices=("on", "off"), default="off")
    detect.add_argument("--conf", type=float, metavar="P", help="instead of the card's thresholds")
    detect.set_defaults(door=door("peek", "detect"))

    locate = commands.add_parser("locate", help="pixel and pose to a place with its error")
    locate.add_argument("cases", type=Path, help="JSON lines")
    locate.set_defaults(door=door("peek", "locate"))

    telemetry = commands.add_parser("telemetry", help="any supported telemetry as samples")
    telemetry.add_argument("file", type=Path)
    telemetry.add_argument("--format", choices=("jsonl", "gpx"), default="jsonl")
    telemetry.add_argument("--timezone", default="UTC", help="of telemetry that names none")
    telemetry.add_argument("--datum", choices=DATUMS, default="WGS-84", help="of the file")
    telemetry.set_defaults(door=door("peek", "telemetry"))


def _add_analysis_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--zones", type=Path, metavar="Z.geojson", help="kerb rules")
    parser.add_argument("--grids", type=Path, metavar="G.geojson", help="grid cells and segments")
    parser.add_argument("--db", metavar="URL", help="SQLAlchemy URL (default: patrol.db in --out)")
    parser.add_argument("--out", type=Path, default=Path("patrolvision_out"), metavar="DIR")
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the production model")
    parser.add_argument("--models-dir", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=("auto", "openvino", "ultralytics"), default="auto")
    parser.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto")
    parser.add_argument(
        "--analysis-fps", type=float, default=5.0, metavar="N", help="0: every frame (default 5)"
    )
    parser.add_argument(
        "--input-px", type=int, metavar="N", help="longer side of what the detector looks at"
    )
    parser.add_argument("--tiling", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--timezone", help="of telemetry and zones that name none (default: UTC)")
    parser.add_argument("--executor", choices=("local", "processes", "ray"), default="local")
    parser.add_argument(
        "--workers", type=int, help="missions at once: of the executors processes and ray"
    )
    parser.add_argument("--no-clip", action="store_true", help="write no annotated clip")
    parser.add_argument(
        "--calibrate", action="store_true",
        help="read films twice: clock offset and mount angles from the pictures first",
    )  # fmt: skip
    parser.add_argument(
        "--elevation", type=Path, metavar="DEM.tif", help="the ground's height, a GeoTIFF"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write no evidence pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
