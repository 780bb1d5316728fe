"""Observations that somebody else's detector made -> rules -> incidents -> tickets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from patrolvision import records, wiring
from patrolvision.config import settings_on
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ObservationError
from patrolvision.listing import counted
from patrolvision.peek import lines, parsed
from patrolvision.pipeline import Judged, settle
from patrolvision.types import Look, Observation

Item = TypeVar("Item", Observation, Look)
CLOCK_TOLERANCE = timedelta(minutes=5)  # a device's clock may be that much ahead of ours


def read_observations(
    path: Path, failed: dict[str, str], registered: Collection[str] = ()
) -> list[Observation]:
    """The observations of a JSONL file, one per id; bad lines go into failed by "file:line".

    registered are the classes that are known beside the detector's.
    """
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    read = partial(records.observation_from_record, now=latest, registered=registered)
    found = _read(path, failed, read, records.observation_to_record)
    return sorted(found, key=lambda o: (o.first_seen, o.id))


def read_looks(path: Path, failed: dict[str, str], registered: Collection[str] = ()) -> list[Look]:
    """The looks of a JSONL file, one per id; bad lines go into failed by "file:line"."""
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    read = partial(records.look_from_record, now=latest, registered=registered)
    found = _read(path, failed, read, records.look_to_record)
    return sorted(found, key=lambda look: (look.start, look.id))


def _read(
    path: Path,
    failed: dict[str, str],
    read: Callable[[dict[str, Any]], Item],
    told: Callable[[Item], dict[str, Any]],
) -> list[Item]:
    """The items of a file's lines; of two lines of one id the first counts, and they must agree."""
    found: dict[str, Item] = {}
    line_of: dict[str, int] = {}
    for number, line in lines(path):
        try:
            item = read(parsed(line, path, number))
            first = found.setdefault(item.id, item)
            if first is not item:
                _check_agreement(told(first), told(item), line_of[item.id])
            line_of.setdefault(item.id, number)
        except ObservationError as error:
            failed[f"{path}:{number}"] = f"{path}:{number}: {error}"
    return list(found.values())


def _check_agreement(first: dict[str, Any], again: dict[str, Any], line: int) -> None:
    for field in dict.fromkeys((*first, *again)):
        if first.get(field) != again.get(field):
            raise ObservationError(
                f"{first['id']}: field {field} is {again.get(field)!r}, but line {line} of the "
                f"same id, which counts, says {first.get(field)!r}"
            )


def fuse(args: argparse.Namespace) -> dict[str, Any]:
    """The summary of one call; its failures are named in `failed`."""
    failed: dict[str, str] = {}
    settings = settings_on(args.timezone)
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
                is_part=True,
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
