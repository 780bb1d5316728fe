"""A few seconds of the project's own first drive, with all that is needed to run it."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import av

LENGTH_S = 6.0


@dataclass(frozen=True)
class Street:
    """A short clip with its side-car telemetry beside it, a camera, zones and grids."""

    folder: Path
    clip: Path
    telemetry: Path
    camera: Path
    zones: Path
    grids: Path
    started_at: datetime

    @property
    def options(self) -> list[str]:
        """How the clip is run, at two pictures a second."""
        return ["--camera", str(self.camera), "--zones", str(self.zones),
                "--grids", str(self.grids), "--analysis-fps", "2"]  # fmt: skip


def cut(source: Path, target: Path, length_s: float, created_at: datetime) -> Path:
    """The first seconds of a video, its packets untouched; the header tells when it began."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        made.metadata["creation_time"] = created_at.isoformat()
        video = given.streams.video[0]
        stream = made.add_stream_from_template(video)
        for packet in given.demux(video):
            if packet.dts is None or packet.pts * packet.time_base > length_s:
                continue
            packet.stream = stream
            made.mux(packet)
    return target


def short_street(sample_media: Path, folder: Path) -> Street:
    """The first drive of sample_media, cut short; its start stands in the clip's header."""
    file = sample_media / "missions.toml"
    first: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["mission"][0]
    started_at = datetime.fromisoformat(first["started_at"])
    telemetry = folder / f"drive{Path(first['telemetry']).suffix}"
    shutil.copy(sample_media / first["telemetry"], telemetry)
    copied = {
        name: Path(shutil.copy(sample_media / first[name], folder / Path(first[name]).name))
        for name in ("camera", "zones", "grids")
    }
    clip = cut(sample_media / first["media"], folder / "drive.mp4", LENGTH_S, started_at)
    return Street(folder, clip, telemetry, started_at=started_at, **copied)
