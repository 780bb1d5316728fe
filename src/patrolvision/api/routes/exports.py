"""Tickets as files to take away: CSV, GeoJSON, a workbook, and the notice of one as PDF."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from patrolvision import records, wiring
from patrolvision.api import answers, queries, shapes
from patrolvision.api.asked import AskedTickets, documented
from patrolvision.api.problems import Problem
from patrolvision.api.routes.tickets import shown
from patrolvision.api.security import Office, Principal, check_area, reader
from patrolvision.errors import ConfigError, MediaError
from patrolvision.evidence.pictures import clearest_close
from patrolvision.report.notice import notice_of
from patrolvision.report.notice_pdf import notice_pdf
from patrolvision.report.summary import plain, sheet_of
from patrolvision.report.xlsx import workbook
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import pictures_of, ticket_and_incident, ticket_rows
from patrolvision.store.ticket_filters import TicketFilter
from patrolvision.store.ticket_pages import page

PAGE = 1000
MOST_ROWS = 100_000  # of a workbook: it is made in memory; CSV and GeoJSON have no limit
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COLUMNS = (
    "ticket_id", "number", "incident_id", "category", "state", "priority", "lat_deg", "lon_deg",
    "sigma_m", "unit_grid", "responsible_grid", "segment", "assignee", "opened_at", "due_at",
    "level", "urged", "parent", "merged_into", "version",
)  # fmt: skip
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the tickets, oldest first",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            answers.GEOJSON: {"schema": answers.FEATURES},
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a page of A4",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(office: Office) -> APIRouter:
    """Exports over the office's store."""
    router = APIRouter(prefix="/api/v1", tags=["exports"])
    catalogue = wiring.catalogue(office.settings)

    @router.get(
        "/export/tickets",
        responses=FILES,
        response_class=Response,
        openapi_extra=documented(AskedTickets),
    )
    def tickets(
        request: Request,
        who: Annotated[Principal, Depends(reader(office))],
        form: Annotated[Literal["csv", "geojson", "xlsx"], queries.Query(alias="format")] = "csv",
    ) -> Response:
        """All tickets that fit, with the filters of GET /tickets.

        In CSV a text that a spreadsheet would take for a formula begins with an apostrophe.
        """
        headers = {"Content-Disposition": f'attachment; filename="tickets.{form}"'}
        wanted = AskedTickets.of(request).tickets(who, office.clock())
        found = _pages(office, wanted)
        if form == "xlsx":
            return Response(_workbook(found), media_type=XLSX, headers=headers)
        parts, kind = (_csv(found), "text/csv") if form == "csv" else (_geojson(found), None)
        return StreamingResponse(parts, media_type=kind or answers.GEOJSON, headers=headers)

    @router.get("/tickets/{ticket_id}/notice.pdf", responses=PDF, response_class=Response)
    def notice(
        request: Request, ticket_id: queries.Id, who: Annotated[Principal, Depends(reader(office))]
    ) -> Response:
        """The notice to whoever caused the problem, with its best picture, ready to be served."""
        with reading(office.store.engine) as connection:
            known = ticket_and_incident(connection, ticket_id)
            if known is None:
                raise Problem(404, f"there is no ticket {ticket_id}")
            ticket, incident = known
            kept = pictures_of(connection, incident.observation_ids if incident else ())
        check_area(who, ticket.grid)
        jpeg, caption, sha256 = _picture(office, kept)
        rule = catalogue.categories[ticket.category]
        names = (rule.name_en, rule.name_zh)
        told = notice_of(
            ticket, names, rule.code, catalogue.timezone, office.clock(), jpeg, caption
        )
        try:
            content = notice_pdf(told)
        except MediaError:  # a picture that cannot be read does not keep the notice back
            content = notice_pdf(replace(told, picture=None))
        except ConfigError as error:
            raise Problem(503, str(error)) from error
        office.note(request, who.name, "notice", ticket_id)
        if jpeg is not None:
            office.note(request, who.name, "picture_viewed", sha256)
        headers = {"Content-Disposition": f'inline; filename="notice-{ticket.id}.pdf"'}
        return Response(content, media_type="application/pdf", headers=headers)

    return router


def _pages(office: Office, wanted: TicketFilter) -> Iterator[list[shapes.Json]]:
    """Pages of tickets, oldest first, each read in a transaction of its own."""
    after, is_first = None, True
    while is_first or after is not None:
        with reading(office.store.engine) as connection:
            found = page(connection, wanted, "oldest", PAGE, after)
            yield [shown(one) for one in ticket_rows(connection, found.ids)]
        after, is_first = found.next, False


def _csv(pages: Iterator[list[shapes.Json]]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for tickets in pages:
        buffer = io.StringIO(newline="")
        rows = sheet_of(tickets, COLUMNS)[1:]
        csv.writer(buffer).writerows([plain(cell) for cell in row] for row in rows)
        yield buffer.getvalue()


def _geojson(pages: Iterator[list[shapes.Json]]) -> Iterator[bytes]:
    yield b'{"type":"FeatureCollection","features":['
    between = b""
    for tickets in pages:
        for feature in records.features(tickets)["features"]:
            yield between + orjson.dumps(feature)
            between = b",\n"
    yield b"]}"


def _workbook(pages: Iterator[list[shapes.Json]]) -> bytes:
    found: list[shapes.Json] = []
    for tickets in pages:
        found += tickets
        if len(found) > MOST_ROWS:
            raise Problem(
                422, f"format: more than {MOST_ROWS} tickets fit; narrow the filter, or take csv"
            )
    return workbook({"Tickets": sheet_of(found, COLUMNS)})


def _picture(office: Office, kept: list[Mapping[str, Any]]) -> tuple[bytes | None, str, str]:
    """The clearest close picture that is there, or any, its caption and its hash."""
    clearest = clearest_close(kept)
    for one in sorted(kept, key=lambda p: (p is not clearest, p["view"] != "close")):
        sha256 = str(one["sha256"])
        path = office.media / "evidence" / sha256[:2] / f"{sha256}.jpg"
        if path.is_file():
            taken = str(one["captured_at"])[:19].replace("T", " ")
            return path.read_bytes(), f"{taken} UTC · SHA-256 {sha256[:16]}…", sha256
    return None, "", ""
