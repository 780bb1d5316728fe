"""GET /incidents and /incidents/{id}: each hazard once, with everything that was seen of it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from patrolvision.api import answers, queries, schemas, shapes
from patrolvision.api.problems import Problem
from patrolvision.api.row_lists import AskedPage
from patrolvision.api.security import Office, Principal, reader
from patrolvision.api.territory import Territory
from patrolvision.store.engine import reading
from patrolvision.store.pages import RowFilter, row_of
from patrolvision.store.schema import incidents as table

Status = Literal["new", "existing", "removed", "dismissed"]
Kind = Literal["enforce", "warning", "review", "watch"]
UNSHOWN = {"kind": ("watch",), "status": ("dismissed",)}  # unless asked for by name


def incident_filter(
    bbox: queries.Box = None,
    since: queries.Since = None,
    until: queries.Until = None,
    category: queries.Words = [],  # noqa: B006 - fastapi copies it
    status: Annotated[list[Status], Query(max_length=8)] = [],  # noqa: B006
    kind: Annotated[list[Kind], Query(max_length=8)] = [],  # noqa: B006
    zone_id: queries.Word | None = None,
) -> RowFilter:
    """A dependency: the filter of a call's parameters."""
    asked: dict[str, Sequence[str]] = {"category": category, "status": status, "kind": kind}
    equal = {name: tuple(values) for name, values in asked.items() if values}
    if zone_id is not None:
        equal["zone_id"] = (zone_id,)
    unequal = {name: values for name, values in UNSHOWN.items() if name not in equal}
    box = None if bbox is None else queries.box_of(bbox)
    return RowFilter(box, since, until, equal, unequal)


def router(office: Office) -> APIRouter:
    """Incidents over the office's store."""
    engine, reads = office.store.engine, Depends(reader(office))
    territory = Territory(office)
    router = APIRouter(prefix="/api/v1", tags=["incidents"])

    @router.get("/incidents", responses=answers.listed(schemas.Incident, "incidents, newest first"))
    def incidents(
        who: Annotated[Principal, reads],
        wanted: Annotated[RowFilter, Depends(incident_filter)],
        page: AskedPage,
    ) -> Response:
        """Incidents by when they were first seen, without those that are watched or dismissed."""
        return page.answer(engine, table, territory.narrowed(who, wanted), shapes.incident)

    @router.get("/incidents/{incident_id}", responses={200: {"model": schemas.Incident}})
    def incident(incident_id: queries.Id, who: Annotated[Principal, reads]) -> Response:
        """One incident with its error ellipse and all observations that are in it."""
        with reading(engine) as connection:
            found = row_of(connection, table, incident_id)
        if found is None or not territory.shows(who, found):
            raise Problem(404, f"there is no incident {incident_id}")
        return answers.body(shapes.incident(found))

    return router
