"""What a user may set, checked where it comes in; impossible pairs are refused with the way out.

The only file that reads environment variables (PATROLVISION_*). Everything below it takes values.
"""

from __future__ import annotations

import os
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from patrolvision.errors import ConfigError, TelemetryError
from patrolvision.types import Mission

PositiveFloat = Annotated[float, Field(gt=0)]


def default_models_dir() -> Path:
    """The models folder: PATROLVISION_MODELS, else that of the checkout, else ./models."""
    named = os.environ.get("PATROLVISION_MODELS")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2] / "models"
    return checkout if checkout.is_dir() else Path("models")


def default_sample_dir() -> Path:
    """The sample_media folder: PATROLVISION_SAMPLES, else the checkout's, else ./sample_media."""
    named = os.environ.get("PATROLVISION_SAMPLES")
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2] / "sample_media"
    return checkout if checkout.is_dir() else Path("sample_media")


def secret_keys() -> str:
    """The keys of the secrets in the database: PATROLVISION_SECRETS_KEY, else none."""
    return os.environ.get("PATROLVISION_SECRETS_KEY", "")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Frozen):
    """How footage is analysed and where results go; the same for batch and live."""

    out: Path = Path("patrolvision_out")
    db: str | None = None  # SQLAlchemy URL; None: patrol.db inside out
    model: str | None = None  # name, name@version or path; None: the production model
    models_dir: Path = Field(default_factory=default_models_dir)
    engine: Literal["auto", "openvino", "ultralytics"] = "auto"
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    input_px: Annotated[int, Field(ge=64, le=4096)] | None = None  # None: the model card's
    tiling: Literal["auto", "on", "off"] = "auto"  # auto: for drone pictures wider than the net
    analysis_fps: PositiveFloat | None = 5.0  # None: every frame
    calibrate: bool = False  # read films twice: clock and mount from the pictures first
    elevation: Path | None = None  # GeoTIFF of the ground's height; None: level ground
    batch_size: Annotated[int, Field(ge=1, le=64)] = 4
    executor: Literal["local", "processes", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] | None = None  # of the processes executor
    timezone: str = "UTC"  # of telemetry and zones that name none
    registry: Path | None = None  # of algorithms; None: registry.toml in the models folder, if any
    zones: Path | None = None
    grids: Path | None = None
    clip: bool = True  # write an annotated clip per recording
    pictures: bool = True  # write evidence pictures
    face_model: Path | None = None  # YuNet as ONNX, for faces outside of any person's box

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Shanghai") from error
        return name

    @model_validator(mode="after")
    def _possible_pairs(self) -> Settings:
        if self.executor == "ray":
            remedy = "use --executor processes, which spreads missions over this machine's cores"
            if self.database_url.startswith("sqlite"):
                raise ValueError(
                    "the ray executor cannot share an SQLite file between machines: give --db "
                    f"postgresql+psycopg://…, or {remedy}"
                )
            raise ValueError(f"this release has no ray executor: {remedy}")
        return self

    @property
    def database_url(self) -> str:
        """The store's address, by default an SQLite file in the output folder."""
        return self.db or f"sqlite:///{self.out / 'patrol.db'}"


class MissionEntry(_Frozen):
    """One [[mission]] of a mission file; paths are relative to that file."""

    id: str = Field(min_length=1, max_length=200)
    media: str
    stream_id: str | None = None
    telemetry: Path | None = None
    camera: Path | None = None
    zones: Path | None = None
    grids: Path | None = None
    started_at: datetime | None = None
    telemetry_timezone: str | None = None
    clock_offset_s: float = 0.0
    input_px: Annotated[int, Field(ge=64, le=4096)] | None = None

    @field_validator("started_at")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("needs an offset, e.g. 2026-05-04T08:00:00+08:00")
        return at

    @field_validator("telemetry_timezone")
    @classmethod
    def _known_timezone(cls, name: str | None) -> str | None:
        return None if name is None else Settings._known_timezone(name)

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
            clock_offset_s=self.clock_offset_s,
            input_px=self.input_px,
        )


class MissionFile(_Frozen):
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


class StreamEntry(_Frozen):
    """One [[source]] of a watch file: a stream, or a file played at its own pace."""

    id: str = Field(min_length=1, max_length=200)
    url: str
    camera: Path | None = None
    telemetry: str | None = None  # a file, or the address of the vehicle's receiver
    started_at: datetime | None = None
    telemetry_timezone: str | None = None
    loop: bool = False  # play a file again from its start when it ends

    _aware = field_validator("started_at")(MissionEntry._aware.__func__)  # type: ignore[attr-defined]

    @field_validator("telemetry_timezone")
    @classmethod
    def _known_timezone(cls, name: str | None) -> str | None:
        return None if name is None else Settings._known_timezone(name)

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


class WatchFile(_Frozen):
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


SERVICE_TABLES = ("open311_services", "open311_attributes")


class OfficeSettings(_Frozen):
    """How the office answers: who may read, how long a session lives, what may be uploaded."""

    host: str = "127.0.0.1"
    port: int = 8000
    media: Path | None = None  # holds evidence/; None: the folder of the database file
    open_reading: bool | None = None  # on this computer; None: while there is no account
    session_hours: PositiveFloat = 12.0
    idle_hours: PositiveFloat = 2.0
    requests_per_minute: Annotated[int, Field(ge=0)] = 6000  # of one address; 0: no limit
    upload_max_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    body_max_bytes: Annotated[int, Field(ge=1)] = 16_000_000
    kept_mib: Annotated[int, Field(ge=0)] = 64  # of answers, in memory of each worker; 0: none
    timezone: str = "UTC"
    city: str = "*"  # whose rows of the office's tables count, beside those for every city (*)
    categories: Path | None = None  # a folder of CSVs instead of the project's own of those names
    tables: dict[str, Path] = Field(default_factory=dict)  # name -> CSV; wins over the folder's
    # of the page's raster tiles, https://…/{z}/{x}/{y}.png; None: the office's own ground
    tiles_url: Annotated[str, Field(pattern=r"^https?://[^\s;,'\"]+$")] | None = None
    tiles_attribution: str = ""
    open311_public: bool = False  # lists of requests are open to everybody
    open311_jurisdiction: str | None = None  # the jurisdiction_id served; None: any is taken
    open311_contact: str = "Ask the city's administration."
    open311_services: Path | None = None  # folder of the two tables; None: categories', or ours
    neighbours: Path | None = None  # who is told beside the webhooks: a file of NeighboursFile
    allow_private_webhooks: bool = False  # webhooks may lie in loopback and private networks
    relay: bool = True  # tell the neighbours from this process
    # of webhooks' secrets and citizens' contacts; None: beside an SQLite file
    secrets_key_file: Path | None = None

    _known_timezone = field_validator("timezone")(Settings._known_timezone.__func__)  # type: ignore[attr-defined]

    @property
    def table_files(self) -> dict[str, Path]:
        """table -> CSV: those of the folder `categories`, and those that are named by themselves.

        ConfigError where the folder is none or holds no table.
        """
        own = {} if self.categories is None else _tables_in(self.categories)
        return {n: path for n, path in own.items() if n not in SERVICE_TABLES} | self.tables

    @property
    def services_folder(self) -> Path | None:
        """Where the tables of Open311's services lie; None: those shipped."""
        if self.open311_services is not None or self.categories is None:
            return self.open311_services
        has_own = set(_tables_in(self.categories)) & set(SERVICE_TABLES)
        return self.categories if has_own else None


def _tables_in(folder: Path) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if not found:
        raise ConfigError(f"{folder}: is no folder with tables such as categories.csv")
    return found


class CapEntry(_Frozen):
    """[cap]: where fires are told in CAP 1.2; a folder, an address, or both."""

    sender: str = Field(default="patrolvision@localhost", pattern=r"^[^\s,<&]+$")
    sender_name: str = "City patrol"
    contact: str = ""
    web: str = ""  # the office's own address, for links
    folder: Path | None = None
    url: str | None = None


class Open311Entry(_Frozen):
    """One [[open311]]: another server that gets our tickets; services: category -> its code."""

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    url: str
    api_key: str
    services: dict[str, str]
    jurisdiction_id: str | None = None
    state: str = "filed"  # a ticket is sent when it gets there
    attributes: dict[str, dict[str, str]] = Field(default_factory=dict)
    updates: bool = False  # it takes service request updates (FixMyStreet's extension)


class MqttEntry(_Frozen):
    """[mqtt]: the broker that is told."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    site: str = Field(default="city", pattern=r"^[\w.-]{1,64}$")
    username: str | None = None
    password: str | None = None
    tls: bool = False


class RepliesEntry(_Frozen):
    """[replies]: where e-mails to citizens are written for the mail server to collect."""

    folder: Path
    from_address: str = Field(pattern=r"^[^\s@]+@[^\s@]+$")


class NeighboursFile(_Frozen):
    """Who is told of what happens in the office, and how patiently."""

    allow_private: bool = False  # addresses in loopback and private networks
    timeout_s: PositiveFloat = 15.0
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 40
    retention_days: Annotated[float, Field(ge=0)] = 30.0  # of contacts after a case is closed
    secrets_key_file: Path | None = None  # as in the office's file
    outbox_days: Annotated[float, Field(ge=1)] = 30.0  # of messages that were brought everywhere
    ask_every_s: PositiveFloat = 900.0  # how other Open311 servers' requests stand
    media: Path | None = None  # holds evidence/; None: the folder of the database file
    cap: CapEntry | None = None
    open311: list[Open311Entry] = Field(default_factory=list)
    mqtt: MqttEntry | None = None
    replies: RepliesEntry | None = None


_Model = TypeVar("_Model", bound=BaseModel)


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def checked(model: type[_Model], values: dict[str, Any], *, where: str) -> _Model:
    """The values as a checked model; ConfigError naming `where` and the field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explained(error)}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML ({error})") from error


def load_missions(path: Path) -> list[Mission]:
    """The missions of a mission file; ConfigError naming the file and the field that is wrong."""
    file = checked(MissionFile, _read_toml(path), where=str(path))
    return [entry.mission(path.parent) for entry in file.mission]


def load_office(path: Path) -> OfficeSettings:
    """An office file, whose tables lie beside it; ConfigError names the file and the field."""
    settings = checked(OfficeSettings, _read_toml(path), where=str(path))
    folder = path.parent
    tables = {name: folder / file for name, file in settings.tables.items()}
    named = ("media", "neighbours", "open311_services", "categories", "secrets_key_file")
    return settings.model_copy(update={"tables": tables, **_beside(settings, folder, *named)})


def _beside(entry: BaseModel | None, folder: Path, *names: str) -> dict[str, Path]:
    """The paths of an entry that are given, resolved against the folder of its file."""
    given = {name: getattr(entry, name, None) for name in names}
    return {name: folder / path for name, path in given.items() if path is not None}


def load_watch(path: Path) -> WatchFile:
    """A watch file with its paths resolved against its folder; ConfigError names file and field."""
    file = checked(WatchFile, _read_toml(path), where=str(path))
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


def load_neighbours(path: Path) -> NeighboursFile:
    """Who is told, from a file with paths beside it; ConfigError names the file and the field."""
    file = checked(NeighboursFile, _read_toml(path), where=str(path))
    folder = path.parent
    inner = {
        name: entry.model_copy(update=_beside(entry, folder, "folder"))
        for name in ("cap", "replies")
        if (entry := getattr(file, name)) is not None
    }
    own = _beside(file, folder, "media", "secrets_key_file")
    return file.model_copy(update={**inner, **own})
