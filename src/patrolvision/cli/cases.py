"""What is known of observations and incidents: fuse, list, decide by hand, simulate, measure."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from patrolvision.cli.doors import DATUMS, door


def add_cases(commands: Any) -> None:
    """fuse, observations, incidents, tickets, coverage, sweeping, simulate, bench."""
    fuse = commands.add_parser("fuse", help="observations in, incidents and tickets out")
    fuse.add_argument("observations", type=Path)
    fuse.add_argument("--coverage", type=Path)
    fuse.add_argument("--zones", type=Path)
    fuse.add_argument("--grids", type=Path)
    fuse.add_argument("--timezone", help="of zones that name none (default: UTC)")
    fuse.add_argument("--db", required=True, metavar="URL")
    fuse.add_argument("--json", action="store_true")
    fuse.set_defaults(door=door("fuse"))

    for what in ("observations", "incidents", "tickets"):
        listing = commands.add_parser(what, help=f"list what the store holds: {what}")
        listing.add_argument("--db", required=True, metavar="URL")
        listing.add_argument(
            "--format",
            choices=("table", "json", "geojson", "csv"),
            default="table",
            help="json: one object a line, as fuse reads observations (default table)",
        )
        listing.set_defaults(door=_listing, what=what, words=[])
        if what == "incidents":
            _add_hand(listing)

    coverage = commands.add_parser("coverage", help="what was looked at when, by road or cell")
    coverage.add_argument("--db", required=True, metavar="URL")
    coverage.add_argument("--grids", type=Path, help="default: those of the store")
    layers = ("segment", "unit", "responsible")
    coverage.add_argument("--layer", choices=layers, default="segment")
    coverage.add_argument("--at", metavar="TIME", help="as of then, with an offset (default: now)")
    coverage.add_argument("--format", choices=("table", "json", "geojson", "csv"), default="table")
    coverage.set_defaults(door=door("looked"))

    sweeping = commands.add_parser("sweeping", help="litter before and after a sweeper's round")
    sweeping.add_argument("routes", nargs="+", type=Path, metavar="ROUTE", help="GPX, NMEA, CSV …")
    sweeping.add_argument("--db", required=True, metavar="URL")
    sweeping.add_argument("--grids", type=Path, help="default: those of the store")
    sweeping.add_argument("--within-h", type=float, default=24.0, metavar="HOURS",
                          help="how long before and after counts (default 24)")  # fmt: skip
    sweeping.add_argument("--timezone", default="UTC", help="of routes that name none")
    sweeping.add_argument("--datum", choices=DATUMS, default="WGS-84", help="of the routes")
    sweeping.add_argument("--format", choices=("table", "json", "geojson", "csv"), default="table")
    sweeping.set_defaults(door=door("sweeping"))

    simulate = commands.add_parser("simulate", help="a city of observations whose truth is known")
    simulate.add_argument("out", type=Path)
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("--city", default="mixed", help="which preset (see docs/howto/fusion.md)")
    simulate.set_defaults(door=door("peek", "simulate"))

    bench = commands.add_parser("bench", help="how well it does where the truth is known")
    bench.add_argument("what", choices=("fusion",), help="fusion: simulated cities, with baselines")
    bench.add_argument("--seeds", type=int, nargs="+", default=[101, 102], metavar="N")
    bench.add_argument(
        "--cities", nargs="+", default=["mixed", "dense", "kerb", "kerb_rough"], metavar="PRESET"
    )
    bench.add_argument(
        "--parts", type=int, default=1, metavar="N", help="shuffle, repeat and fuse in N calls"
    )
    bench.add_argument("--json", action="store_true", help="one JSON object as the last line")
    bench.set_defaults(door=door("bench"))


def _add_hand(incidents: argparse.ArgumentParser) -> None:
    incidents.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="merge A B | split A --observations ID … | undo DECISION | decisions; nothing: list",
    )
    incidents.add_argument("--observations", nargs="+", metavar="ID", help="what a split parts off")
    incidents.add_argument("--actor", default="command line", help="who decides")
    incidents.add_argument("--note", default="", help="why")
    incidents.add_argument("--zones", type=Path, help="by which vehicles are judged anew")
    incidents.add_argument("--grids", type=Path, help="for the codes of new tickets")
    incidents.add_argument("--timezone", help="of zones that name none (default: UTC)")


def _listing(args: argparse.Namespace) -> int:
    return door("hand" if args.words else "listing")(args)
