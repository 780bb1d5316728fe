"""The engines that tests run on: SQLite always, PostgreSQL where it is.

PATROLVISION_TEST_PG_URL names a database whose owner may create schemas, or is the word `private`:
then a cluster of its own is started on loopback and thrown away.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PG_VARIABLE = "PATROLVISION_TEST_PG_URL"


@contextmanager
def private_cluster() -> Iterator[str]:
    """The URL of a PostgreSQL of one's own on loopback, gone when the context ends."""
    found = [Path(shutil.which("pg_ctl") or "/nowhere/pg_ctl")]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    programs = next((p.resolve().parent for p in found if p.exists()), None)
    if programs is None:
        pytest.skip("PostgreSQL: pg_ctl is not there; apt-get install postgresql")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="patrolvision-pg-"))
    as_owner: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data, options = folder / "data", f"-p {port} -h 127.0.0.1 -k {folder}"

    def run(*command: str | Path) -> None:
        words = [*as_owner, *map(str, command)]
        log = (folder / "log").open("ab")
        with log:
            subprocess.run(words, check=True, stdout=log, stderr=log, cwd=folder)

    run(programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync")
    run(programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", data / "log", "start")
    try:
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
    finally:
        run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextmanager
def empty_schema(server: str) -> Iterator[str]:
    """The URL of an empty schema on a server, gone when the context ends."""
    from sqlalchemy import create_engine, text

    schema = f"t{uuid.uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
