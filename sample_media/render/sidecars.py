"""Everything beside the clips: python sidecars.py OUT [--doubled PASS]...

Telemetry, cameras, zones, grids, truth and missions; the same call writes the same bytes.
"""

import argparse
import json
from pathlib import Path

from maps import distractors, grids, truth, zones
from passes import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, PASSES, Pass
from telemetry import CAR_LEVER_ARM_M, gpx_text, srt_text, write_csv_track, write_poses


def camera_toml(one: Pass, name: str) -> str:
    f = one.focal_px
    lens = (
        f'name = "{name}"\nplatform = "{one.platform}"\n\n'
        f"[image]\nwidth = {IMAGE_WIDTH_PX}\nheight = {IMAGE_HEIGHT_PX}\n\n"
        f'[lens]\nmodel = "brown"\nfx = {f:.4f}\nfy = {f:.4f}\n'
        f"cx = {IMAGE_WIDTH_PX / 2:.1f}\ncy = {IMAGE_HEIGHT_PX / 2:.1f}\n"
        "distortion = [0.0, 0.0, 0.0, 0.0, 0.0]\n\n"
    )
    if one.platform == "drone":
        return lens + (
            "[mount] # the gimbal's angles and the height come from the telemetry\n"
            "height_m = 0.0\nyaw_deg = 0.0\npitch_deg = 0.0\nroll_deg = 0.0\n"
            "lever_arm_m = [0.0, 0.0, 0.0]\n\n"
            "[sigma]\nposition_m = 0.5\nheading_deg = 0.9\npitch_deg = 0.3\nroll_deg = 0.1\n"
            "pixel = 2.0\n"
        )
    lever = ", ".join(str(part) for part in CAR_LEVER_ARM_M)
    return lens + (
        "[mount]\nheight_m = 1.8\nyaw_deg = 0.0\npitch_deg = -6.0\nroll_deg = 0.0\n"
        f"lever_arm_m = [{lever}]\n\n"
        "[sigma]\nposition_m = 0.4\nheading_deg = 0.5\npitch_deg = 0.2\nroll_deg = 0.2\n"
        "pixel = 2.0\n"
    )


MISSIONS = """\
# Each [[mission]] is one clip with all that is needed to run it; paths are relative to this file.
"""


def missions() -> str:
    telemetry = {"car_a": "car_a.gpx", "car_b": "car_b.csv", "drone_c": "drone_c.srt"}
    text = MISSIONS
    for one in sorted(PASSES.values(), key=lambda p: p.started_at):
        text += (
            f'\n[[mission]]\nid = "{one.name}"\nmedia = "{one.name}.mp4"\n'
            f'telemetry = "{telemetry[one.name]}"\ncamera = "{one.platform}.toml"\n'
            f'zones = "zones.geojson"\ngrids = "grids.geojson"\n'
            f'started_at = "{one.started_at.isoformat()}" # the first frame\n'
        )
        if one.platform == "drone":
            text += 'telemetry_timezone = "Asia/Shanghai" # the SRT states none\n'
    return text


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Write every file but the clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--doubled", action="append", default=[], choices=sorted(PASSES))
    call = parser.parse_args()
    out: Path = call.out
    (out / "render").mkdir(parents=True, exist_ok=True)
    for one in PASSES.values():
        write_poses(one, out / "render" / f"poses_{one.name}.csv", one.name in call.doubled)
    (out / "car_a.gpx").write_text(gpx_text(PASSES["car_a"]))
    write_csv_track(PASSES["car_b"], out / "car_b.csv")
    (out / "drone_c.srt").write_text(srt_text(PASSES["drone_c"], "drone_c" in call.doubled))
    (out / "car.toml").write_text(camera_toml(PASSES["car_a"], "front"))
    (out / "drone.toml").write_text(camera_toml(PASSES["drone_c"], "gimbal"))
    (out / "missions.toml").write_text(missions())
    for name, value in (
        ("zones", zones()),
        ("grids", grids()),
        ("truth", truth()),
        ("distractors", distractors()),
    ):
        _write_json(out / f"{name}.geojson", value)


if __name__ == "__main__":
    main()
