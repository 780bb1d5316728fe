"""How fast the office's API answers with a million tickets, and how fast it takes observations.

    python benchmarks/api.py [--tickets 1000000] [--engine sqlite|postgresql] [--clients 50]
                             [--seconds 10] [--workers N] [--pause S] [--no-cache]
                             [--only list,filter,tile,window,office] [--posts 1,20,200]
                             [--keep FOLDER | --url URL]

Without --pause every client asks again as soon as it is answered. Server, database and clients
share this machine. PostgreSQL is a cluster of its own on loopback (tests/helpers), thrown away
after; --url names a database that `--fill` filled before.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import questions
from load import SPAWN, Requests, measured
from office_rows import fill
from sqlalchemy import NullPool, create_engine

from helpers.databases import private_cluster
from patrolvision.api import credentials
from patrolvision.config import OfficeSettings
from patrolvision.store import open_store
from patrolvision.store.accounts import ApiKey, SqlAccounts

ASKED: dict[str, Requests] = {
    "list": questions.a_list,
    "filter": questions.a_filter,
    "tile": questions.a_tile,
    "window": questions.a_window,
    "office": questions.Office(),
}
POSTING = {20: 8, 200: 2}  # observations of a post -> clients; of single ones --clients


def _serve(url: str, listening: socket.socket, settings: OfficeSettings) -> None:
    import uvicorn

    from patrolvision.api.app import create_app

    app = create_app(open_store(url), settings)
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def serving(
    url: str, workers: int, settings: OfficeSettings
) -> Iterator[tuple[int, Callable[[], float]]]:
    """A port on which so many workers answer, and what CPU seconds they have used so far."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        arguments = (url, listening, settings)
        processes = [SPAWN.Process(target=_serve, args=arguments) for _ in range(workers)]
        for process in processes:
            process.start()
        try:
            pids = [process.pid for process in processes]
            yield listening.getsockname()[1], lambda: sum(_cpu_s(pid) for pid in pids)
        finally:
            for process in processes:
                process.terminate()
                process.join(10)
                process.kill()


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _database_cpu_s(url: str) -> float:
    """What the processes of a PostgreSQL on this machine have used so far; 0 for SQLite's none."""
    if not url.startswith("postgresql"):
        return 0.0
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        pids = connection.exec_driver_sql("SELECT pid FROM pg_stat_activity").scalars().all()
    return sum(_cpu_s(pid) for pid in pids if Path(f"/proc/{pid}").exists())


def device_key(url: str) -> str:
    """A device's key, as an admin would have made it."""
    key_id, key, secret_sha256 = credentials.new_key()
    scopes = ("observations:write",)
    made_key = ApiKey(key_id, "car", None, scopes, (), None, datetime.now(UTC), "benchmark")
    with closing(open_store(url)) as store:
        SqlAccounts(store.engine).add_key(made_key, secret_sha256)
    return key


def _kept(port: int) -> tuple[int, int]:
    """Answers that were given again, and those that were made, by the worker that is met."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = dict(re.findall(r'patrolvision_kept_answers_total{.*kind="(\w+)".*} (\d+)', text))
    return int(found.get("again", 0)), int(found.get("made", 0))


def run(url: str, args: argparse.Namespace) -> None:
    """Print the figures of one engine."""
    settings = OfficeSettings(
        requests_per_minute=0, open_reading=True, kept_mib=0 if args.no_cache else 64
    )
    with serving(url, args.workers, settings) as (port, cpu_s):
        _until_it_answers(port)
        named = f"{args.workers} workers{', no cache' if args.no_cache else ''}"

        def told(name: str, clients: int, requests: Requests, pause_s: float) -> None:
            begun, before, database = cpu_s(), _kept(port), _database_cpu_s(url)
            found = measured(port, clients, args.seconds, requests, pause_s=pause_s)
            answers = found["per_s"] * args.seconds
            found["server_cpu_ms"] = round(1e3 * (cpu_s() - begun) / answers, 2)
            used = _database_cpu_s(url) - database
            found["database_cpu_ms"] = round(1e3 * used / answers, 2)
            again, made = (b - a for a, b in zip(before, _kept(port), strict=True))
            found["kept_rate"] = round(again / max(1, again + made), 3)
            print(f"{name}, {named}, {clients} clients: {found}", flush=True)

        for name in filter(None, args.only.split(",")):
            measured(port, args.clients, args.warm, ASKED[name], seed=1)
            told(name, args.clients, ASKED[name], args.pause)
        key = device_key(url) if args.posts else ""
        for batch in (int(size) for size in filter(None, args.posts.split(","))):
            posts = questions.Patrols(batch, key)
            clients = args.clients if batch == 1 else POSTING[batch]
            told(f"posts of {batch} observations", clients, posts, 0.0)


def _until_it_answers(port: int) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not answer")


@contextmanager
def database(args: argparse.Namespace) -> Iterator[str]:
    """The URL of a database with the tickets in it."""
    if args.url:
        if args.fill:
            _filled(args.url, args.tickets)
        yield args.url
    elif args.engine == "postgresql":
        with private_cluster() as url:
            _filled(url, args.tickets)
            yield url
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = (args.keep or Path(folder)) / "many.db"
            file.parent.mkdir(parents=True, exist_ok=True)
            is_there = file.exists()
            if not is_there:
                _filled(f"sqlite:///{file}", args.tickets)
            yield f"sqlite:///{file}"


def _filled(url: str, tickets: int) -> None:
    begun = time.perf_counter()
    fill(url, tickets)
    print(f"{tickets} tickets in {time.perf_counter() - begun:.0f} s", flush=True)


def main() -> None:
    """One engine, filled and measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm", type=float, default=3.0, metavar="S", help="before that")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0, metavar="S", help="thinking time")
    parser.add_argument("--no-cache", action="store_true", help="make every answer anew")
    parser.add_argument("--only", default="list,filter,tile", metavar="NAMES")
    parser.add_argument("--posts", default="", metavar="SIZES", help="observations of a post")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the SQLite file")
    parser.add_argument("--url", metavar="URL", help="a database that is there")
    parser.add_argument("--fill", action="store_true", help="fill it first")
    args = parser.parse_args()
    with database(args) as url:
        run(url, args)


if __name__ == "__main__":
    main()
