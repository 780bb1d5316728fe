"""What citizens reported about a ticket, for whoever has to judge it; never who they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from patrolvision.api import queries
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, check_area, requires
from patrolvision.geo.geodesy import distance_m
from patrolvision.store.citizens import CitizenReport, reports_on, tickets_named
from patrolvision.store.engine import reading
from patrolvision.types import Ticket


class ShownReport(BaseModel):
    """One report: media_url leads elsewhere and was never looked at; apart_m is from the ticket."""

    received_at: datetime
    service_code: str
    joined: bool
    lat_deg: float
    lon_deg: float
    apart_m: float
    description: str | None
    address: str | None
    media_url: str | None
    attributes: dict[str, Any]


def router(office: Office) -> APIRouter:
    """GET /tickets/{id}/reports."""
    routes = APIRouter(prefix="/api/v1", tags=["neighbours"])
    judge = Depends(requires(office, "reviewer", "dispatcher"))

    @routes.get("/tickets/{ticket_id}/reports")
    def reports(ticket_id: queries.Id, who: Principal = judge) -> list[ShownReport]:
        """What citizens reported about the ticket, the earliest first."""
        with reading(office.store.engine) as connection:
            ticket = tickets_named(connection, [ticket_id]).get(ticket_id)
            found = reports_on(connection, [ticket_id])
        if ticket is None:
            raise Problem(404, f"there is no ticket {ticket_id}")
        check_area(who, ticket.grid)
        return [_shown(report, ticket) for report in found]

    return routes


def _shown(report: CitizenReport, ticket: Ticket) -> ShownReport:
    place = ticket.place
    apart = distance_m(place.lat_deg, place.lon_deg, report.lat_deg, report.lon_deg)
    return ShownReport(
        received_at=report.received_at,
        service_code=report.service_code,
        joined=report.joined,
        lat_deg=report.lat_deg,
        lon_deg=report.lon_deg,
        apart_m=round(float(apart), 1),
        description=report.description,
        address=report.address,
        media_url=report.media_url,
        attributes=dict(report.attributes or {}),
    )
