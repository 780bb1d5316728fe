"""A written city says what the contracts promise, and one seed makes one city."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from patrolvision.errors import ConfigError, OutputError
from patrolvision.geo.geodesy import local_en
from patrolvision.simulate.city import CitySettings, build_city
from patrolvision.simulate.kerb import KerbSettings, build_kerb
from patrolvision.simulate.writing import truth_record, write_city

SMALL = CitySettings(seed=4, incidents=30, streets=3, days=2)


def test_one_seed_makes_one_city_and_another_seed_another() -> None:
    one, again = build_city(SMALL), build_city(SMALL)
    assert [o.place.lat_deg for o in one.observations] == [
        o.place.lat_deg for o in again.observations
    ]
    other = build_city(CitySettings(seed=5, incidents=30, streets=3, days=2))
    assert one.truth != other.truth


def test_every_observation_shows_a_thing_that_was_there_or_is_a_false_alarm() -> None:
    city = build_city(SMALL)
    things = {thing.id: thing for thing in city.things}
    for o in city.observations:
        of = city.truth[o.id]
        if of is not None:
            at = (o.first_seen - SMALL.start).total_seconds()
            assert things[of].since_s <= at < things[of].until_s + 3.0
            assert things[of].class_name == o.class_name


def test_things_of_a_class_keep_their_distance_unless_one_replaces_the_other() -> None:
    things = [thing for thing in build_city(SMALL).things if thing.previous is None]
    for k, a in enumerate(things):
        for b in things[:k]:
            if a.class_name == b.class_name:
                apart = ((a.east_m - b.east_m) ** 2 + (a.north_m - b.north_m) ** 2) ** 0.5
                assert apart >= SMALL.min_spacing_m


def test_about_one_track_in_twenty_is_broken() -> None:
    city = build_city(CitySettings(seed=6, incidents=100, days=2))
    passes = [(o.mission_id, city.truth[o.id]) for o in city.observations]
    twice = len(passes) - len(set(passes))
    assert 0.03 < twice / len(set(passes)) < 0.07  # sigma of the share is below 0.005


def test_only_offences_are_illegal_and_only_what_was_seen_long_enough_is_provable() -> None:
    city = build_kerb(KerbSettings(seed=1, sections=60))
    rules = {v["rule"] for v in city.verdicts.values()}
    assert {"no_stopping", "no_parking", "bay", "warning"} <= rules
    for verdict in city.verdicts.values():
        assert verdict["illegal"] == (verdict["rule"] in ("no_stopping", "no_parking"))
        assert verdict["illegal"] or not verdict["provable"]
    assert any(v["provable"] for v in city.verdicts.values())


def test_the_files_hold_the_city(tmp_path: Path) -> None:
    counts = write_city(tmp_path / "k", preset="kerb", seed=2)
    lines = (tmp_path / "k" / "observations.jsonl").read_text().splitlines()
    assert len(lines) == counts["observations"] > 0
    assert {"id", "mission_id", "class", "cov_en_m2", "speed_mps"} <= set(json.loads(lines[0]))
    zones = json.loads((tmp_path / "k" / "zones.geojson").read_text())
    ids = [zone["properties"]["zone_id"] for zone in zones["features"]]
    assert len(ids) == len(set(ids)) == counts["zones"]
    truth = json.loads((tmp_path / "k" / "truth.json").read_text())
    shown = [o for thing in truth["things"] for o in thing["observation_ids"]]
    assert len(shown) == counts["observations"]


def test_the_truth_accounts_for_every_observation() -> None:
    city = build_city(SMALL)
    truth = truth_record(city)
    shown = [o for thing in truth["things"] for o in thing["observation_ids"]]
    assert sorted(shown + truth["false_alarms"]) == sorted(o.id for o in city.observations)


def test_an_unknown_preset_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mixed, dense, uneven, kerb"):
        write_city(tmp_path, preset="atlantis")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_city(tmp_path / "file", preset="kerb")


def test_the_shift_of_a_pass_wanders_as_far_as_it_is_told_to() -> None:
    """Two sights of one thing by one pass share the shift; a minute apart, they share less."""

    def spread(drift_s: float | None) -> float:
        still = CitySettings(
            seed=7, incidents=120, streets=4, days=2, drift_s=drift_s, car_noise_m=0.01,
            drone_noise_m=0.01, false_alarms_a_pass=0.0,
        )  # fmt: skip
        city = build_city(still)
        east = {thing.id: thing.east_m for thing in city.things}
        by_pass: dict[str, list[float]] = {}
        for o in city.observations:
            thing = city.truth[o.id]
            assert thing is not None
            at, _ = local_en(still.lat_deg, still.lon_deg, o.place.lat_deg, o.place.lon_deg)
            by_pass.setdefault(o.mission_id, []).append(float(at) - east[thing])
        return float(np.mean([np.std(shifts) for shifts in by_pass.values()]))

    assert spread(None) < 0.02
    assert 1.0 < spread(60.0) < 2.1  # a few minutes show most of its sigma of 2 m


def test_half_hidden_things_are_seen_half_as_often_and_looks_may_promise_more() -> None:
    city = build_city(
        CitySettings(
            seed=8, incidents=100, days=3, broken_track_rate=0.0, half_hidden_share=0.5,
            detection_probability=0.8, stated_probability=0.9, removal_share=0.0,
        )
    )  # fmt: skip
    seen = Counter(thing for thing in city.truth.values() if thing is not None)
    hidden = [seen[t.id] for t in city.things if int(t.id.split("-")[1]) % 2 == 0]
    plain = [seen[t.id] for t in city.things if int(t.id.split("-")[1]) % 2 == 1]
    assert 0.4 < np.mean(hidden) / np.mean(plain) < 0.6
    assert {look.detection_probability for look in city.looks} == {0.9}
