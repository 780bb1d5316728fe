"""How long a report of a day, month or year takes over a million tickets, and how much memory.

    python benchmarks/reports.py URL [--make 1000000 [--plain]]
                                 [--periods year,month,week,day] [--date 2026-05-04]

--make fills the database first: tickets as in benchmarks/api.py, or, without --plain, with the
actions and data of the office's moves, two observations of each incident, and some tickets that
were sent back, reopened, urged or handed over. Processor time is of this process, and of
PostgreSQL's where it is that.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from office_rows import BEGIN, TABLES, Rows, fill, made

from patrolvision.cli import main as patrolvision
from patrolvision.store.lives import kept_line
from patrolvision.types.instants import EPOCH, instant_of

SEEN = {
    "observations": (
        "id", "mission_id", "stream_id", "class_name", "first_seen", "last_seen", "cell",
        "lat_deg", "lon_deg", "cov_ee_m2", "cov_en_m2", "cov_nn_m2", "confidence", "frames",
        "sights",
    ),
    "incident_observations": ("category", "observation_id", "incident_id"),
}  # fmt: skip
ACTION = {
    "reported": "", "filed": "file", "dispatched": "dispatch", "handling": "take",
    "feedback": "report_back", "verified": "verify", "closed": "close", "rejected": "reject",
}  # fmt: skip
HOUR_US = 3_600_000_000


def lived(count: int) -> Iterator[Rows]:
    """The rows of `made` with what an office writes into its histories, and observations."""
    for rows in made(count):
        told = [
            _told(ticket, events)
            for ticket, events in zip(rows["tickets"], _by_ticket(rows), strict=True)
        ]
        rows["ticket_events"] = [event for events in told for event in events]
        rows["tickets"] = [
            (*ticket[:-1], _line(events))
            for ticket, events in zip(rows["tickets"], told, strict=True)
        ]
        rows["observations"] = [seen for row in rows["incidents"] for seen in _seen(row)]
        rows["incident_observations"] = [
            (row[1], f"o-{row[0][2:]}-{k}", row[0]) for row in rows["incidents"] for k in (1, 2)
        ]
        yield rows


def _by_ticket(rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    events = iter(rows["ticket_events"])
    for ticket in rows["tickets"]:
        yield [next(events) for _ in range(ticket[-2])]


def _line(events: list[tuple[Any, ...]]) -> str | None:
    told = ((instant_of(at), state, action, json.loads(data))
            for _, _, at, state, _, _, action, data in events)  # fmt: skip
    return kept_line(told)


def _told(ticket: tuple[Any, ...], events: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    number = int(ticket[0][2:])
    due = None if ticket[15] is None else (EPOCH + timedelta(microseconds=ticket[15])).isoformat()
    said = {
        "filed": {"due_at": due}, "dispatched": {"assignee": ticket[14]},
        "rejected": {"cause": ("shadow", "reflection", "legally_parked")[number % 3]},
    }  # fmt: skip
    steps = [(state, ACTION[state], said.get(state, {})) for *_, state, _, _, _, _ in events]
    if number % 10 == 3 and len(steps) == 7:
        steps[5:5] = [("handling", "send_back", {}), ("feedback", "report_back", {})]
    if number % 20 == 7 and len(steps) > 3:
        steps[3:3] = [("dispatched", "urge", {}), ("dispatched", "hand_over", {"assignee": "c-2"})]
    if number % 40 == 9 and len(steps) == 7:
        steps += [("filed", "reopen", {"due_at": due}), ("verified", "verify", {}),
                  ("closed", "close", {})]  # fmt: skip
    begun = events[0][2]
    return [
        (ticket[0], k, begun + k * HOUR_US, state, "desk", "", action, json.dumps(data))
        for k, (state, action, data) in enumerate(steps)
    ]


def _seen(incident: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    name, lat, lon, first = incident[0], incident[6], incident[7], incident[11]
    for k in (1, 2):
        place = (incident[5], lat + 1e-5 * (k - 1), lon, 2.0, 0.1, 1.5)
        yield (
            f"o-{name[2:]}-{k}", f"m-{int(name[2:]) // 50}", "car1", "litter",
            first + (k - 1) * 60_000_000, first + k * 60_000_000, *place, 0.9, 12, "[]",
        )  # fmt: skip


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(url: str, period: str, day: str) -> None:
    """Print what one report costs."""
    with tempfile.TemporaryDirectory() as folder:
        begun, cpu = time.perf_counter(), _cpu_s()
        call = ["reports", period, day, "--db", url, "--out", folder, "--preview",
                "--timezone", "Asia/Shanghai", "--json"]  # fmt: skip
        said = StringIO()
        with redirect_stdout(said):
            patrolvision(call)
        summary = json.loads(said.getvalue())
        sizes = sum(path.stat().st_size for path in Path(folder).iterdir())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{period:6} {time.perf_counter() - begun:6.1f} s by the clock, {_cpu_s() - cpu:6.1f} s of "
        f"the processor, {peak_mb:5.0f} MB at most, {summary['found']} found, "
        f"{sizes / 1e6:.0f} MB of files",
        flush=True,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--make", type=int, metavar="TICKETS")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--periods", default="day,week,month,year")
    parser.add_argument("--date", default=f"{BEGIN.year + 1}-05-04")
    args = parser.parse_args()
    if args.make and args.plain:
        fill(args.url, args.make)
    elif args.make:
        fill(args.url, args.make, lived, {**TABLES, **SEEN})
    for period in args.periods.split(",") if args.periods else ():
        measured(args.url, period, args.date)


if __name__ == "__main__":
    main()
