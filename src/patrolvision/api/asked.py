"""Which tickets a call asks for: its query read in one pass by a pydantic model.

FastAPI would look at each of twenty parameters by itself whether it was sent or not, which costs
a busy office more than anything else that stands before an answer. It still documents them.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Self, get_origin

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from patrolvision.api import queries
from patrolvision.api.security import Principal
from patrolvision.store.ticket_filters import TicketFilter
from patrolvision.store.ticket_pages import Sort


class AskedTickets(BaseModel):
    """The filters of GET /tickets."""

    bbox: queries.Box = None
    polygon: queries.Shape = None
    since: queries.Since = None
    until: queries.Until = None
    category: queries.Words = []
    state: Annotated[list[queries.State], Query(max_length=16)] = []
    priority: Annotated[list[queries.Priority], Query(max_length=6)] = []
    unit_grid: queries.Word | None = None
    responsible_grid: queries.Word | None = None
    segment: queries.Word | None = None
    assignee: queries.Word | None = None
    text: Annotated[
        queries.Word | None,
        Query(description="how an id, number, assignee, grid code or segment begins"),
    ] = None
    overdue: Annotated[bool | None, Query(description="open, and past the deadline")] = None
    closed: Annotated[bool | None, Query(description="true: over; false: still open")] = None

    @classmethod
    def of(cls, request: Request) -> Self:
        """What the query of a request asks; RequestValidationError where it cannot be read."""
        sent, several = request.query_params, _lists(cls)
        values: Mapping[str, Any] = {
            name: sent.getlist(name) if name in several else value for name, value in sent.items()
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False)
            said = [{**one, "loc": ("query", *one["loc"])} for one in found]
            raise RequestValidationError(said) from error

    def tickets(self, who: Principal, now: datetime) -> TicketFilter:
        """The filter, narrowed to the areas of the one who asks."""
        return queries.ticket_filter(
            who,
            self.bbox,
            self.polygon,
            now,
            overdue=self.overdue,
            closed=self.closed,
            state=self.state,
            since=self.since,
            until=self.until,
            category=tuple(dict.fromkeys(self.category)),
            priority=tuple(dict.fromkeys(self.priority)),
            unit_grid=self.unit_grid,
            responsible_grid=self.responsible_grid,
            segment=self.segment,
            assignee=self.assignee,
            text=self.text,
        )


class AskedPage(AskedTickets):
    """A page of them in an order."""

    sort: Sort = "newest"
    limit: queries.Limit = 100
    cursor: queries.Cursor = None
    form: Annotated[queries.Format, Field(alias="format")] = "json"


class AskedWindow(AskedTickets):
    """Those in a window of the map."""

    zoom: Annotated[float, Query(ge=0, le=24, description="of the map, tiles of 512 px")] = 0


@lru_cache(maxsize=16)
def _lists(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may be sent several times."""
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if get_origin(field.annotation) is list)


def documented(model: type[AskedTickets], *others: dict[str, Any]) -> dict[str, Any]:
    """For `openapi_extra=`: a model's parameters as FastAPI documents them, and others."""
    app = FastAPI()

    @app.get("/")
    def asked(_: Annotated[model, Query()]) -> None: ...  # type: ignore[valid-type]

    operation = app.openapi()["paths"]["/"]["get"]
    return {"parameters": [*operation["parameters"], *others]}
