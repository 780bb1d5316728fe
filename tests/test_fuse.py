"""Observations as lines in; incidents and tickets out, in every format."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from helpers.command_line import Done, in_process
from helpers.street_lines import (
    CAR,
    DEGREE_M,
    EAST_M,
    LITTER,
    line,
    two_passes,
    write_grids,
    write_lines,
    write_zone,
)
from patrolvision.store.sql_store import open_store

CaptureFixture = pytest.CaptureFixture[str]


def fused(
    capsys: CaptureFixture, folder: Path, records: list[Any], name: str = "a", *options: object
) -> tuple[Done, str]:
    """The answer to fusing these lines into the folder's database of that name, and its URL."""
    url = f"sqlite:///{folder / name}.db"
    file = write_lines(folder / f"{name}.jsonl", records)
    zones, grids = write_zone(folder / "z.geojson"), write_grids(folder / "g.geojson")
    done = in_process(capsys, "fuse", file, "--zones", zones, "--grids", grids, "--db", url,
                      "--json", *options)  # fmt: skip
    return done, url


def digest(url: str) -> str:
    store = open_store(url, create=False)
    try:
        return store.digest()
    finally:
        store.close()


def listed(capsys: CaptureFixture, what: str, url: str) -> list[dict[str, Any]]:
    done = in_process(capsys, what, "--db", url, "--format", "json")
    assert done.rc == 0
    return [json.loads(text) for text in done.out.splitlines()]


def test_two_passes_over_a_heap_and_a_car_make_two_incidents_with_a_ticket_each(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    done, url = fused(capsys, tmp_path, two_passes())
    assert done.rc == 0, done.err
    assert done.summary["read"] == done.summary["new_observations"] == 4
    incidents = {i["category"]: i for i in listed(capsys, "incidents", url)}
    assert sorted(incidents) == ["illegal_parking", "litter"]
    for incident in incidents.values():
        assert sorted(incident["mission_ids"]) == ["p1", "p2"]
        assert incident["status"] == "existing"  # seen again by a later pass
    assert incidents["illegal_parking"]["zone_id"] == "lane"
    assert sorted(incidents["illegal_parking"]["observation_ids"]) == ["p1-1", "p2-1"]
    tickets = {t["category"]: t for t in listed(capsys, "tickets", url)}
    assert sorted(tickets) == ["illegal_parking", "litter"]
    for category, place in (("illegal_parking", CAR), ("litter", LITTER)):
        ticket = tickets[category]
        assert ticket["incident_id"] == incidents[category]["incident_id"]
        assert (ticket["unit_grid"], ticket["responsible_grid"]) == ("U-1", "R-1")
        assert ticket["state"] == "reported"
        assert [event["state"] for event in ticket["history"]] == ["reported"]
        assert ticket["lat_deg"] == pytest.approx(place[0], abs=0.6 / 111_000)  # between the two
        assert ticket["lon_deg"] == pytest.approx(place[1], abs=0.1 / 111_000)
    assert tickets["illegal_parking"]["segment"] == "S-1"


def test_a_car_outside_every_zone_is_no_incident(tmp_path: Path, capsys: CaptureFixture) -> None:
    away = [line("x", "p1", "car", "08:00", lat_deg=CAR[0] + 0.01)]
    done, url = fused(capsys, tmp_path, away)
    assert done.rc == 0
    assert len(listed(capsys, "observations", url)) == 1
    assert listed(capsys, "incidents", url) == listed(capsys, "tickets", url) == []


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_and_repeated_lines_end_in_the_same_state(
    seed: int, tmp_path: Path, capsys: CaptureFixture
) -> None:
    _, plain = fused(capsys, tmp_path, two_passes(), "plain")
    mixed = two_passes() * 3
    random.Random(seed).shuffle(mixed)
    done, url = fused(capsys, tmp_path, mixed, "mixed")
    assert done.rc == 0
    assert digest(url) == digest(plain)
    again, _ = fused(capsys, tmp_path, mixed, "mixed")
    assert again.summary["new_observations"] == 0
    assert (again.summary["changed_incidents"], again.summary["changed_tickets"]) == (0, 0)
    assert digest(url) == digest(plain)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the later pass first"])
def test_passes_that_come_one_by_one_end_where_all_at_once_ends(
    order: tuple[int, int], tmp_path: Path, capsys: CaptureFixture
) -> None:
    """But for names, which an incident keeps from the first pass that told of it."""
    _, whole = fused(capsys, tmp_path, two_passes(), "whole")
    passes = [two_passes()[:2], two_passes()[2:]]
    for number in order:
        done, url = fused(capsys, tmp_path, passes[number], "parts")
        assert done.rc == 0
    for what, names in (
        ("observations", ()),
        ("incidents", ("incident_id",)),
        ("tickets", ("ticket_id", "incident_id", "history")),
    ):
        assert without(listed(capsys, what, url), names) == without(
            listed(capsys, what, whole), names
        )


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)], ids=str)
@pytest.mark.parametrize(
    ("classes", "properties", "kind", "is_open"),
    [
        (("truck", "truck", "car"), {"exempt_classes": ["truck"]}, "watch", False),
        (("car", "car", "truck"), {"exempt_classes": ["truck"]}, "enforce", True),
        (("car", "car", "truck"), {"vehicle_classes": ["truck"]}, "watch", False),
        (("truck", "truck", "car"), {"vehicle_classes": ["truck"]}, "enforce", True),
    ],
)
def test_a_vehicle_is_of_the_class_that_most_passes_say_in_whatever_order_they_come(
    order: tuple[int, ...],
    classes: tuple[str, ...],
    properties: dict[str, Any],
    kind: str,
    is_open: bool,
    tmp_path: Path,
    capsys: CaptureFixture,
) -> None:
    """A ticket that the first passes made is rejected once the others contradict them."""
    zones = write_zone(tmp_path / "z.geojson", **properties)
    at_the_kerb = {"lat_deg": CAR[0], "speed_mps": 0.0, "speed_sigma_mps": 0.2}
    passes = [
        line(f"p{k}-1", f"p{k}", name, f"08:{10 * order[k]:02d}", **at_the_kerb)
        for k, name in enumerate(classes)
    ]
    one_by_one = [[one] for one in passes]
    for name, calls in (("whole", [passes]), ("on", one_by_one), ("back", one_by_one[::-1])):
        url = f"sqlite:///{tmp_path / name}.db"
        for records in calls:
            file = write_lines(tmp_path / "o.jsonl", records)
            assert in_process(capsys, "fuse", file, "--zones", zones, "--db", url).rc == 0
        store = open_store(url, create=False)
        try:
            (incident,) = store.incidents()
            states = [ticket.state for ticket in store.tickets()]
        finally:
            store.close()
        assert incident.kind == kind
        assert incident.class_name == classes[0]
        assert len(incident.observation_ids) == 3
        was_raised = is_open or name == "back"  # by its first pass
        assert states == (["reported" if is_open else "rejected"] if was_raised else [])


def without(records: list[dict[str, Any]], names: tuple[str, ...]) -> list[str]:
    """The records less some fields, in an order that needs no names."""
    return sorted(
        json.dumps({k: v for k, v in record.items() if k not in names}) for record in records
    )


def test_a_look_that_misses_the_heap_twice_removes_it(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    (lat, lon), d = LITTER, 0.0002
    ring = [[lon - d, lat - d], [lon + d, lat - d], [lon + d, lat + d], [lon - d, lat + d]]
    looks = [
        {"id": f"look{hour}", "mission_id": f"q{hour}", "start": f"2026-05-04T{hour}:00:00+08:00",
         "end": f"2026-05-04T{hour}:00:05+08:00", "classes": ["litter"], "polygon": ring,
         "detection_probability": 0.95}
        for hour in range(10, 18)
    ]  # fmt: skip
    coverage = write_lines(tmp_path / "looks.jsonl", looks)
    done, url = fused(capsys, tmp_path, two_passes(), "a", "--coverage", coverage)
    assert done.rc == 0, done.err
    status = {i["category"]: i["status"] for i in listed(capsys, "incidents", url)}
    assert status == {"litter": "removed", "illegal_parking": "existing"}


BAD_LINES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "no JSON": ('{"id": "x", ', ("not JSON",)),
    "a list": ("[1]", ("JSON object",)),
    "a latitude beyond the pole": (line("x", "p", "car", "08:00", lat_deg=91), ("'x'", "lat_deg")),
    "no longitude": ({k: v for k, v in line("x", "p", "car", "08:00").items() if k != "lon_deg"},
                     ("'x'", "lon_deg", "missing")),
    "no fix": (line("x", "p", "car", "08:00", lat_deg=0.0, lon_deg=0.0), ("'x'", "no fix")),
    "no error at all": (line("x", "p", "car", "08:00", cov_en_m2=[[0, 0], [0, 0]]),
                        ("'x'", "cov_en_m2")),
    "an error that is none": (line("x", "p", "car", "08:00", cov_en_m2=[[1, 2], [2, 1]]),
                              ("'x'", "cov_en_m2", "positive")),
    "a confidence of 2": (line("x", "p", "car", "08:00", confidence=2), ("'x'", "confidence")),
    "the end before the start": (
        line("x", "p", "car", "08:00", last_seen="2026-05-04T07:00:00+08:00"), ("last_seen",)),
    "a time without offset": (line("x", "p", "car", "08:00", first_seen="2026-05-04T08:00:00"),
                              ("first_seen", "offset")),
    "the year 2999": (line("x", "p", "car", "08:00", last_seen="2999-01-01T00:00:00+00:00"),
                      ("last_seen", "now")),
    "a class nobody knows": (line("x", "p", "cat", "08:00"), ("class", "cat")),
    "no frame": (line("x", "p", "car", "08:00", frames=0), ("frames",)),
    "not a number": (line("x", "p", "car", "08:00", lat_deg=float("nan")), ("lat_deg",)),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_LINES)
def test_a_bad_line_is_named_with_its_field_and_the_rest_goes_on(
    fault: str, tmp_path: Path, capsys: CaptureFixture
) -> None:
    bad, fragments = BAD_LINES[fault]
    good = two_passes()
    done, url = fused(capsys, tmp_path, [*good[:2], bad, *good[2:]])
    assert done.rc == 3
    (complaint,) = done.complaints
    assert f"{tmp_path / 'a.jsonl'}:3: " in complaint
    assert [f for f in fragments if f not in complaint] == []
    (failure,) = done.summary["failed"]
    assert failure["item"] == f"{tmp_path / 'a.jsonl'}:3"
    assert complaint == f"patrolvision: {failure['error']}"
    assert len(listed(capsys, "observations", url)) == 4
    assert len(listed(capsys, "tickets", url)) == 2


LOOK = {
    "id": "s1", "mission_id": "p", "start": "2026-05-04T08:00:00+08:00",
    "end": "2026-05-04T08:00:05+08:00", "classes": ["litter"], "detection_probability": 0.9,
    "polygon": [[113.23, 22.84], [113.231, 22.84], [113.231, 22.841]],
}  # fmt: skip


def test_lines_that_no_program_should_write_spoil_themselves_alone(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    good = two_passes()
    file = tmp_path / "a.jsonl"
    ugly = [b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}", b'{"id": "\xff\xfe"}']
    file.write_bytes(b"\n".join([*ugly, *(json.dumps(line).encode() for line in good)]))
    done = in_process(capsys, "fuse", file, "--db", f"sqlite:///{tmp_path / 'p.db'}", "--json")
    assert done.rc == 3
    assert [f"a.jsonl:{k}: " in line for k, line in enumerate(done.complaints, 1)] == [True] * 3
    assert done.summary["read"] == len(good)


def test_two_lines_of_one_id_that_disagree_are_named_and_the_first_counts(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    good = two_passes()
    again = {**good[0], "lat_deg": good[0]["lat_deg"] + 0.001}
    done, url = fused(capsys, tmp_path, [*good, good[1], again])
    assert done.rc == 3
    (complaint,) = done.complaints
    assert f":{len(good) + 2}: {good[0]['id']}: field lat_deg is" in complaint
    kept = {o["id"]: o["lat_deg"] for o in listed(capsys, "observations", url)}
    assert kept[good[0]["id"]] == good[0]["lat_deg"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("end", "2999-01-01T00:00:00Z"),
        ("polygon", [[-179, -80], [179, -80], [179, 80], [-179, 80]]),
        ("detection_probability", 2),
    ],
)
def test_a_look_that_cannot_have_been_is_named_and_proves_nothing(
    field: str, value: object, tmp_path: Path, capsys: CaptureFixture
) -> None:
    observations, coverage = tmp_path / "a.jsonl", tmp_path / "c.jsonl"
    observations.write_text("".join(json.dumps(line) + "\n" for line in two_passes()))
    coverage.write_text(json.dumps(LOOK | {field: value}) + "\n" + json.dumps(LOOK) + "\n")
    done = in_process(
        capsys, "fuse", observations, "--coverage", coverage,
        "--db", f"sqlite:///{tmp_path / 'p.db'}", "--json",
    )  # fmt: skip
    assert done.rc == 3
    (complaint,) = done.complaints
    assert "c.jsonl:1: look 's1'" in complaint
    assert f"field {field} " in complaint
    assert done.summary["stored"]["looks"] == 1


def test_observations_that_are_not_there_are_a_wrong_call(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    done = in_process(capsys, "fuse", tmp_path / "no.jsonl", "--db", f"sqlite:///{tmp_path}/a.db")
    assert done.rc == 2
    assert "no.jsonl" in done.err
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize(
    ("what", "identity", "rows"), [("observations", "id", 4), ("incidents", "incident_id", 2),
                                   ("tickets", "ticket_id", 2)],
)  # fmt: skip
def test_what_is_stored_is_the_same_in_every_format(
    what: str, identity: str, rows: int, tmp_path: Path, capsys: CaptureFixture
) -> None:
    _, url = fused(capsys, tmp_path, two_passes())
    as_json = listed(capsys, what, url)
    assert len(as_json) == rows
    geojson = json.loads(in_process(capsys, what, "--db", url, "--format", "geojson").out)
    assert geojson["type"] == "FeatureCollection"
    for record, feature in zip(as_json, geojson["features"], strict=True):
        assert feature["id"] == feature["properties"][identity] == record[identity]
        assert feature["geometry"]["coordinates"] == [record["lon_deg"], record["lat_deg"]]
    text = in_process(capsys, what, "--db", url, "--format", "csv").out
    for record, row in zip(as_json, csv.DictReader(io.StringIO(text, newline="")), strict=True):
        assert row[identity] == record[identity]
        assert float(row["lat_deg"]) == record["lat_deg"]
    table = in_process(capsys, what, "--db", url).out
    assert f"{rows} {what}" in table
    assert all(f"{record['lat_deg']:.6f}" in table for record in as_json)


def test_an_empty_database_lists_nothing_in_every_format(
    tmp_path: Path, capsys: CaptureFixture
) -> None:
    _, url = fused(capsys, tmp_path, [])
    for what in ("observations", "incidents", "tickets"):
        assert listed(capsys, what, url) == []
        geojson = json.loads(in_process(capsys, what, "--db", url, "--format", "geojson").out)
        assert geojson == {"type": "FeatureCollection", "features": []}
        assert in_process(capsys, what, "--db", url, "--format", "csv").rc == 0
        assert f"0 {what}" in in_process(capsys, what, "--db", url).out


@pytest.mark.parametrize(
    ("options", "named", "warnings"),
    [((), {}, 1), (("--timezone", "UTC"), {}, 0), ((), {"timezone": "Asia/Shanghai"}, 0)],
    ids=["nobody names one", "the command line does", "the zone does"],
)
def test_hours_on_a_clock_that_nobody_named_are_warned_of_once(
    options: tuple[str, ...],
    named: dict[str, str],
    warnings: int,
    tmp_path: Path,
    capsys: CaptureFixture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    zones = write_zone(tmp_path / "zones.geojson")
    content = json.loads(zones.read_text(encoding="utf-8"))
    content["features"][0]["properties"] |= {"hours": "Mo-Fr 07:00-09:00", **named}
    zones.write_text(json.dumps(content), encoding="utf-8")
    lines = write_lines(tmp_path / "o.jsonl", two_passes())
    url = f"sqlite:///{tmp_path / 'city.db'}"
    done = in_process(capsys, "fuse", lines, "--zones", zones, "--db", url, *options)
    assert done.rc == 0
    said = [r.getMessage() for r in caplog.records if "timezone" in r.getMessage()]
    assert len(said) == warnings
    assert all(str(zones) in text and "'lane'" in text for text in said)


def one_busy_pass() -> list[dict[str, Any]]:
    """Smoke 15 m off its fire, litter that burns in it, and a car that stands in a queue."""
    smoke_lat, queue_lon = LITTER[0] + 15 / DEGREE_M, CAR[1] + 6 / EAST_M
    return [
        line("p1-1", "p1", "smoke", "08:00", lat_deg=smoke_lat),
        line("p1-2", "p1", "fire", "08:00"),
        line("p1-3", "p1", "litter", "08:00", lat_deg=LITTER[0] + 1 / DEGREE_M),
        line("p1-4", "p1", "car", "08:00"),
        line("p1-5", "p1", "car", "08:00", lon_deg=queue_lon, speed_mps=2.5),
    ]


def standing(url: str) -> list[tuple[object, ...]]:
    """What is said of each incident that was not dismissed, those that nobody is shown included."""
    store = open_store(url, create=False)
    found = [i for i in store.incidents() if i.status != "dismissed"]
    store.close()
    return sorted(
        (i.category, i.kind, i.status, i.observation_ids, i.score, i.priority, dict(i.evidence))
        for i in found
    )


@pytest.mark.parametrize("order", ["12345", "54321", "21354", "34512", "45123", "1 2345", "3451 2"])
def test_a_pass_that_is_told_line_by_line_ends_where_all_at_once_ends(
    tmp_path: Path, capsys: CaptureFixture, order: str
) -> None:
    """Smoke comes before its fire or after it, a queue before or after who stands in it."""
    told = one_busy_pass()
    _, whole = fused(capsys, tmp_path, told, "whole")
    expected = standing(whole)
    assert [(category, kind, ids) for category, kind, _, ids, *_ in expected] == [
        ("illegal_parking", "watch", ("p1-4",)),
        ("litter", "watch", ("p1-3",)),
        ("open_fire", "enforce", ("p1-2",)),
    ]
    parts = order.split() if " " in order else list(order)
    for part in [*parts, order.replace(" ", "")[:2]]:  # and two of them once more
        _, url = fused(capsys, tmp_path, [told[int(k) - 1] for k in part], "parts")
    assert standing(url) == expected
