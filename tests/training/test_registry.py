"""A registered class becomes tickets without a line of code; hours and vehicles are obeyed."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from patrolvision.cli import main
from patrolvision.detect.without import WithoutClasses
from patrolvision.errors import ConfigError
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.registered import Registered
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import open_store
from patrolvision.training.registry import load_registry, unsuited
from patrolvision.types import GeoPoint, Look, Observation

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MANHOLE = """
[[algorithm]]
name = "manholes"
version = "3"
owner = "water bureau"
classes = { manhole_open = "open_manhole" }
enforce = 0.7
review = 0.3
frames = 2
priority = "high"
suits = ["car"]
"""


def seen(
    class_name: str = "manhole_open", *, id: str = "a", at: datetime = NOON, confidence: float = 0.8
) -> Observation:
    return Observation(
        id=id,
        mission_id=f"m-{id}",
        stream_id="car",
        class_name=class_name,
        first_seen=at,
        last_seen=at + timedelta(seconds=2),
        place=GeoPoint(22.84, 113.23, np.eye(2)),
        confidence=confidence,
        frames=6,
    )


def hazard(**more: object) -> Registered:
    given = {"class_name": "manhole_open", "category": "open_manhole", "algorithm": "manholes@3"}
    return Registered(**{**given, "owner": "water bureau", **more})  # type: ignore[arg-type]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("PATROLVISION_MODELS", str(folder))
    return folder


def lines(path: Path, count: int = 2) -> Path:
    """The same open manhole as two passes saw it, a day apart."""
    rows = []
    for number in range(count):
        at = NOON + timedelta(days=number)
        rows.append(
            {
                "id": f"p{number}-1",
                "mission_id": f"p{number}",
                "stream_id": "car1",
                "class": "manhole_open",
                "first_seen": at.isoformat(),
                "last_seen": (at + timedelta(seconds=2)).isoformat(),
                "lat_deg": 22.84,
                "lon_deg": 113.23,
                "cov_en_m2": [[2.0, 0.0], [0.0, 2.0]],
                "confidence": 0.8,
                "frames": 7,
                "speed_mps": None,
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_observation_of_a_registered_class_becomes_one_ticket(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models / "registry.toml").write_text(MANHOLE)
    db = f"sqlite:///{tmp_path / 'patrol.db'}"
    for _ in range(2):  # the second time changes nothing
        assert main(["fuse", str(lines(tmp_path / "o.jsonl")), "--db", db, "--json"]) == 0
    capsys.readouterr()
    assert main(["tickets", "--db", db, "--format", "json"]) == 0
    (ticket,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert ticket["category"] == "open_manhole"
    assert ticket["priority"] == "high"
    assert main(["incidents", "--db", db, "--format", "json"]) == 0
    (incident,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert incident["mission_ids"] == ["p0", "p1"]
    assert incident["evidence"]["rule_version"] == "manholes@3"


def test_a_class_that_nobody_registered_is_refused_by_name(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = f"sqlite:///{tmp_path / 'patrol.db'}"
    assert main(["fuse", str(lines(tmp_path / "o.jsonl")), "--db", db]) == 3
    assert "class" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("confidence", "frames", "kind"),
    [(0.8, 6, "enforce"), (0.8, 1, "review"), (0.3, 1, "review"), (0.1, 1, None)],
)
def test_score_and_frames_decide_between_case_question_and_nothing(
    confidence: float, frames: int, kind: str | None
) -> None:
    rules = Rulebook(registered=[hazard(enforce=0.7, review=0.3)])
    found = rules.findings([replace(seen(confidence=confidence), frames=frames)])
    assert [f.kind for f in found] == ([] if kind is None else [kind])


def test_outside_its_hours_an_algorithm_finds_nothing() -> None:
    night = hazard(hours="Mo-Su 20:00-24:00", timezone="Asia/Shanghai")
    rules = Rulebook(registered=[night])
    assert rules.findings([seen(at=NOON)]) != []  # noon in London is eight in the evening there
    assert rules.findings([seen(at=NOON - timedelta(hours=6))]) == []


def test_hours_bind_the_houses_own_hazards_too() -> None:
    day = hazard(class_name="litter", category="litter", hours="08:00-18:00")
    rules = Rulebook(registered=[day])
    litter = seen("litter", confidence=0.9)
    assert len(rules.findings([litter])) == 1
    assert rules.findings([seen("litter", at=NOON + timedelta(hours=9), confidence=0.9)]) == []


def look(at: datetime, *classes: str) -> Look:
    ring = ((22.839, 113.229), (22.839, 113.231), (22.841, 113.231), (22.841, 113.229))
    name = f"{at:%H}"
    ends = at + timedelta(seconds=5)
    return Look(f"look-{name}", f"night-{name}", at, ends, frozenset(classes), ring, 0.9)


@pytest.mark.parametrize(
    ("hours", "status"),
    [
        ("08:00-18:00", "new"),  # nobody looked for litter at night
        ("24/7", "removed"),  # the same looks, and it was looked for
    ],
)
def test_patrols_outside_an_algorithms_hours_prove_nothing_gone(
    hours: str, status: str, tmp_path: Path
) -> None:
    rules = Rulebook(registered=[hazard(class_name="litter", category="litter", hours=hours)])
    litter = [seen("litter", confidence=0.9)]
    nights = [look(NOON + timedelta(hours=h), "litter", "car") for h in (8, 9, 10, 11)]
    with closing(open_store(f"sqlite:///{tmp_path / 'a.db'}")) as store:
        with store.transaction() as transaction:
            judged = Judged(tuple(litter), tuple(rules.findings(litter)), tuple(nights))
            settle(transaction, judged, rules=rules)
        with store.transaction() as transaction:
            (incident,) = transaction.incidents_with([litter[0].id])
    assert incident.status == status


def test_a_look_speaks_only_of_what_is_looked_for_from_its_beginning_to_its_end() -> None:
    rules = Rulebook(
        registered=[hazard(class_name="litter", category="litter", hours="08:00-18:00")]
    )
    day, evening = look(NOON, "litter", "car"), look(NOON + timedelta(hours=6), "litter", "car")
    begins = NOON.replace(hour=17, minute=59, second=58)
    closing_time = replace(day, start=begins, end=begins + timedelta(seconds=5))
    assert rules.looks([day]) == [day]
    assert [k.classes for k in rules.looks([evening, closing_time])] == [frozenset({"car"})] * 2
    assert rules.looks([look(NOON + timedelta(hours=6), "litter")]) == []


def test_a_file_adds_algorithms_and_takes_the_place_of_those_it_names(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    ours = load_registry()[0]
    city = f'[[algorithm]]\nname = "{ours.name}"\nversion = "9"\nowner = "city"\n'
    path.write_text(MANHOLE + city + 'classes = { litter = "litter" }\nsuits = ["drone"]\n')
    found = {algorithm.name: algorithm for algorithm in load_registry(path)}
    assert set(found) == {"litter", "parking", "fire", "manholes"}
    assert found["litter"].id == "litter@9"
    assert unsuited(tuple(found.values()), "car") == {"litter"}
    assert unsuited(tuple(found.values()), "drone") == {"manhole_open"}


WRONG = {
    "an unknown key": (MANHOLE + 'colour = "red"\n', "colour"),
    "review above enforce": (MANHOLE.replace("review = 0.3", "review = 0.9"), "must not lie above"),
    "a strange vehicle": (MANHOLE.replace('["car"]', '["boat"]'), "suits"),
    "a class twice": (MANHOLE.replace("manhole_open =", "litter ="), "claimed by"),
    "an algorithm twice": (MANHOLE + MANHOLE, "there twice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_registry_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    text, expected = WRONG[case]
    path = tmp_path / "registry.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"registry\.toml") as error:
        load_registry(path)
    assert expected in str(error.value)


def test_wrong_hours_are_refused_with_the_algorithms_name() -> None:
    with pytest.raises(ConfigError, match="manholes@3: hours must be in opening_hours syntax"):
        hazard(hours="sometimes")


def test_what_a_vehicle_does_not_look_for_is_not_detected() -> None:
    from helpers.blob_detector import BlobDetector

    image = np.zeros((200, 200, 3), np.uint8)
    image[20:60, 20:60], image[100:160, 100:160] = (0, 0, 255), (255, 0, 0)
    inner = BlobDetector()
    assert len(inner.detect([image])[0]) == 2
    (left,) = WithoutClasses(inner, {"litter"}).detect([image])
    assert [inner.release.classes[k] for k in left.class_id] == ["car"]
