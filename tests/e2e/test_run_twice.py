"""Footage run again, after a kill at any instant, or elsewhere, ends in the same state."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers.command_line import COMMAND, Done, patrolvision
from helpers.databases import empty_schema
from helpers.street_clip import Street
from patrolvision.store.sql_store import open_store

KILLS = 10


def digest(out: Path) -> str:
    """Of everything a run put into the database in its folder."""
    return digest_of(f"sqlite:///{out / 'patrol.db'}")


def digest_of(url: str) -> str:
    store = open_store(url, create=False)
    try:
        return store.digest()
    finally:
        store.close()


def counts(out: Path) -> dict[str, int]:
    store = open_store(f"sqlite:///{out / 'patrol.db'}", create=False)
    try:
        return store.counts()
    finally:
        store.close()


def test_a_second_run_of_a_clip_adds_nothing(
    street: Street, first_run: tuple[Path, Done], after_first_run: Path
) -> None:
    before, counted = digest(after_first_run), counts(after_first_run)
    assert counted["observations"] > 0, "a clip that shows nothing would prove nothing"
    again = patrolvision("run", street.clip, *street.options, "--out", after_first_run, "--json")
    assert again.rc == 0, again.err
    (mission,) = again.summary["missions"]
    assert again.summary["new_observations"] == 0
    assert (mission["changed_incidents"], mission["changed_tickets"]) == (0, 0)
    assert counts(after_first_run) == counted
    assert digest(after_first_run) == before
    first = first_run[1].summary
    assert again.summary["ticket_list"] == first["ticket_list"]


def test_a_run_killed_at_any_instant_and_repeated_ends_as_if_it_had_never_been_killed(
    street: Street, first_run: tuple[Path, Done], tmp_path: Path
) -> None:
    """Each kill hits a folder of its own, except that every other one finds what the last left."""
    expected = digest(first_run[0])
    options = [*street.options, "--no-clip"]
    started = time.monotonic()
    whole = patrolvision("run", street.clip, *options, "--out", tmp_path / "whole")
    length_s = time.monotonic() - started
    assert whole.rc == 0, whole.err
    assert digest(tmp_path / "whole") == expected  # an annotated clip is no part of the state
    instants = random.Random(20260504)  # a fixed draw: a failure can be repeated
    killed = 0
    for number in range(KILLS):
        out = tmp_path / f"killed{number // 2}"
        killed += _killed_after(
            instants.uniform(0.1, 1.0) * length_s, street.clip, *options, "--out", out
        )
        if number % 2:
            again = patrolvision("run", street.clip, *options, "--out", out)
            assert again.rc == 0, again.err
            assert digest(out) == expected, f"after kill {number}"
    assert killed >= KILLS // 2, "most kills came too late to hit anything"


def _killed_after(delay_s: float, *arguments: object) -> bool:
    """Whether a run was still going when its whole process group was killed."""
    process = subprocess.Popen(
        [*COMMAND, "run", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(delay_s)
    is_hit = process.poll() is None
    if is_hit:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return is_hit


def test_worker_processes_end_in_the_same_state_as_one_process(
    street: Street, first_run: tuple[Path, Done], tmp_path: Path
) -> None:
    done = patrolvision("run", street.clip, *street.options, "--executor", "processes",
                        "--workers", "2", "--out", tmp_path, "--json")  # fmt: skip
    assert done.rc == 0, done.err
    assert digest(tmp_path) == digest(first_run[0])
    assert done.summary["ticket_list"] == first_run[1].summary["ticket_list"]


def test_a_ray_cluster_ends_in_the_same_state_as_one_process(
    street: Street, first_run: tuple[Path, Done], tmp_path: Path, postgres_url: str
) -> None:
    pytest.importorskip("ray", reason="needs the package ray: run `make ray`")
    with empty_schema(postgres_url) as url:
        done = patrolvision("run", street.clip, *street.options, "--executor", "ray",
                            "--db", url, "--out", tmp_path, "--json")  # fmt: skip
        assert done.rc == 0, done.err
        assert digest_of(url) == digest(first_run[0])
    assert done.summary["ticket_list"] == first_run[1].summary["ticket_list"]
