"""The live door beside the batch door: the same incidents, through losses and to a clean stop."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from helpers.receivers import Speaking, gga, rmc
from helpers.rtsp import RtspServer, SilentServer
from patrolvision import batch
from patrolvision.config import Settings, WatchFile, load_missions, load_watch
from patrolvision.errors import ConfigError
from patrolvision.follower import COMPANY, Company, Desk
from patrolvision.geo.geodesy import distance_m, local_en
from patrolvision.live import watch
from patrolvision.pipeline import Judged
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import open_store
from patrolvision.types import Incident, Mission
from rules.street import seen

FPS = 4.0  # what two busy cores still hold
MOST_SUPERSEDED = 0.35  # of the frames to analyse; beyond, there is nothing fair to compare
STEADY_FRAMES = 5  # a thing seen in fewer may fall between the frames that live analyses
SAME_PLACE_M = 1.5  # the sigma of the pass and its first frames, which live may miss


@pytest.fixture
def drive(sample_media: Path) -> Mission:
    """The sample drive that is played and served."""
    missions = load_missions(sample_media / "missions.toml")
    found = next((m for m in missions if Path(m.media).is_file()), None)
    if found is None:
        pytest.skip("needs a rendered clip in sample_media: see sample_media/README.md")
    return found


def settings(drive: Mission, out: Path) -> Settings:
    return Settings(
        out=out,
        analysis_fps=FPS,
        input_px=drive.input_px,
        zones=drive.zones,
        grids=drive.grids,
        clip=False,
        pictures=False,
    )


def source(drive: Mission, url: str, id: str = "car") -> dict[str, Any]:
    return {
        "id": id,
        "url": url,
        "camera": drive.camera,
        "telemetry": None if drive.telemetry is None else str(drive.telemetry),
        "started_at": drive.started_at,
    }


def incidents(out: Path) -> list[Incident]:
    store = open_store(f"sqlite:///{out / 'patrol.db'}", create=False)
    found = [i for i in store.incidents() if i.status != "dismissed" and i.kind != "watch"]
    store.close()
    return found


def seen_steadily(out: Path, found: list[Incident], kept: float) -> list[Incident]:
    """Those that rest on so many frames that, of a share kept of them, STEADY_FRAMES are left."""
    store = open_store(f"sqlite:///{out / 'patrol.db'}", create=False)
    frames = {o.id: o.frames for o in store.observations()}
    store.close()
    return [i for i in found if max(frames[o] for o in i.observation_ids) * kept >= STEADY_FRAMES]


def same(a: Incident, b: Incident) -> bool:
    apart = distance_m(a.place.lat_deg, a.place.lon_deg, b.place.lat_deg, b.place.lon_deg)
    return a.category == b.category and a.zone_id == b.zone_id and float(apart) <= SAME_PLACE_M


def wait_for(claim: Callable[[], bool], within_s: float, what: str) -> None:
    until = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < until, f"waited {within_s} s for {what}"
        time.sleep(0.1)


@pytest.fixture
def server(drive: Mission) -> Iterator[RtspServer]:
    server = RtspServer(Path(drive.media).parent)
    server.start()
    yield server
    server.kill()


def test_live_finds_what_batch_finds_although_the_server_dies_in_the_middle(
    drive: Mission, server: RtspServer, tmp_path: Path
) -> None:
    batch.run(settings(drive, tmp_path / "batch"), [drive], {})
    silent, stop, said = SilentServer(), threading.Event(), list[str]()
    file = WatchFile.model_validate(
        {
            "settings": settings(drive, tmp_path / "live"),
            "source": [
                source(drive, server.url(Path(drive.media).name)),
                source(drive, f"rtsp://127.0.0.1:{silent.port}/x", "silent"),
                source(drive, str(tmp_path / "missing.mp4"), "missing"),
            ],
            "reconnect_max_s": 1.0,
            "report_every_s": 1.0,
        }
    )
    told: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: told.append(watch(file, stop=stop, say=said.append)))
    thread.start()
    wait_for(lambda: any("car: connected" in line for line in said), 30, "the first session")
    time.sleep(3.0)
    server.kill()
    time.sleep(0.5)
    server.start()
    wait_for(lambda: "car: connected (session 2)" in said, 30, "the second session")
    wait_for(lambda: any("1 reconnects" in s and "not connected" in s for s in said), 60, "its end")
    stop.set()
    thread.join(10.0)
    silent.close()
    assert not thread.is_alive()

    summary = told[0]
    assert [failure["item"] for failure in summary["failed"]] == ["missing"]
    car = summary["streams"][0]
    assert car["sessions"] >= 2
    frames = car["frames"]
    assert frames["read"] == frames["analysed"] + sum(frames["skipped"].values())
    superseded = frames["skipped"].get("superseded", 0)
    if superseded > MOST_SUPERSEDED * (frames["analysed"] + superseded):
        pytest.skip(f"needs a machine that analyses {FPS:.0f} frames a second while it is tested")
    expected, found = incidents(tmp_path / "batch"), incidents(tmp_path / "live")
    kept = frames["analysed"] / (frames["analysed"] + superseded)
    steady = seen_steadily(tmp_path / "batch", expected, kept)
    assert len(steady) >= 2
    for incident in steady:
        twins = [other for other in found if same(incident, other)]
        assert len(twins) == 1, f"{incident.category} in {incident.zone_id}: {len(twins)} live"
    sure = [i for i in found if i.kind == "enforce"]
    assert all(any(same(i, other) for other in expected) for i in sure)


def test_a_signal_ends_a_watch_cleanly_with_everything_settled(
    drive: Mission, tmp_path: Path
) -> None:
    entry = source(drive, drive.media)
    lines = [f'{name} = "{value}"' for name, value in entry.items() if name != "started_at"]
    config = tmp_path / "watch.toml"
    config.write_text(
        "report_every_s = 0.5\n[settings]\n"
        f'out = "{tmp_path / "out"}"\nanalysis_fps = {FPS}\npictures = false\n'
        f'zones = "{drive.zones}"\ngrids = "{drive.grids}"\n'
        "[[source]]\nloop = true\n" + "\n".join(lines) + f"\nstarted_at = {entry['started_at']}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "patrolvision.cli", "watch", str(config), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "newest frame" in line:
            break
    time.sleep(2.0)
    process.send_signal(signal.SIGTERM)
    asked_s = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert time.monotonic() - asked_s < 8.0  # one detection and one transaction, on a busy machine
    assert "Traceback" not in err
    summary = json.loads(out.splitlines()[-1])
    told = summary["streams"][0]
    frames = told["frames"]
    assert frames["analysed"] > 0
    assert frames["read"] == frames["analysed"] + sum(frames["skipped"].values())
    with sqlite3.connect(tmp_path / "out" / "patrol.db") as db:
        stored = db.execute("SELECT count(*) FROM observations").fetchone()[0]
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    db.close()
    assert stored == told["observations"]


def test_a_receiver_on_the_network_gives_the_pictures_their_places(
    drive: Mission, server: RtspServer, tmp_path: Path
) -> None:
    stop, said, told = threading.Event(), list[str](), list[dict[str, Any]]()
    began = datetime.now(UTC)

    def driving(call: int) -> Iterator[str]:
        """A car that drives north at 8 m/s, now, told five times a second."""
        while not stop.wait(0.2):
            now = datetime.now(UTC)
            lat_deg = 31.2 + 8.0 * (now - began).total_seconds() / 110_870.0
            yield from (gga(now, lat_deg, 121.4), rmc(now, lat_deg, 121.4, 8.0, 0.0))

    receiver = Speaking(driving)
    entry = source(drive, server.url(Path(drive.media).name))
    entry |= {"telemetry": f"nmea+tcp://127.0.0.1:{receiver.port}", "started_at": None}
    bare = settings(drive, tmp_path).model_copy(update={"zones": None, "grids": None})
    file = WatchFile.model_validate(
        {"settings": bare, "source": [entry], "reconnect_min_s": 60.0, "reconnect_max_s": 60.0,
         "report_every_s": 0.5}
    )  # fmt: skip
    thread = threading.Thread(target=lambda: told.append(watch(file, stop=stop, say=said.append)))
    thread.start()
    wait_for(lambda: any("not connected" in line for line in said), 90, "the end of the clip")
    ended = datetime.now(UTC)
    stop.set()
    thread.join(10.0)
    receiver.close()

    frames = told[0]["streams"][0]["frames"]
    assert frames["read"] == frames["analysed"] + sum(frames["skipped"].values())
    assert frames["analysed"] > 0 and frames["without_pose"] <= 0.25 * frames["analysed"], frames
    store = open_store(f"sqlite:///{tmp_path / 'patrol.db'}", create=False)
    found = list(store.observations())
    store.close()
    assert found
    for one in found:
        assert began < one.first_seen <= one.last_seen < ended
        # The clip is of another drive: its things are somewhere along this one, no more.
        first_m, last_m = (
            8.0 * (at - began).total_seconds() for at in (one.first_seen, one.last_seen)
        )
        east, north = local_en(31.2, 121.4, one.place.lat_deg, one.place.lon_deg)
        assert first_m - 60.0 < float(north) < last_m + 80.0 and abs(float(east)) < 80.0


def test_what_comes_later_changes_the_verdict_on_what_came_before() -> None:
    rules = Rulebook()
    company = Company(rules)
    fire, smoke = seen(class_name="fire", id="fire"), seen(class_name="smoke", id="smoke")
    first = company.judged(Judged((fire,), tuple(rules.findings([fire]))))
    assert [f.evidence["smoke_support"] for f in first.findings] == [0.0]
    second = company.judged(Judged((smoke,), tuple(rules.findings([smoke]))))
    again = {f.observation.id: f for f in second.findings}
    assert again["fire"].evidence["smoke_support"] > 0.0
    assert [o.id for o in second.observations] == ["smoke"]


def test_the_company_of_a_long_session_is_bounded() -> None:
    company = Company(Rulebook())
    for k in range(3 * COMPANY):
        company.judged(Judged((seen(class_name="fire", id=f"fire-{k}"),)))
    assert company._size() == COMPANY


def test_what_the_store_refuses_is_settled_later(tmp_path: Path) -> None:
    path = tmp_path / "patrol.db"
    store = open_store(f"sqlite:///{path}")
    desk = Desk(store, None)

    def rename(old: str, new: str) -> None:
        with sqlite3.connect(path) as db:
            db.execute(f"ALTER TABLE {old} RENAME TO {new}")
        db.close()

    rename("observations", "lost")
    assert desk.settle(Judged((seen(class_name="fire", id="one"),))).observations == 0
    rename("lost", "observations")
    assert desk.settle(Judged((seen(class_name="fire", id="two"),))).observations == 2
    assert sorted(o.id for o in store.observations()) == ["one", "two"]
    assert desk.clear().observations == 0
    store.close()


def test_two_streams_of_one_name_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "watch.toml"
    config.write_text('[[source]]\nid = "a"\nurl = "x.mp4"\n[[source]]\nid = "a"\nurl = "y.mp4"\n')
    with pytest.raises(ConfigError, match="source id 'a' is given twice"):
        load_watch(config)


def test_a_camera_that_cannot_be_read_stops_the_watch_before_it_begins(tmp_path: Path) -> None:
    config = tmp_path / "watch.toml"
    config.write_text(
        f'[settings]\nout = "{tmp_path / "out"}"\n'
        '[[source]]\nid = "a"\nurl = "rtsp://127.0.0.1:9/x"\ncamera = "none.toml"\n'
    )
    with pytest.raises(ConfigError, match=r"none\.toml"):
        watch(load_watch(config), stop=threading.Event())
