"""How footage is analysed, and mission files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from patrolvision.config.checking import (
    Frozen,
    Instant,
    PictureWidth,
    PositiveFloat,
    Timezone,
    checked,
    read_toml,
)
from patrolvision.config.environment import default_models_dir
from patrolvision.types import Datum, Mission


class Settings(Frozen):
    """How footage is analysed and where results go; the same for batch and live."""

    out: Path = Path("patrolvision_out")
    db: str | None = None  # SQLAlchemy URL; None: patrol.db inside out
    model: str | None = None  # name, name@version or path; None: the production model
    models_dir: Path = Field(default_factory=default_models_dir)
    engine: Literal["auto", "openvino", "ultralytics"] = "auto"
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    input_px: PictureWidth | None = None  # None: the model card's
    tiling: Literal["auto", "on", "off"] = "auto"  # auto: for drone pictures wider than the net
    analysis_fps: PositiveFloat | None = 5.0  # None: every frame
    calibrate: bool = False  # read films twice: clock and mount from the pictures first
    elevation: Path | None = None  # GeoTIFF of the ground's height; None: level ground
    batch_size: Annotated[int, Field(ge=1, le=64)] = 4
    executor: Literal["local", "processes", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] | None = None  # missions at once; None: all cores
    timezone: Timezone = "UTC"  # of telemetry and zones that name none
    registry: Path | None = None  # of algorithms; None: registry.toml in the models folder, if any
    zones: Path | None = None
    grids: Path | None = None
    clip: bool = True  # write an annotated clip per recording
    pictures: bool = True  # write evidence pictures
    face_model: Path | None = None  # YuNet as ONNX, for faces outside of any person's box

    @model_validator(mode="after")
    def _possible_pairs(self) -> Settings:
        if self.executor == "ray" and self.database_url.startswith("sqlite"):
            raise ValueError(
                "the ray executor cannot share an SQLite file between machines: give --db "
                "postgresql+psycopg://…, or use --executor processes, which spreads missions over "
                "this machine's cores"
            )
        return self

    @property
    def database_url(self) -> str:
        """The store's address, by default an SQLite file in the output folder."""
        return self.db or f"sqlite:///{self.out / 'patrol.db'}"


class MissionEntry(Frozen):
    """One [[mission]] of a mission file; paths are relative to that file."""

    id: str = Field(min_length=1, max_length=200)
    media: str
    stream_id: str | None = None
    telemetry: Path | None = None
    camera: Path | None = None
    zones: Path | None = None
    grids: Path | None = None
    started_at: Instant | None = None
    telemetry_timezone: Timezone | None = None
    telemetry_datum: Datum = "WGS-84"
    clock_offset_s: float = 0.0
    input_px: PictureWidth | None = None

    def mission(self, folder: Path) -> Mission:
        """The Mission this entry describes, its paths resolved against the given folder."""

        def resolved(path: Path | None) -> Path | None:
            return None if path is None else folder / path

        return Mission(
            id=self.id,
            media=str(folder / self.media),
            stream_id=self.stream_id or self.id,
            telemetry=resolved(self.telemetry),
            camera=resolved(self.camera),
            zones=resolved(self.zones),
            grids=resolved(self.grids),
            started_at=self.started_at,
            telemetry_timezone=self.telemetry_timezone,
            telemetry_datum=self.telemetry_datum,
            clock_offset_s=self.clock_offset_s,
            input_px=self.input_px,
        )


def settings_on(timezone: str | None) -> Settings:
    """Default settings on the clock that the command line names; ConfigError if there is none such.

    None: nobody named one, which `model_fields_set` tells.
    """
    given = {} if timezone is None else {"timezone": timezone}
    return checked(Settings, given, where="the command line")


class MissionFile(Frozen):
    """A mission file: several recordings with their telemetry, camera, zones and grids."""

    mission: list[MissionEntry] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_ids(self) -> MissionFile:
        seen: set[str] = set()
        for entry in self.mission:
            if entry.id in seen:
                raise ValueError(f"mission id {entry.id!r} is given twice")
            seen.add(entry.id)
        return self


def load_missions(path: Path) -> list[Mission]:
    """The missions of a mission file; ConfigError naming the file and the field that is wrong."""
    file = checked(MissionFile, read_toml(path), where=str(path))
    return [entry.mission(path.parent) for entry in file.mission]
