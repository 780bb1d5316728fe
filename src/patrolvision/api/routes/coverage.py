"""GET and POST /coverage: what the patrols could have seen, which proves what is gone."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import AwareDatetime

from patrolvision import looked as by_area
from patrolvision.api import answers, posted, queries, schemas, shapes
from patrolvision.api.intake import MOST_CORNERS, Intake, Layers, Post
from patrolvision.api.row_lists import AskedPage
from patrolvision.api.security import Office, Principal, reader, requires_scope
from patrolvision.api.territory import Territory
from patrolvision.report.looked import AreaLooked
from patrolvision.report.sheet import Ground
from patrolvision.store.pages import RowFilter
from patrolvision.store.schema import looks as table
from patrolvision.tickets.grids import GridIndex
from patrolvision.types import DETECTOR_CLASSES, GridCodes

SCOPE, SCOPE_OF_PASSES = "coverage:write", "observations:write"  # who may say what was seen, too
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


Layer = Literal["segment", "unit", "responsible"]


def _may_see(who: Principal, layer: Layer, code: str) -> bool:
    """Whether somebody may see an area; of segments it is not known in whose areas they lie."""
    if not who.areas:
        return True
    unit, responsible = layer == "unit", layer == "responsible"
    return who.covers(GridCodes(code if unit else None, code if responsible else None))


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
    engine, intake, layers = office.store.engine, Intake(office), Layers(office)
    territory = Territory(office)
    sends = requires_scope(office, SCOPE, or_scope=SCOPE_OF_PASSES)
    router = APIRouter(prefix="/api/v1", tags=["coverage"])

    @router.get("/coverage", responses=answers.listed(schemas.Look, "looks"))
    def coverage(
        who: Annotated[Principal, Depends(reader(office))],
        wanted: Annotated[RowFilter, Depends(look_filter)],
        page: AskedPage,
    ) -> Response:
        """What passes could have seen, by when they looked."""
        return page.answer(engine, table, territory.narrowed(who, wanted), shapes.look)

    @router.get("/coverage/{layer}", responses=answers.listed(AreaLooked, "areas"))
    def by_layer(
        who: Annotated[Principal, Depends(reader(office))],
        layer: Layer,
        at: Annotated[AwareDatetime | None, Query(description="as of then; default: now")] = None,
        form: queries.Form = "json",
    ) -> Response:
        """When each segment or cell of the office's map was last looked at, how often, how far."""
        _, grids = layers.now()
        grids = grids or GridIndex({})
        ground = Ground(grids.id, lambda: grids)
        found = by_area.areas_looked(office.store, ground, layer, at or office.clock())
        found = [area for area in found if _may_see(who, layer, area.code)]
        if form == "geojson":
            content = by_area.features(found, grids, layer)
            return answers.body(content, media_type=answers.GEOJSON)
        return answers.body([by_area.record(area) for area in found])

    @router.post(
        "/coverage",
        responses={200: {"model": schemas.Accepted}},
        openapi_extra=posted.body_of(BODY),
    )
    def looked(
        who: Annotated[Principal, Depends(sends)],
        items: Annotated[list[Any], Depends(posted.items)],
    ) -> Response:
        """Take one look or up to 1000; an incident well inside that was not seen is gone."""
        found, failed = intake.read_looks(items, who)
        return posted.answered(intake.take(Post(looks=tuple(found))), failed)

    return router
