"""The office's API: tickets, incidents and observations, and a page that shows them.

Reading is open to this computer alone: roles, keys and everything that writes come with the ticket
office, and until then nobody else is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from patrolvision import __version__, records
from patrolvision.errors import StoreError
from patrolvision.report.contents import Entry, Report
from patrolvision.report.page import ordered, render
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import Incident

Format = Literal["json", "geojson"]
Limit = Annotated[int, Query(ge=1, le=10_000, description="at most so many records")]
OpenStore = Callable[[], SqlStore]


class Health(BaseModel):
    """Whether the store answers."""

    status: Literal["ok"]
    version: str
    incidents: int
    tickets: int


def _is_here(request: Request) -> bool:
    host = request.client.host if request.client is not None else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "testclient"


def _only_here(request: Request) -> None:
    if not _is_here(request):
        raise HTTPException(403, "reading is open to this computer alone")


def _answer(rows: list[dict[str, Any]], form: Format) -> JSONResponse:
    return JSONResponse(records.features(rows) if form == "geojson" else rows)


def _shown(incidents: Iterator[Incident]) -> Iterator[Incident]:
    return (i for i in incidents if i.kind != "watch" and i.status != "dismissed")


def create_app(store: SqlStore) -> FastAPI:
    """The application over one store, which stays the caller's to close."""
    app = FastAPI(
        title="patrolvision",
        version=__version__,
        summary="Tickets from patrol cars' and drones' footage",
        dependencies=[Depends(_only_here)],
    )

    @app.exception_handler(StoreError)
    def refused(request: Request, error: StoreError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    @app.get("/healthz", tags=["service"])
    def healthz() -> Health:
        """Answers 200 only when the store could be read just now."""
        counts = store.counts()
        return Health(
            status="ok",
            version=__version__,
            incidents=counts["incidents"],
            tickets=counts["tickets"],
        )

    @app.get("/api/v1/tickets", tags=["office"])
    def tickets(
        category: str | None = None,
        state: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Tickets by time, with state, grid codes and history."""
        found = store.tickets(category=category, state=state)
        return _answer([records.ticket_to_record(t) for t, _ in zip(found, range(limit))], form)  # noqa: B905

    @app.get("/api/v1/incidents", tags=["office"])
    def incidents(
        category: str | None = None,
        status: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Incidents by time, with their error ellipses and all observations that are in them."""
        found = _shown(store.incidents(category=category, status=status))
        return _answer([records.incident_to_record(i) for i, _ in zip(found, range(limit))], form)  # noqa: B905

    @app.get("/api/v1/observations", tags=["office"])
    def observations(
        mission_id: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Observations by time, those of one mission if it is named."""
        found = store.observations(mission_id=mission_id)
        rows = [records.observation_to_record(o) for o, _ in zip(found, range(limit))]  # noqa: B905
        return _answer(rows, form)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> HTMLResponse:
        tickets_by_incident = {t.incident_id: t for t in store.tickets()}
        entries = ordered(
            tuple(Entry(i, tickets_by_incident.get(i.id)) for i in _shown(store.incidents()))
        )
        releases = {o.model_release for o in store.observations() if o.model_release}
        report = Report(
            title="What the patrols found",
            generated_at=datetime.now(UTC),
            program=f"patrolvision {__version__}",
            model_release=", ".join(sorted(releases)) or "none",
            entries=entries,
            recordings=(),
        )
        return HTMLResponse(render(report))

    return app
