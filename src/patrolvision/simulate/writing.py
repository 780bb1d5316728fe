"""A simulated city as the files that `patrolvision fuse` reads, with the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from patrolvision.errors import ConfigError, OutputError
from patrolvision.simulate.city import City, CitySettings, build_city
from patrolvision.simulate.kerb import KerbSettings, build_kerb
from patrolvision.types import Look, Observation

PRESETS: Mapping[str, Callable[[int], City]] = {
    "mixed": lambda seed: build_city(CitySettings(seed=seed)),
    "dense": lambda seed: build_city(CitySettings(seed=seed, min_spacing_m=6.0, gnss_sigma_m=3.0)),
    "uneven": lambda seed: build_city(uneven(seed)),
    "kerb": lambda seed: build_kerb(KerbSettings(seed=seed)),
    "kerb_rough": lambda seed: build_kerb(
        KerbSettings(seed=seed, gnss_sigma_m=1.9, own_sigma_m=0.6)
    ),
    "twins": lambda seed: build_city(CitySettings(seed=seed, twin_rate=0.08)),
}


def uneven(seed: int) -> CitySettings:
    """A city less kind: the shift drifts, drones are rough, looks promise more than was seen."""
    return CitySettings(
        seed=seed,
        drift_s=300.0,
        car_noise_m=0.6,
        drone_noise_m=1.6,
        detection_probability=0.8,
        stated_probability=0.9,
        half_hidden_share=0.15,
    )


def write_city(out: Path, *, preset: str = "mixed", seed: int = 0) -> dict[str, int]:
    """What was written into the folder, as counts: observations, looks, zones, things.

    Files: observations.jsonl, coverage.jsonl, zones.geojson, truth.json. Raises ConfigError for an
    unknown preset and OutputError where the folder cannot be written.
    """
    if preset not in PRESETS:
        raise ConfigError(f"--city: expected one of {', '.join(PRESETS)}, found {preset!r}")
    city = PRESETS[preset](seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_lines(out / "observations.jsonl", map(observation_record, city.observations))
        _write_lines(out / "coverage.jsonl", map(look_record, city.looks))
        zones = {"type": "FeatureCollection", "features": list(city.zones)}
        (out / "zones.geojson").write_text(json.dumps(zones), encoding="utf-8")
        (out / "truth.json").write_text(json.dumps(truth_record(city), indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from error
    return {
        "observations": len(city.observations),
        "looks": len(city.looks),
        "zones": len(city.zones),
        "things": len(city.things),
    }


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")


def observation_record(seen: Observation) -> dict[str, Any]:
    """The line of OBSERVATIONS.jsonl, with the promised fields only."""
    return {
        "id": seen.id,
        "mission_id": seen.mission_id,
        "stream_id": seen.stream_id,
        "class": seen.class_name,
        "first_seen": seen.first_seen.isoformat(),
        "last_seen": seen.last_seen.isoformat(),
        "lat_deg": seen.place.lat_deg,
        "lon_deg": seen.place.lon_deg,
        "cov_en_m2": seen.place.cov_en_m2.tolist(),
        "confidence": seen.confidence,
        "frames": seen.frames,
        "speed_mps": seen.speed_mps,
        "speed_sigma_mps": seen.speed_sigma_mps,
    }


def look_record(look: Look) -> dict[str, Any]:
    """The line of COVERAGE.jsonl; its polygon has longitude first, as GeoJSON has."""
    return {
        "id": look.id,
        "mission_id": look.mission_id,
        "start": look.start.isoformat(),
        "end": look.end.isoformat(),
        "classes": sorted(look.classes),
        "polygon": [[lon, lat] for lat, lon in look.polygon],
        "detection_probability": look.detection_probability,
    }


def truth_record(city: City) -> dict[str, Any]:
    """Each thing with the observations that show it, and the observations that show nothing."""
    shown: dict[str, list[str]] = {thing.id: [] for thing in city.things}
    for observation_id, thing_id in city.truth.items():
        if thing_id is not None:
            shown[thing_id].append(observation_id)
    return {
        "things": [
            {
                "id": thing.id,
                "class": thing.class_name,
                "east_m": thing.east_m,
                "north_m": thing.north_m,
                "since_s": thing.since_s,
                "until_s": thing.until_s,
                "previous": thing.previous,
                "observation_ids": shown[thing.id],
            }
            | city.verdicts.get(thing.id, {})
            for thing in city.things
        ],
        "false_alarms": sorted(o for o, thing in city.truth.items() if thing is None),
    }
