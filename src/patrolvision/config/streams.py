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
from patrolvision.types import Datum


class Profile(Frozen):
    """One [[profile]]: how the pictures of some scenes are analysed in some hours."""

    name: str = Field(min_length=1, max_length=200)
    scenes: list[str] = Field(default_factory=list)  # of the sources it is meant for; none: all
    hours: str = "24/7"  # OSM opening_hours, on the clock of the settings' timezone
    analysis_fps: PositiveFloat | None = None  # None: the settings' own
    classes: list[str] | None = None  # what is asked for; None: everything the detector knows
    weight: PositiveFloat = 1.0  # of the budget, where the streams want more than there is

    @model_validator(mode="after")
    def _known_words(self) -> Profile:
        from patrolvision.rules.hours import is_valid

        if not is_valid(self.hours):
            raise ValueError(
                "hours: must be in opening_hours syntax, such as Mo-Fr 08:00-18:00, "
                f"got {self.hours!r}"
            )
        return self


class StreamEntry(Frozen):
    """One [[source]] of a watch file: a stream, or a file played at its own pace."""

    id: str = Field(min_length=1, max_length=200)
    url: str
    scene: str | None = None  # what kind of place it shows; profiles are chosen by it
    camera: Path | None = None
    telemetry: str | None = None  # a file, or the address of the vehicle's receiver
    started_at: Instant | None = None
    telemetry_timezone: Timezone | None = None
    telemetry_datum: Datum = "WGS-84"  # of a telemetry file; receivers tell WGS-84
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
    profile: list[Profile] = Field(default_factory=list)  # the first that is in force holds
    budget_fps: PositiveFloat | None = None  # pictures a second of all streams; None: no limit
    reconnect_min_s: PositiveFloat = 0.5
    reconnect_max_s: PositiveFloat = 30.0
    report_every_s: PositiveFloat = 10.0
    stall_s: PositiveFloat = 8.0  # a connection without a good picture for so long is given up

    def most_fps(self, entry: StreamEntry) -> float | None:
        """The most pictures a second that may be analysed of a source; None: every one."""
        profiles = [p for p in self.profile if not p.scenes or entry.scene in p.scenes]
        rates = [self.settings.analysis_fps, *(p.analysis_fps for p in profiles if p.analysis_fps)]
        return None if self.settings.analysis_fps is None else max(r for r in rates if r)

    @model_validator(mode="after")
    def _scenes_are_there(self) -> WatchFile:
        scenes = {entry.scene for entry in self.source}
        for profile in self.profile:
            unknown = next((scene for scene in profile.scenes if scene not in scenes), None)
            if unknown is not None:
                raise ValueError(f"profile {profile.name!r}: no source has the scene {unknown!r}")
        return self

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
