"""Observations that somebody else's detector made -> rules -> incidents -> tickets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from patrolvision import records, wiring
from patrolvision.config import Settings, checked
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ObservationError
from patrolvision.listing import counted
from patrolvision.peek import lines, parsed
from patrolvision.pipeline import Judged, settle
from patrolvision.types import Look, Observation

CLOCK_TOLERANCE = timedelta(minutes=5)  # a device's clock may be that much ahead of ours


def read_observations(
    path: Path, failed: dict[str, str], registered: Collection[str] = ()
) -> list[Observation]:
    """The observations of a JSONL file, one per id; bad lines go into failed by "file:line".

    registered are the classes that are known beside the detector's.
    """
    found: dict[str, Observation] = {}
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    for number, line in lines(path):
        try:
            record = parsed(line, path, number)
            observation = records.observation_from_record(record, now=latest, registered=registered)
            found.setdefault(observation.id, observation)
        except ObservationError as error:
            failed[f"{path}:{number}"] = f"{path}:{number}: {error}"
    return sorted(found.values(), key=lambda o: (o.first_seen, o.id))


def read_looks(path: Path, failed: dict[str, str], registered: Collection[str] = ()) -> list[Look]:
    """The looks of a JSONL file, one per id; bad lines go into failed by "file:line"."""
    found: dict[str, Look] = {}
    for number, line in lines(path):
        try:
            look = records.look_from_record(parsed(line, path, number), registered=registered)
            found.setdefault(look.id, look)
        except ObservationError as error:
            failed[f"{path}:{number}"] = f"{path}:{number}: {error}"
    return sorted(found.values(), key=lambda look: (look.start, look.id))


def fuse(args: argparse.Namespace) -> dict[str, Any]:
    """The summary of one call; its failures are named in `failed`."""
    failed: dict[str, str] = {}
    settings = checked(Settings, {"timezone": args.timezone}, where="the command line")
    rules = wiring.rulebook(args.zones, settings, failed)
    grids = wiring.grids(args.grids)
    known = wiring.registered_classes(settings)
    observations = read_observations(args.observations, failed, known)
    looks = [] if args.coverage is None else read_looks(args.coverage, failed, known)
    findings = rules.findings(observations)
    store = wiring.store(args.db)
    try:
        with store.transaction() as transaction:
            settled = settle(
                transaction,
                Judged(tuple(observations), tuple(findings)),
                rules=rules,
                looks=looks,
                grids=grids,
            )
        counts = store.counts()
    finally:
        store.close()
    return {
        "read": len(observations),
        "new_observations": settled.observations,
        "changed_incidents": settled.incidents,
        "changed_tickets": settled.tickets,
        "stored": counts,
        "failed": [{"item": item, "error": error} for item, error in failed.items()],
    }


def main(args: argparse.Namespace) -> int:
    """`patrolvision fuse`."""
    summary = fuse(args)
    for failure in summary["failed"]:
        sys.stderr.write(f"patrolvision: {failure['error']}\n")
    if args.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        stored = summary["stored"]
        sys.stdout.write(
            f"{counted(summary['read'], 'observations')} read, "
            f"{summary['new_observations']} new; {counted(stored['incidents'], 'incidents')} and "
            f"{counted(stored['tickets'], 'tickets')} stored\n"
        )
    return EXIT_SOME_ITEMS_FAILED if summary["failed"] else EXIT_OK
