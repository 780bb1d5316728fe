"""GET and POST /observations: what the patrols saw, and the door by which devices tell it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from patrolvision.api import answers, posted, queries, schemas, shapes
from patrolvision.api.intake import Intake, Post
from patrolvision.api.row_lists import AskedPage
from patrolvision.api.security import Office, Principal, reader, sender
from patrolvision.api.territory import Territory
from patrolvision.store.pages import RowFilter
from patrolvision.store.schema import observations as table
from patrolvision.types import DETECTOR_CLASSES

SCOPE = "observations:write"
TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
INSTANT = {"type": "string", "format": "date-time"}
BODY = posted.schema_of(
    ("id", "mission_id", "stream_id", "class", "first_seen", "last_seen", "lat_deg", "lon_deg",
     "cov_en_m2", "confidence", "frames"),
    {
        "id": "d0v1p2-17", "mission_id": "d0v1p2", "stream_id": "car1", "class": "litter",
        "first_seen": "2026-05-04T08:00:00+08:00", "last_seen": "2026-05-04T08:00:02+08:00",
        "lat_deg": 22.84, "lon_deg": 113.23, "cov_en_m2": [[4.8, 0.0], [0.0, 4.8]],
        "confidence": 0.83, "frames": 12, "speed_mps": 0.1, "speed_sigma_mps": 0.4,
    },
    id=TEXT, mission_id=TEXT, stream_id=TEXT,
    **{"class": {"enum": list(DETECTOR_CLASSES)}},
    first_seen=INSTANT, last_seen=INSTANT,
    lat_deg={"type": "number", "minimum": -90, "maximum": 90},
    lon_deg={"type": "number", "minimum": -180, "maximum": 180},
    cov_en_m2={"type": "array", "minItems": 2, "maxItems": 2,
               "items": {"type": "array", "minItems": 2, "maxItems": 2,
                         "items": {"type": "number"}}},
    confidence={"type": "number", "minimum": 0, "maximum": 1},
    frames={"type": "integer", "minimum": 1, "maximum": 1_000_000_000},
    speed_mps={"type": ["number", "null"], "minimum": 0},
    speed_sigma_mps={"type": ["number", "null"], "minimum": 0},
)  # fmt: skip


def seen_filter(
    bbox: queries.Box = None,
    since: queries.Since = None,
    until: queries.Until = None,
    mission_id: queries.Words = [],  # noqa: B006 - fastapi copies it
    class_name: Annotated[queries.Words, Query(alias="class")] = [],  # noqa: B006
) -> RowFilter:
    """A dependency: the filter of a call's parameters."""
    asked = {"mission_id": mission_id, "class_name": class_name}
    equal = {name: tuple(values) for name, values in asked.items() if values}
    return RowFilter(None if bbox is None else queries.box_of(bbox), since, until, equal)


def router(office: Office) -> APIRouter:
    """Observations over the office's store."""
    engine, intake, territory = office.store.engine, Intake(office), Territory(office)
    router = APIRouter(prefix="/api/v1", tags=["observations"])

    @router.get("/observations", responses=answers.listed(schemas.Observation, "observations"))
    def observations(
        who: Annotated[Principal, Depends(reader(office))],
        wanted: Annotated[RowFilter, Depends(seen_filter)],
        page: AskedPage,
    ) -> Response:
        """What single passes saw, by when it was first seen."""
        return page.answer(engine, table, territory.narrowed(who, wanted), shapes.observation)

    @router.post(
        "/observations",
        responses={200: {"model": schemas.Accepted}},
        openapi_extra=posted.body_of(BODY),
    )
    async def observed(
        request: Request, who: Annotated[Principal, Depends(sender(office, SCOPE))]
    ) -> Response:
        """Take one observation or up to 1000; what was sent before changes nothing.

        They go through the same rules, fusion and tickets as `patrolvision fuse`, with the zones
        and grids of the office. Items that cannot be true are named, the others count.
        """
        items = await posted.items(request)
        if intake.is_quick_to_read(items, who):
            found, failed = intake.read_observations(items, who)
        else:
            read = partial(intake.read_observations, items, who)
            found, failed = await office.kept.make(read)
        return posted.answered(await intake.taken(Post(observations=tuple(found))), failed)

    return router
