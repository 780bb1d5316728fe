"""GET and POST /coverage: what the patrols could have seen, which proves what is gone."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from patrolvision.api import answers, posted, queries, schemas, shapes
from patrolvision.api.intake import MOST_CORNERS, Intake, Post
from patrolvision.api.row_lists import AskedPage
from patrolvision.api.security import Office, Principal, reader, requires_scope
from patrolvision.store.pages import RowFilter
from patrolvision.store.schema import looks as table
from patrolvision.types import DETECTOR_CLASSES

SCOPE = "observations:write"
TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
INSTANT = {"type": "string", "format": "date-time"}
BODY = posted.schema_of(
    ("id", "mission_id", "start", "end", "classes", "polygon", "detection_probability"),
    {
        "id": "d0v1p2-s3", "mission_id": "d0v1p2", "start": "2026-05-04T08:00:00+08:00",
        "end": "2026-05-04T08:00:05+08:00", "classes": ["litter", "fire", "car"],
        "polygon": [[113.230, 22.840], [113.231, 22.840], [113.231, 22.841]],
        "detection_probability": 0.9,
    },
    id=TEXT, mission_id=TEXT, start=INSTANT, end=INSTANT,
    classes={"type": "array", "minItems": 1, "items": {"enum": list(DETECTOR_CLASSES)}},
    polygon={"type": "array", "minItems": 3, "maxItems": MOST_CORNERS,
             "items": {"type": "array", "minItems": 2, "maxItems": 2,
                       "items": {"type": "number"}}},
    detection_probability={"type": "number", "minimum": 0, "maximum": 1},
)  # fmt: skip


def look_filter(
    bbox: queries.Box = None,
    since: queries.Since = None,
    until: queries.Until = None,
    mission_id: queries.Words = [],  # noqa: B006 - fastapi copies it
) -> RowFilter:
    """A dependency: the filter of a call's parameters."""
    equal = {"mission_id": tuple(mission_id)} if mission_id else {}
    return RowFilter(None if bbox is None else queries.box_of(bbox), since, until, equal)


def router(office: Office) -> APIRouter:
    """Looks over the office's store."""
    engine, intake = office.store.engine, Intake(office)
    router = APIRouter(prefix="/api/v1", tags=["coverage"])

    @router.get("/coverage", responses=answers.listed(schemas.Look, "looks"))
    def coverage(
        who: Annotated[Principal, Depends(reader(office))],
        wanted: Annotated[RowFilter, Depends(look_filter)],
        page: AskedPage,
    ) -> Response:
        """What passes could have seen, by when they looked."""
        return page.answer(engine, table, wanted, shapes.look)

    @router.post(
        "/coverage",
        responses={200: {"model": schemas.Accepted}},
        openapi_extra=posted.body_of(BODY),
    )
    def looked(
        who: Annotated[Principal, Depends(requires_scope(office, SCOPE))],
        items: Annotated[list[Any], Depends(posted.items)],
    ) -> Response:
        """Take one look or up to 1000; an incident well inside that was not seen is gone."""
        found, failed = intake.read_looks(items, who)
        return posted.answered(intake.take(Post(looks=tuple(found))), failed)

    return router
