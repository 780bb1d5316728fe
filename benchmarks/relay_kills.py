"""kill -9 between any two steps of an outgoing message: what is lost, and what comes twice.

    python benchmarks/relay_kills.py [--kills 200] [--db URL]

Half of the kills fall on a step, each in turn (before, within and after the producer's transaction,
before and after route, claim, deliver and done), half on a random instant. Then a relay that lives
brings the rest. Prints one line; the exit code is 1 if anything was lost or not recognisable.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.killing import SINK, deaths, drained
from helpers.listening import listening
from patrolvision.store import open_store


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--db", help="an empty database (default: SQLite in a temporary folder)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, listening() as neighbour:
        url = args.db or f"sqlite:///{Path(folder) / 'p.db'}"
        open_store(url).close()
        started = time.monotonic()
        produced = deaths(url, neighbour.url, args.kills, args.seed)
        counts = drained(url, neighbour.url, within_s=60.0)
        seconds = time.monotonic() - started
        received = list(neighbour.requests)
    times = Counter(request.headers["webhook-id"] for request in received)
    wanted = {f"m-{k:04d}" for k in range(produced)}
    order: dict[str, list[int]] = {}
    for request in received:
        payload = json.loads(request.body)["payload"]
        known = order.setdefault(payload["ticket_id"], [])
        if payload["position"] not in known:
            known.append(payload["position"])
    result = {
        "kills": args.kills,
        "messages": produced,
        "lost": len(wanted - set(times)),
        "unknown": len(set(times) - wanted),
        "sent_more_than_once": sum(count > 1 for count in times.values()),
        "repetitions_that_differ": len({(r.headers["webhook-id"], r.body) for r in received})
        - len(times),
        "tickets_out_of_order": sum(known != sorted(known) for known in order.values()),
        "left": counts.get(SINK, {}),
        "seconds": round(seconds, 1),
    }
    print(json.dumps(result))
    bad = ("lost", "unknown", "repetitions_that_differ", "tickets_out_of_order")
    return int(any(result[name] for name in bad) or result["left"] != {"done": produced})


if __name__ == "__main__":
    sys.exit(main())
