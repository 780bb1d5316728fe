"""How the office answers, and office files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from patrolvision.config.checking import Frozen, PositiveFloat, Timezone, beside, checked, read_toml
from patrolvision.errors import ConfigError

SERVICE_TABLES = ("open311_services", "open311_attributes")


class OfficeSettings(Frozen):
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
    timezone: Timezone = "UTC"
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


def load_office(path: Path) -> OfficeSettings:
    """An office file, whose tables lie beside it; ConfigError names the file and the field."""
    settings = checked(OfficeSettings, read_toml(path), where=str(path))
    folder = path.parent
    tables = {name: folder / file for name, file in settings.tables.items()}
    named = ("media", "neighbours", "open311_services", "categories", "secrets_key_file")
    return settings.model_copy(update={"tables": tables, **beside(settings, folder, *named)})
