"""Behind the Open311 routes: the services, the tickets that may be shown, and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials

from patrolvision import wiring
from patrolvision.api.citizens import Claim, take
from patrolvision.api.intake import Layers
from patrolvision.api.open311_forms import GeoReportError
from patrolvision.api.open311_queries import MOST, listed
from patrolvision.api.problems import Problem
from patrolvision.api.security import COOKIE, Office, Principal, reads, requires_scope
from patrolvision.relay import georeport
from patrolvision.relay.requests import is_public, service_request
from patrolvision.relay.services import Service, service_of
from patrolvision.store.citizens import (
    CitizenReport,
    report_of,
    reports_on,
    requested,
    tickets_named,
)
from patrolvision.store.engine import reading
from patrolvision.types import Ticket


class Desk:
    """The services, the store behind them, and who may ask."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.services = wiring.services(office.settings)
        self._layers = Layers(office)
        self._may_read = reads(office)
        self._may_write = requires_scope(office, "open311:write", "dispatcher")

    def answered(
        self,
        form: str,
        root: str,
        jurisdiction_id: str | None,
        work: Callable[[], Any],
        status: int = 200,
    ) -> Response:
        """What the work gives, or why not, in the form asked for."""
        own = self._office.settings.open311_jurisdiction
        try:
            if own is not None and jurisdiction_id and jurisdiction_id != own:
                raise GeoReportError(404, f"jurisdiction_id: {jurisdiction_id!r} was not found")
            return answer(form, root, work(), status)
        except GeoReportError as refusal:
            return refused(form, refusal)

    def lister(self, request: Request) -> Principal | None:
        """Who asks for a list; None: it is published, and anybody may. Refused who may not."""
        if self._office.settings.open311_public:
            return None
        return _who(self._may_read, request, request.query_params.get("api_key"))

    def writer(self, request: Request, api_key: str | None) -> Principal:
        """Who creates a request."""
        return _who(self._may_write, request, api_key)

    def service(self, code: str) -> Service:
        """The service of a code."""
        if code not in self.services:
            raise GeoReportError(404, f"service_code: {code!r} was not found")
        return self.services[code]

    def chosen(self, codes: str | None) -> list[Service]:
        """The services of a comma list of codes; none given: all."""
        named = listed(codes)
        return [self.service(code) for code in named] if named else list(self.services.values())

    def named(self, ids: str, form: str, extensions: str | None) -> list[dict[str, Any]]:
        """The requests of a comma list of numbers; 404 where none of them is there."""
        wanted = listed(ids)[:MOST]
        with reading(self._office.store.engine) as connection:
            found = tickets_named(connection, wanted)
            reports = reports_on(connection, list(found))
        tickets = [found[i] for i in dict.fromkeys(wanted) if i in found]
        shown = self._shown(tickets, reports, form, extensions)
        if not shown:
            raise GeoReportError(404, f"service_request_id: {ids[:200]!r} was not found")
        return shown

    def listed(
        self,
        span: tuple[datetime, datetime],
        services: list[Service],
        states: tuple[str, ...],
        page: tuple[int, int],
        form: str,
        extensions: str | None,
        who: Principal | None,
    ) -> list[dict[str, Any]]:
        """The requests of a span of time, in the areas of the one who asks."""
        categories = sorted({service.category for service in services})
        limit, offset = page
        with reading(self._office.store.engine) as connection:
            tickets = requested(
                connection, *span, categories=categories, states=states, limit=limit, offset=offset
            )
            reports = reports_on(connection, [ticket.id for ticket in tickets])
        tickets = [ticket for ticket in tickets if who is None or who.covers(ticket.grid)]
        return self._shown(tickets, reports, form, extensions)

    def _shown(
        self, tickets: list[Ticket], reports: list[CitizenReport], form: str, extensions: str | None
    ) -> list[dict[str, Any]]:
        told: dict[str, list[dict[str, Any]]] = {}
        for report in reports:
            told.setdefault(report.ticket_id, []).append(_told(report))
        # XML is kept to the standard's own elements, unless a client asks for more.
        extended = form == "json" if extensions is None else extensions in ("true", "1")
        result = []
        for ticket in tickets:
            service = service_of(ticket.category, self.services)
            own = told.get(ticket.id, [])
            if service is not None and is_public(ticket, own, service):
                result.append(service_request(ticket, service, own, extended=extended))
        return result

    def token(self, token: str) -> list[dict[str, Any]]:
        """The number that a token became."""
        with reading(self._office.store.engine) as connection:
            report = report_of(connection, token.replace("\x00", ""))
            found = {} if report is None else tickets_named(connection, [report.ticket_id])
            others = reports_on(connection, list(found))
        if report is None or report.ticket_id not in found:
            raise GeoReportError(404, f"token: {token[:100]!r} was not found")
        service = self.services.get(report.service_code)
        ticket = found[report.ticket_id]
        if service is not None and not is_public(ticket, [_told(r) for r in others], service):
            raise GeoReportError(404, "token: the report waits to be checked and has no number yet")
        return [{"service_request_id": ticket.id, "token": token}]

    def receipt(self, claim: Claim) -> dict[str, Any]:
        """What the sender of a report is answered, once it is kept."""
        rules, grids = self._layers.now()
        report = take(self._office.store, claim, rules=rules, grids=grids)
        service = self.services[report.service_code]
        if service.type == "batch":
            named: dict[str, Any] = {"token": report.id}
        else:
            named = {"service_request_id": report.ticket_id}
        return {**named, "service_notice": service.notice or None, "account_id": None}


def _told(report: CitizenReport) -> dict[str, Any]:
    return {
        "joined": report.joined,
        "description": report.description,
        "address": report.address,
        "media_url": report.media_url,
    }


def _who(dependency: Callable[..., Principal], request: Request, api_key: str | None) -> Principal:
    """Who asks, by api_key as Open311 sends it, or as everywhere else."""
    kind, _, sent = request.headers.get("authorization", "").partition(" ")
    key = api_key or (sent.strip() if kind.lower() == "bearer" else "")
    bearer = HTTPAuthorizationCredentials(scheme="Bearer", credentials=key) if key else None
    try:
        return dependency(request, bearer, request.cookies.get(COOKIE))
    except Problem as problem:
        raise GeoReportError(403, f"api_key: {problem.detail}") from problem


def answer(form: str, root: str, value: Any, status: int = 200) -> Response:
    """A value as the document asked for."""
    content = georeport.rendered(root, value, form)
    return Response(content, status, media_type=georeport.MEDIA_TYPES[form])


def refused(form: str, refusal: GeoReportError) -> Response:
    """The standard's list of errors."""
    value = georeport.errors([(refusal.status, reason) for reason in refusal.reasons])
    return answer(form, "errors", value, refusal.status)
