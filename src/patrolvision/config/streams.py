"""Live streams: watch files."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from patrolvision.config.checking import (
    Frozen,
    Instant,
    PositiveFloat,
    Timezone,
    checked,
    read_toml,
)
from patrolvision.config.recordings import Settings
from patrolvision.errors import TelemetryError


class StreamEntry(Frozen):
    """One [[source]] of a watch file: a stream, or a file played at its own pace."""

    id: str = Field(min_length=1, max_length=200)
    url: str
    camera: Path | None = None
    telemetry: str | None = None  # a file, or the address of the vehicle's receiver
    started_at: Instant | None = None
    telemetry_timezone: Timezone | None = None
    loop: bool = False  # play a file again from its start when it ends

    @property
    def is_network(self) -> bool:
        """Whether the url is an address; else it is a file, played at its own pace."""
        return "://" in self.url

    @property
    def receiver(self) -> str | None:
        """The address of the vehicle's receiver; None where the telemetry is a file, or none."""
        return self.telemetry if self.telemetry and "://" in self.telemetry else None

    @property
    def telemetry_file(self) -> Path | None:
        """The file that covers the time of the stream; None where there is none."""
        is_file = self.telemetry is not None and self.receiver is None
        return Path(str(self.telemetry)) if is_file else None

    @model_validator(mode="after")
    def _receiver_beside_an_address(self) -> StreamEntry:
        if self.receiver is None:
            return self
        from patrolvision.sources.receivers import check_address

        try:
            check_address(self.receiver)
        except TelemetryError as error:
            raise ValueError(f"telemetry: {error}") from error
        if not self.is_network:
            raise ValueError("telemetry: a receiver tells of now, but a file is played from then")
        return self


class WatchFile(Frozen):
    """A watch file: [settings] as of the command line, and one [[source]] per stream."""

    settings: Settings = Field(default_factory=Settings)
    source: list[StreamEntry] = Field(min_length=1)
    reconnect_min_s: PositiveFloat = 0.5
    reconnect_max_s: PositiveFloat = 30.0
    report_every_s: PositiveFloat = 10.0
    stall_s: PositiveFloat = 8.0  # a connection without a good picture for so long is given up

    @model_validator(mode="after")
    def _unique_ids(self) -> WatchFile:
        ids = [entry.id for entry in self.source]
        twice = next((id for id in ids if ids.count(id) > 1), None)
        if twice is not None:
            raise ValueError(f"source id {twice!r} is given twice")
        return self


def load_watch(path: Path) -> WatchFile:
    """A watch file with its paths resolved against its folder; ConfigError names file and field."""
    file = checked(WatchFile, read_toml(path), where=str(path))
    folder = path.parent

    def resolved(entry: StreamEntry) -> StreamEntry:
        url = entry.url if entry.is_network else str(folder / entry.url)
        camera = None if entry.camera is None else folder / entry.camera
        file = entry.telemetry_file
        telemetry = entry.telemetry if file is None else str(folder / file)
        return entry.model_copy(update={"url": url, "camera": camera, "telemetry": telemetry})

    zones_and_grids = {
        name: folder / value
        for name in ("zones", "grids")
        if (value := getattr(file.settings, name)) is not None
    }
    return file.model_copy(
        update={
            "source": [resolved(entry) for entry in file.source],
            "settings": file.settings.model_copy(update=zones_and_grids),
        }
    )
