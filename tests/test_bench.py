"""The benchmark scores what it should, through the command."""

from __future__ import annotations

import json

import pytest

from helpers.command_line import in_process
from patrolvision.bench import city_rows, dbscan_by_class_and_day, nearest_neighbour
from patrolvision.simulate.city import CitySettings, build_city
from patrolvision.simulate.scoring import counting, parking

CaptureFixture = pytest.CaptureFixture[str]


def test_a_perfect_count_scores_one() -> None:
    truth = {"a": "x", "b": "x", "c": "y", "noise": None}
    score = counting({"a": "i", "b": "i", "c": "j", "noise": "k"}, truth)
    assert (score.pairwise_precision, score.pairwise_recall, score.b_cubed_f1) == (1, 1, 1)
    assert (score.duplicates_per_100, score.false_merges_per_100, score.held) == (0, 0, 1)


def test_a_second_incident_of_a_thing_is_a_duplicate() -> None:
    score = counting({"a": "i", "b": "j", "c": "k"}, {"a": "x", "b": "x", "c": "y"})
    assert (score.duplicates_per_100, score.false_merges_per_100) == (50, 0)
    assert score.pairwise_recall == 0


def test_an_incident_of_two_things_is_a_false_merge() -> None:
    truth = {"a": "x", "b": "x", "c": "y", "d": "z"}
    score = counting({"a": "i", "b": "i", "c": "i", "d": "j"}, truth)
    assert score.false_merges_per_100 == pytest.approx(100 / 3)
    assert score.pairwise_precision == pytest.approx(1 / 3)


def test_an_observation_in_no_incident_costs_recall_and_is_no_duplicate() -> None:
    score = counting({"a": "i", "b": "i"}, {"a": "x", "b": "x", "c": "x"})
    assert (score.duplicates_per_100, score.held) == (0, pytest.approx(2 / 3))
    assert score.pairwise_recall == pytest.approx(1 / 3)


def test_a_ticket_for_a_trap_costs_precision_and_is_named() -> None:
    verdicts = {
        "x": {"rule": "no_parking", "illegal": True, "provable": True},
        "y": {"rule": "no_stopping", "illegal": True, "provable": True},
        "z": {"rule": "bay", "illegal": False, "provable": False},
    }
    score = parking({"t": ["a"], "u": ["b"]}, {"a": "x", "b": "z", "c": "y"}, verdicts)
    assert (score.precision, score.recall, score.tickets) == (0.5, 0.5, 2)
    assert score.traps == {"bay": 1}


def test_the_baselines_count_worse_than_once() -> None:
    city = build_city(CitySettings(seed=4, incidents=30, streets=3, days=2))
    for way in (dbscan_by_class_and_day, nearest_neighbour):
        assert counting(way(city.observations), city.truth).b_cubed_f1 < 0.95


def test_the_command_prints_a_table_and_its_json(capsys: CaptureFixture) -> None:
    done = in_process(capsys, "bench", "fusion", "--seeds", 3, "--cities", "kerb", "--json")
    (row,) = json.loads(done.out.splitlines()[-1])["rows"]
    assert "| kerb | 3 | patrolvision |" in done.out
    assert row["parking"]["precision"] == 1.0
    assert row["parking"]["recall"] >= 0.97


def test_a_city_told_in_shuffled_parts_with_repetitions_scores_the_same(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scores = [
        city_rows(tmp_path_factory.mktemp("city"), "kerb", 3, parts=parts)[0]["parking"]
        for parts in (1, 3)
    ]
    assert scores[0] == scores[1]
