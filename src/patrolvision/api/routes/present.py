"""What could be read before the office had desks: whole lists, and a page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from patrolvision import __version__, records
from patrolvision.api.security import Office, reader
from patrolvision.report.contents import Entry, Report
from patrolvision.report.page import ordered, render
from patrolvision.types import Incident

Format = Literal["json", "geojson"]
Limit = Annotated[int, Query(ge=1, le=10_000, description="at most so many records")]


class Health(BaseModel):
    """Whether the store answers."""

    status: Literal["ok"]
    version: str
    incidents: int
    tickets: int


def _answer(rows: list[dict[str, Any]], form: Format) -> JSONResponse:
    return JSONResponse(records.features(rows) if form == "geojson" else rows)


def _shown(incidents: Iterator[Incident]) -> Iterator[Incident]:
    return (i for i in incidents if i.kind != "watch" and i.status != "dismissed")


def router(office: Office) -> APIRouter:
    """Lists and page over the office's store."""
    store = office.store
    router = APIRouter(dependencies=[Depends(reader(office))])

    @router.get("/healthz", tags=["service"])
    def healthz() -> Health:
        """Answers 200 only when the store could be read just now."""
        counts = store.counts()
        return Health(
            status="ok",
            version=__version__,
            incidents=counts["incidents"],
            tickets=counts["tickets"],
        )

    @router.get("/api/v1/tickets", tags=["office"])
    def tickets(
        category: str | None = None,
        state: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Tickets by time, with state, grid codes and history."""
        found = store.tickets(category=category, state=state)
        return _answer([records.ticket_to_record(t) for t, _ in zip(found, range(limit))], form)  # noqa: B905

    @router.get("/api/v1/incidents", tags=["office"])
    def incidents(
        category: str | None = None,
        status: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Incidents by time, with their error ellipses and all observations that are in them."""
        found = _shown(store.incidents(category=category, status=status))
        return _answer([records.incident_to_record(i) for i, _ in zip(found, range(limit))], form)  # noqa: B905

    @router.get("/api/v1/observations", tags=["office"])
    def observations(
        mission_id: str | None = None,
        form: Annotated[Format, Query(alias="format")] = "json",
        limit: Limit = 1000,
    ) -> JSONResponse:
        """Observations by time, those of one mission if it is named."""
        found = store.observations(mission_id=mission_id)
        rows = [records.observation_to_record(o) for o, _ in zip(found, range(limit))]  # noqa: B905
        return _answer(rows, form)

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
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

    return router
