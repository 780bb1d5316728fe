"""The office's API: every route of routes/, behind one door."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI

from patrolvision import __version__, wiring
from patrolvision.api import problems
from patrolvision.api.guard import Guard
from patrolvision.api.observed import Meter, Observed
from patrolvision.api.security import Office
from patrolvision.config import OfficeSettings
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import Image

# Modules of routes/ with `def router(office: Office) -> APIRouter`; one line each, the first match
# of an address wins; what is asked most often stands first.
ROUTES = (
    "observations",
    "tickets",
    "clusters",
    "tiles",
    "sessions",
    "accounts",
    "open311",
    "webhooks",
    "alerts",
    "citizens",
    "page",
    "moves",
    "verdicts",
    "evidence",
    "incidents",
    "coverage",
    "crews",
    "devices",
    "zones",
    "grids",
    "categories",
    "reports",
    "exports",
    "events",
    "stats",
    "ogc",
    "service",
)  # fmt: skip


YOUNG = 20_000  # values that hold others, made and not gone, before the collector looks at them


@asynccontextmanager
async def _at_work(app: FastAPI) -> AsyncIterator[None]:
    """What is there when the office opens stays: the collector need not walk it at every turn.

    Nor need it look for cycles a dozen times an answer, for one makes thousands of values that
    go when they are sent.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def create_app(
    store: SqlStore,
    settings: OfficeSettings | None = None,
    *,
    media: Path | None = None,
    hide: Callable[[Image], Image] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The application over one store, which stays the caller's to close.

    media is the folder that holds evidence/; by default the one of the database file. hide makes
    heads and plates unreadable in what is uploaded; without it uploads are refused.
    """
    settings = settings or OfficeSettings()
    folder = media or settings.media or store.folder
    office = Office(store, settings, folder, wiring.office_rules(settings), clock, hide)
    app = FastAPI(
        title="patrolvision",
        version=__version__,
        summary="Tickets from patrol cars' and drones' footage",
        responses=problems.documented(),
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=_at_work,
    )
    app.state.office = office
    app.state.meter = Meter()
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Observed, meter=app.state.meter)
    problems.install(app)
    for name in ROUTES:
        app.include_router(import_module(f"patrolvision.api.routes.{name}").router(office))
    return app
