"""How long a live stream's light takes to become a ticket: clips played at their own pace.

    python benchmarks/live_latency.py [--rounds 5] [--fps 4]

The sample clips are played by `watch` with the shipped detector. Of every ticket two times are
told: since its thing was first seen in a picture, and since it was last seen (0: is in view still).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from patrolvision.config import Settings, WatchFile, load_missions
from patrolvision.live import watch
from patrolvision.store.sql_store import open_store
from patrolvision.types import Incident, Mission, Observation

SAMPLES = Path(__file__).resolve().parents[1] / "sample_media" / "missions.toml"


@dataclass(frozen=True)
class Delay:
    """Of one ticket, in seconds."""

    category: str
    is_urgent: bool
    since_first_s: float
    since_last_s: float


def played(mission: Mission, fps: float, out: Path) -> list[Delay]:
    """The tickets of one clip, played once."""
    stop = threading.Event()
    began: list[float] = []
    raised: dict[str, float] = {}

    def say(line: str) -> None:
        now = time.monotonic()
        if "connected (session 1)" in line:
            began.append(now)
        if line.startswith("ticket "):
            raised[line.split()[1].rstrip(":")] = now

    settings = Settings(out=out, analysis_fps=fps, input_px=mission.input_px, zones=mission.zones,
                        grids=mission.grids, clip=False)  # fmt: skip
    entry = {"id": mission.id, "url": str(mission.media), "camera": mission.camera,
             "telemetry": str(mission.telemetry), "started_at": mission.started_at,
             "telemetry_timezone": mission.telemetry_timezone}  # fmt: skip
    watch(WatchFile.model_validate({"settings": settings, "source": [entry]}), stop=stop, say=say)
    store = open_store(f"sqlite:///{out / 'patrol.db'}", create=False)
    seen = {o.id: o for o in store.observations()}
    incidents = {i.id: i for i in store.incidents()}
    tickets = {t.id: t for t in store.tickets()}
    store.close()
    return [
        delay(incidents[tickets[id].incident_id], seen, mission, at - began[0])
        for id, at in raised.items()
    ]


def delay(incident: Incident, seen: dict[str, Observation], mission: Mission, at_s: float) -> Delay:
    """at_s: when the ticket was told of, after the first picture."""
    assert mission.started_at is not None
    sights = [seen[o] for o in incident.observation_ids if o in seen]
    now = mission.started_at + timedelta(seconds=at_s)
    first = min(o.first_seen for o in sights)
    last = max(o.last_seen for o in sights)
    return Delay(
        incident.category,
        incident.category == "open_fire" or incident.priority == "urgent",
        (now - first).total_seconds(),
        max((now - last).total_seconds(), 0.0),
    )


def told(name: str, values: list[float]) -> str:
    """Median, 95th percentile and maximum, in a line."""
    if len(values) < 2:
        return f"{name}: {values}"
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return (
        f"{name}: {len(values)} tickets, median {statistics.median(values):.2f} s, "
        f"p95 {cuts[-1]:.2f} s, longest {max(values):.2f} s"
    )


def main() -> int:
    """Play, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fps", type=float, default=4.0)
    args = parser.parse_args()
    missions = [m for m in load_missions(SAMPLES) if Path(m.media).is_file()]
    found: list[Delay] = []
    for _ in range(args.rounds):
        for mission in missions:
            with tempfile.TemporaryDirectory() as folder:
                found += played(mission, args.fps, Path(folder))
    for name, chosen in (
        ("urgent, since first seen", [d.since_first_s for d in found if d.is_urgent]),
        ("all, since first seen", [d.since_first_s for d in found]),
        ("all, since last seen", [d.since_last_s for d in found]),
    ):
        sys.stdout.write(told(name, chosen) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
