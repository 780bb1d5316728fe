"""Whom the office tells, and files of neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from patrolvision.config.checking import Frozen, PositiveFloat, beside, checked, read_toml


class CapEntry(Frozen):
    """[cap]: where fires are told in CAP 1.2; a folder, an address, or both."""

    sender: str = Field(default="patrolvision@localhost", pattern=r"^[^\s,<&]+$")
    sender_name: str = "City patrol"
    contact: str = ""
    web: str = ""  # the office's own address, for links
    folder: Path | None = None
    url: str | None = None


class Open311Entry(Frozen):
    """One [[open311]]: another server that gets our tickets; services: category -> its code."""

    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    url: str
    api_key: str
    services: dict[str, str]
    jurisdiction_id: str | None = None
    state: str = "filed"  # a ticket is sent when it gets there
    attributes: dict[str, dict[str, str]] = Field(default_factory=dict)
    updates: bool = False  # it takes service request updates (FixMyStreet's extension)


class MqttEntry(Frozen):
    """[mqtt]: the broker that is told."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    site: str = Field(default="city", pattern=r"^[\w.-]{1,64}$")
    username: str | None = None
    password: str | None = None
    tls: bool = False


class RepliesEntry(Frozen):
    """[replies]: where e-mails to citizens are written for the mail server to collect."""

    folder: Path
    from_address: str = Field(pattern=r"^[^\s@]+@[^\s@]+$")


class NeighboursFile(Frozen):
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


def load_neighbours(path: Path) -> NeighboursFile:
    """Who is told, from a file with paths beside it; ConfigError names the file and the field."""
    file = checked(NeighboursFile, read_toml(path), where=str(path))
    folder = path.parent
    inner = {
        name: entry.model_copy(update=beside(entry, folder, "folder"))
        for name in ("cap", "replies")
        if (entry := getattr(file, name)) is not None
    }
    own = beside(file, folder, "media", "secrets_key_file")
    return file.model_copy(update={**inner, **own})
