"""Pictures: taking one of a ticket, and showing one, each view of it noted."""

from __future__ import annotations

import hashlib
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Path, Request, UploadFile
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from patrolvision import desk
from patrolvision.api import queries
from patrolvision.api.acting import IdempotencyKey, Once, Replay, act_of, check_time, refusals
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, check_area, reader, requires
from patrolvision.evidence.pictures import EvidencePicture, is_intact, keep_picture
from patrolvision.evidence.uploads import UploadError, check_name, picture_of
from patrolvision.store.engine import reading
from patrolvision.store.office_reads import ticket_and_incident
from patrolvision.store.picture_owners import grids_of_picture
from patrolvision.tickets.workflow import MOVES, why_not

STATUS = {"type": 415, "size": 413, "content": 422}
JPEG = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
Name = Annotated[
    str,
    Path(pattern=r"^[0-9a-f]{64}(\.jpg)?$", description="SHA-256 of the picture's bytes"),
]
Kind = Literal["before", "after", "wide", "close"]
Lat = Annotated[float | None, Form(ge=-90, le=90)]
Lon = Annotated[float | None, Form(ge=-180, le=180)]


class Taken(BaseModel):
    """A picture that is now the ticket's; version is the ticket's after it."""

    id: str
    url: str
    sha256: str
    version: int = Field(ge=1)


def router(office: Office) -> APIRouter:
    """POST /tickets/{id}/pictures and GET /evidence/{name}."""
    router = APIRouter(prefix="/api/v1", tags=["evidence"])
    anybody = Depends(reader(office))
    worker = Depends(requires(office, "reviewer", "dispatcher", "crew"))

    @router.post("/tickets/{ticket_id}/pictures", status_code=201)
    def take(
        ticket_id: queries.Id,
        request: Request,
        file: Annotated[UploadFile, File(description="JPEG, PNG or WebP")],
        kind: Annotated[Kind, Form()] = "after",
        at: Annotated[AwareDatetime | None, Form()] = None,
        lat_deg: Lat = None,
        lon_deg: Lon = None,
        key: IdempotencyKey = None,
        who: Principal = worker,
    ) -> Taken:
        """Add a picture; heads and plates are hidden and metadata dropped before it is kept."""
        _check_may(office, who, ticket_id)
        if at is not None:
            check_time(at, office.clock())
        _check_name(file)
        content = _content(office, file)
        asked = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "kind": kind,
            "at": None if at is None else at.isoformat(),
            "place": [lat_deg, lon_deg],
        }
        once = Once(office, who, request, key, asked)
        kept = _kept(office, content)
        data = {
            "id": kept.sha256,
            "kind": kind,
            "sha256": kept.sha256,
            "width": kept.width,
            "height": kept.height,
            "taken_at": None if at is None else at.isoformat(),
            "lat_deg": lat_deg,
            "lon_deg": lon_deg,
        }
        act = act_of(office, who, "attach", data=data)
        url = f"/api/v1/evidence/{kept.sha256}.jpg"

        def taken(version: int) -> Taken:
            return Taken(id=kept.sha256, url=url, sha256=kept.sha256, version=version)

        try:
            with refusals():
                changed = desk.perform(
                    office.store,
                    office.rules,
                    ticket_id,
                    act,
                    before=once.look,
                    after=lambda tx, t: once.keep(tx, taken(t.version).model_dump(), 201),
                )
        except Replay as replay:
            return Taken(**replay.body)
        if changed is None:
            raise Problem(404, f"there is no ticket {ticket_id}")
        return taken(changed.version)

    @router.get("/evidence/{name}", response_class=Response, responses={200: JPEG})
    def show(name: Name, request: Request, who: Principal = anybody) -> Response:
        """A picture; that it was looked at, by whom and from where, is noted first."""
        sha256 = name.removesuffix(".jpg")
        _check_area(office, who, sha256)
        path = path_of(office.media, sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Problem(404, "there is no such picture, or it has expired") from error
        if not is_intact(content, sha256):
            office.note(request, who.name, "picture_altered", sha256)
            raise Problem(409, "the picture is no longer what was kept: its bytes have changed")
        office.note(request, who.name, "picture_viewed", sha256)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": "sandbox"}
        return Response(content, media_type="image/jpeg", headers=headers)

    return router


def path_of(media: FilePath, sha256: str) -> FilePath:
    """Where a picture of this hash lies; the hash must have been checked to be one."""
    return media / "evidence" / sha256[:2] / f"{sha256}.jpg"


def _check_may(office: Office, who: Principal, ticket_id: str) -> None:
    """Refuse before a picture is decoded for nothing; the desk asks again when it counts."""
    with reading(office.store.engine) as connection:
        found = ticket_and_incident(connection, ticket_id)
    if found is None:
        raise Problem(404, f"there is no ticket {ticket_id}")
    ticket, incident = found
    check_area(who, ticket.grid)
    act = act_of(office, who, "attach")
    move = MOVES.get(("attach", ticket.state))
    if move is None:
        raise Problem(409, f"ticket {ticket_id} is {ticket.state}: it takes no pictures")
    facts = desk.facts_of(office.rules, ticket, incident, act)
    if (obstacle := why_not(ticket, move, act, facts)) is not None:
        raise Problem(403, obstacle)


def _check_area(office: Office, who: Principal, sha256: str) -> None:
    if not who.areas:
        return
    with reading(office.store.engine) as connection:
        grids = grids_of_picture(connection, sha256)
    if not any(who.covers(grid) for grid in grids):
        raise Problem(403, f"this picture is of no ticket in {', '.join(who.areas)}")


def _check_name(file: UploadFile) -> None:
    try:
        check_name(file.filename or "picture")
    except UploadError as error:
        raise Problem(STATUS[error.reason], str(error)) from error


def _content(office: Office, file: UploadFile) -> bytes:
    limit = office.settings.upload_max_bytes
    content = file.file.read(limit + 1)
    if len(content) > limit:
        raise Problem(413, f"file: a picture may hold {limit} bytes")
    return content


def _kept(office: Office, content: bytes) -> EvidencePicture:
    if office.hide is None:
        raise Problem(
            409, "pictures are not taken here: no model is there to hide faces and plates"
        )
    try:
        return keep_picture(office.hide(picture_of(content)), office.media / "evidence")
    except UploadError as error:
        raise Problem(STATUS[error.reason], str(error)) from error
