"""Many processes fuse one street at once, some are killed and begin again: is it counted once?

Each process settles its own passes along the street, part by part in an order of its own. Now and
then one is killed with SIGKILL and started anew; it tells all that it had seen again. In the end
the store must hold what one process alone makes of the same observations: every one of them, in
the same incidents.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from patrolvision.geo.geodesy import offset
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import SqlStore, open_store
from patrolvision.types import GeoPoint, Observation

FORK = multiprocessing.get_context("fork")  # no store is open when a process forks
START = datetime(2026, 5, 4, tzinfo=UTC)
LAT_DEG, LON_DEG = 22.84, 113.23
SPACING_M = 14.0


@dataclass(frozen=True, slots=True)
class Race:
    """How many race, over what, and how often one is killed."""

    racers: int = 8
    missions: int = 6  # of each racer
    things: int = 60
    part: int = 20  # observations of a transaction
    kills: int = 8
    seed: int = 1

    def passes(self, racer: int) -> list[list[Observation]]:
        """What each pass of a racer sees, shifted as a whole; one thing in ten is missed."""
        rng = np.random.default_rng([self.seed, racer])
        return [self._pass(racer, mission, rng) for mission in range(self.missions)]

    def _pass(self, racer: int, mission: int, rng: np.random.Generator) -> list[Observation]:
        name, shift = f"m{racer}-{mission}", rng.normal(0, 1.2, 2)
        found = []
        for k in np.flatnonzero(rng.random(self.things) < 0.9).tolist():
            east, north = np.array([SPACING_M * k, 0.0]) + shift + rng.normal(0, 0.4, 2)
            lat, lon = offset(LAT_DEG, LON_DEG, east, north)
            at = START + timedelta(minutes=20 * (mission * self.racers + racer), seconds=2.0 * k)
            place = GeoPoint(float(lat), float(lon), 2.0 * np.eye(2))
            found.append(Observation(f"{name}-{k}", name, "car", "litter", at, at, place, 0.9, 5))
        return found

    def parts(self, racer: int, attempt: int) -> list[list[Observation]]:
        """What a racer puts into one transaction each, in an order of its own."""
        rng = np.random.default_rng([self.seed, racer, attempt])
        parts = []
        for seen in self.passes(racer):
            order = rng.permutation(len(seen)).tolist()
            mixed = [seen[k] for k in order]
            parts += [mixed[at : at + self.part] for at in range(0, len(mixed), self.part)]
        return [parts[k] for k in rng.permutation(len(parts)).tolist()]


def fuse(store: SqlStore, seen: Sequence[Observation], rules: Rulebook) -> None:
    """All of these in one transaction."""
    with store.transaction() as transaction:
        settle(transaction, Judged(tuple(seen), tuple(rules.findings(seen))), rules=rules)


def run(url: str, race: Race, racer: int, attempt: int) -> None:
    """One racer from start to end."""
    store, rules = open_store(url), Rulebook()
    for part in race.parts(racer, attempt):
        fuse(store, part, rules)
    store.close()


def raced(url: str, race: Race, pause_s: float = 0.5) -> dict[str, Any]:
    """Let them race on the database of this URL, killing some; exit codes and kills."""
    open_store(url).close()
    rng = np.random.default_rng(race.seed)
    attempts = dict.fromkeys(range(race.racers), 0)
    running = {r: _started(url, race, r, 0) for r in range(race.racers)}
    killed = 0
    while killed < race.kills:
        time.sleep(float(rng.uniform(0.2, 1.8)) * pause_s)
        alive = [r for r, process in running.items() if process.is_alive()]
        if not alive:
            break
        racer = int(rng.choice(alive))
        running[racer].kill()
        running[racer].join()
        killed += 1
        attempts[racer] += 1
        running[racer] = _started(url, race, racer, attempts[racer])
    for process in running.values():
        process.join()
    return {"kills": killed, "exit_codes": [p.exitcode for p in running.values()]}


def _started(url: str, race: Race, racer: int, attempt: int) -> Any:
    process = FORK.Process(target=run, args=(url, race, racer, attempt))
    process.start()
    return process


def state(url: str) -> set[tuple[Any, ...]]:
    """What a store says, but for the ids, which remember history, and the last digits."""
    store = open_store(url, create=False)
    found = {
        (i.category, i.status, i.observation_ids, i.first_seen, i.last_seen, round(i.score, 6),
         round(i.place.lat_deg, 8), round(i.place.lon_deg, 8))
        for i in store.incidents() if i.observation_ids
    }  # fmt: skip
    store.close()
    return found


def compared(url: str, race: Race, alone_url: str) -> dict[str, Any]:
    """What the racers left, against one process that sees everything at once."""
    everything = [o for r in range(race.racers) for seen in race.passes(r) for o in seen]
    store = open_store(alone_url)
    fuse(store, everything, Rulebook())
    store.close()
    left, alone = state(url), state(alone_url)
    held = [o for incident in left for o in incident[2]]
    store = open_store(url, create=False)
    stored = store.counts()["observations"]
    open_tickets = [t for t in store.tickets() if t.state not in ("closed", "rejected")]
    store.close()
    return {
        "observations": len(everything),
        "lost": len({o.id for o in everything} - set(held)) + len(everything) - stored,
        "held_twice": len(held) - len(set(held)),
        "incidents": len(left),
        "incidents_alone": len(alone),
        "incidents_that_differ": len(left ^ alone),
        "open_tickets": len(open_tickets),
    }


def main() -> None:
    """Race on SQLite, or on the database given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--db", help="URL of an empty database; SQLite in a folder of its own if not"
    )
    for name in ("racers", "missions", "things", "part", "kills", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Race(), name))
    args = parser.parse_args()
    race = Race(**{name: getattr(args, name) for name in Race.__slots__})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = args.db or f"sqlite:///{folder / 'raced.db'}"
        since = time.perf_counter()
        told = raced(url, race)
        told["seconds"] = round(time.perf_counter() - since, 1)
        told |= compared(url, race, f"sqlite:///{folder / 'alone.db'}")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
