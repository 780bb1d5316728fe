"""The store and the office's tables."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patrolvision.config import OfficeSettings, secret_keys
from patrolvision.errors import ConfigError
from patrolvision.types import (
    HAZARDS,
    Verdict,
)
from patrolvision.wiring.models import registered_hazards, registry

if TYPE_CHECKING:
    from patrolvision.desk import Rules
    from patrolvision.relay.services import Service
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.store.sealing import Seals
    from patrolvision.store.sql_store import SqlStore
    from patrolvision.tickets.categories import Catalogue
    from patrolvision.tickets.causes import Cause
    from patrolvision.tickets.grids import GridIndex

log = logging.getLogger(__name__)


def grids(path: Path | None) -> GridIndex | None:
    """The grid cells and road segments of a file; None for None."""
    if path is None:
        return None
    from patrolvision.tickets.grids import GridIndex

    return GridIndex.from_file(path)


def store(url: str, *, create: bool = True, key_file: Path | None = None) -> SqlStore:
    """The store behind an SQLAlchemy URL, with the environment's or a file's keys for secrets.

    ConfigError where what is given holds no key.
    """
    from patrolvision.store.sql_store import open_store

    opened = open_store(url, create=create)
    found = seals(key_file)
    if found is not None:
        opened.seals = found
    return opened


def seals(key_file: Path | None = None) -> Seals | None:
    """The keys that the environment or a file gives; None where neither is named."""
    from patrolvision.store.sealing import Seals, keys_of

    given = secret_keys()
    if given:
        return Seals(keys_of(given, "PATROLVISION_SECRETS_KEY"))
    if key_file is None:
        return None
    if not key_file.is_file():
        raise ConfigError(
            f"secrets_key_file: {key_file} is not there; make it with `patrolvision secrets new`"
        )
    keys_of(key_file.read_text(encoding="utf-8"), str(key_file))
    return Seals(file=key_file)


def catalogue(settings: OfficeSettings) -> Catalogue:
    """Categories, deadlines, hours and scores of the office's city, from its tables."""
    from patrolvision.tickets.categories import load_catalogue

    known = dict.fromkeys(c for algorithm in registry() for _, c in algorithm.classes)
    more = tuple(category for category in known if category not in HAZARDS)
    return load_catalogue(settings.city, settings.timezone, settings.table_files, more)


def causes(settings: OfficeSettings) -> tuple[Cause, ...]:
    """Why the office may reject a ticket, from its tables."""
    from patrolvision.tickets.causes import load_causes

    return load_causes(settings.table_files)


def services(settings: OfficeSettings) -> dict[str, Service]:
    """What citizens may report, from the office's tables: about its categories only."""
    from patrolvision.relay.services import DATA, load_services

    return load_services(settings.services_folder or DATA, tuple(catalogue(settings).categories))


def check_tables(settings: OfficeSettings) -> None:
    """Read every table of the office once; ConfigError names the first row that is wrong.

    A file of the folder `categories` that is no table is refused: its name is mistyped.
    """
    from patrolvision.tickets.retention import load_retention
    from patrolvision.tickets.sensors import load_sensors

    office_rules(settings)
    services(settings)
    load_retention(settings.table_files)
    load_sensors(settings.table_files)


def verdicts(store: SqlStore) -> list[Verdict]:
    """Every verdict that the office keeps, by time."""
    from patrolvision.store.queue import place_of, verdict_page

    found: list[Verdict] = []
    with store.engine.connect() as connection:
        while True:
            after = place_of(found[-1]) if found else None
            page = verdict_page(connection, 1000, after=after)
            found += page
            if len(page) < 1000:
                return found


def office_rules(settings: OfficeSettings) -> Rules:
    """What the office's tables say, as far as moving a ticket needs it."""
    from patrolvision.desk import Rules

    return Rules(catalogue(settings), causes(settings))


def stored_grids(store: SqlStore, as_of: datetime | None = None) -> GridIndex | None:
    """The grids that the office put into the store, as they were at an instant; None: none."""
    from patrolvision.store.areas import stored_area
    from patrolvision.tickets.grids import GridIndex

    area = stored_area(store.engine, "grids", as_of)
    return None if area is None else GridIndex.from_text(area.content, "the stored grids")


def stored_rulebook(store: SqlStore, timezone: str) -> Rulebook:
    """The rules over the zones that the office put into the store; a zone that is bad is left out.

    timezone is for zones that name none.
    """
    from patrolvision.rules.rulebook import Rulebook
    from patrolvision.rules.zones import zones_of
    from patrolvision.store.areas import stored_area
    from patrolvision.tickets.categories import public_holidays

    known = registered_hazards(None, timezone)
    area = stored_area(store.engine, "zones")
    if area is None:
        return Rulebook(registered=known)
    zones, problems = zones_of(
        area.content.encode(), "the stored zones", timezone, public_holidays()
    )
    for problem in problems:
        log.warning("%s", problem)
    return Rulebook(zones, registered=known)


def equip(
    store: SqlStore, at: datetime, *, zones: Path, grids: Path, crews: Mapping[str, dict[str, Any]]
) -> None:
    """Give an office its layers and crews, as its admin would over the API; again is no change."""
    from patrolvision.store.areas import save_area
    from patrolvision.store.crews import save_crew

    save_area(store.engine, "zones", zones.read_text(encoding="utf-8"), "patrolvision", at)
    save_area(store.engine, "grids", grids.read_text(encoding="utf-8"), "patrolvision", at)
    for crew_id, content in crews.items():
        save_crew(store.engine, crew_id, content, "patrolvision", at, is_new=True)
