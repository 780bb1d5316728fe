"""What other programs rely on: commands, options, fields, exit codes; added to, never changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.command_line import in_process
from helpers.street_lines import two_passes, write_grids, write_lines, write_zone
from patrolvision import errors
from patrolvision.cli import build_parser

CALLS = [
    "demo",
    "run a.mp4 b.mp4 --camera c.toml --telemetry t.srt --zones z.geojson --grids g.geojson "
    "--db sqlite:///p.db --out out --model patrol-n --analysis-fps 5 --executor local --json",
    "run a.mp4 --executor processes",
    "run a.mp4 --executor ray",
    "fuse o.jsonl --coverage c.jsonl --zones z.geojson --grids g.geojson --json --db sqlite:///p.db",
    *(
        f"{what} --db sqlite:///p.db --format {form}"
        for what in ("observations", "incidents", "tickets")
        for form in ("table", "json", "geojson", "csv")
    ),
    "detect a.jpg folder --model patrol-n --conf 0.3",
    "locate cases.jsonl",
    "telemetry a.srt --format jsonl",
    "telemetry a.srt --format gpx",
    "watch config.toml",
    "serve --db sqlite:///p.db --host 127.0.0.1 --port 8000",
    "relay --db sqlite:///p.db --config n.toml --once",
    "simulate out --seed 7",
    "doctor",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_promised_call_is_understood(call: str) -> None:
    args = build_parser().parse_args(call.split())
    assert args.command == call.split()[0]
    assert callable(args.door)


def test_exit_codes_are_those_promised() -> None:
    assert (errors.EXIT_OK, errors.EXIT_CALL_IS_WRONG, errors.EXIT_SOME_ITEMS_FAILED) == (0, 2, 3)


FIELDS = {
    "observations": {
        "id", "mission_id", "stream_id", "class", "first_seen", "last_seen", "lat_deg", "lon_deg",
        "cov_en_m2", "confidence", "frames", "speed_mps", "speed_sigma_mps",
    },
    "incidents": {
        "incident_id", "category", "status", "lat_deg", "lon_deg", "cov_en_m2", "first_seen",
        "last_seen", "observation_ids", "mission_ids", "zone_id", "score",
    },
    "tickets": {
        "ticket_id", "incident_id", "category", "state", "priority", "lat_deg", "lon_deg",
        "sigma_m", "unit_grid", "responsible_grid", "segment", "assignee", "due_at", "history",
    },
}  # fmt: skip


def test_a_fused_file_gives_records_with_every_promised_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    lines = write_lines(tmp_path / "o.jsonl", two_passes())
    zones, grids = write_zone(tmp_path / "z.geojson"), write_grids(tmp_path / "g.geojson")
    done = in_process(capsys, "fuse", lines, "--zones", zones, "--grids", grids, "--db", url,
                      "--json")  # fmt: skip
    assert done.rc == 0
    assert done.summary["failed"] == []
    for what, promised in FIELDS.items():
        listed = in_process(capsys, what, "--db", url, "--format", "json").out.splitlines()
        assert listed
        for record in map(json.loads, listed):
            assert promised <= record.keys(), promised - record.keys()


def test_what_is_listed_can_be_fused_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines that leave are the lines that enter."""
    first, second = (f"sqlite:///{tmp_path / name}.db" for name in "ab")
    lines = write_lines(tmp_path / "o.jsonl", two_passes())
    assert in_process(capsys, "fuse", lines, "--db", first).rc == 0
    out = in_process(capsys, "observations", "--db", first, "--format", "json").out
    (tmp_path / "again.jsonl").write_text(out)
    assert in_process(capsys, "fuse", tmp_path / "again.jsonl", "--db", second).rc == 0
    assert in_process(capsys, "observations", "--db", second, "--format", "json").out == out
