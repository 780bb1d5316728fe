"""GET /reports/{day|week|month|year}/{date}: the office's figures, as data, workbook or page."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel

from patrolvision import reporting, wiring
from patrolvision.api import answers
from patrolvision.api.security import Office, Principal, reader, requires
from patrolvision.report.figures import ROW_KINDS
from patrolvision.report.period import PeriodKind

FORMATS: dict[str, tuple[str, str]] = {
    "json": (answers.JSON, "json"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "html": ("text/html; charset=utf-8", "html"),
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
Day = Annotated[date, Path(description="any day of it", examples=["2026-05-04"])]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the report",
        "content": {
            answers.JSON: {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
            FORMATS["xlsx"][0]: {"schema": {"type": "string", "format": "binary"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
}


RowKind = Literal[
    "all", "category", "unit_grid", "responsible_grid", "segment", "crew", "contractor"
]


class Kept(BaseModel):
    """Which revision of a report is kept; complete: it says all that is known of that time now."""

    revision: int
    complete: bool


def router(office: Office) -> APIRouter:
    """Reports over the office's store."""
    router = APIRouter(prefix="/api/v1", tags=["reports"])
    catalogue, causes = wiring.catalogue(office.settings), wiring.causes(office.settings)

    @router.get("/reports/{period}/{day}", responses=ANSWERS, response_class=Response)
    def report(
        period: PeriodKind,
        day: Day,
        who: Annotated[Principal, Depends(reader(office))],
        form: Annotated[Literal["json", "csv", "xlsx", "html"], Query(alias="format")] = "json",
        lang: Annotated[Literal["en", "zh"], Query(description="of the page")] = "en",
        rows: Annotated[
            list[RowKind], Query(max_length=len(ROW_KINDS), description="only rows of these kinds")
        ] = [],  # noqa: B006 - fastapi copies it
        live: Annotated[
            bool, Query(description="what is known of that time now, even if it was kept")
        ] = False,
    ) -> Response:
        """The figures of the period that a day lies in, as they stood at its end.

        The same whatever is done later; the same whatever is learnt later, once it is kept (by
        `patrolvision reports`, or by a revision here). Somebody with areas gets the figures of
        these, reckoned when he asks.
        """
        covers = who.covers if who.areas else None
        found = reporting.report_of(
            office.store, catalogue, period, day, office.clock(),
            causes=causes, covers=covers, live=live,
        )  # fmt: skip
        if rows:  # the first row, of everything, always stays
            kept = [row for row in found["rows"] if row["kind"] in ("all", *rows)]
            found = {**found, "rows": kept}
        media_type, ending = FORMATS[form]
        name = f"report-{period}-{found['first']}.{ending}"
        shown = "inline" if form in ("html", "json") else "attachment"
        headers = {
            "Content-Disposition": f'{shown}; filename="{name}"',
            "Content-Security-Policy": POLICY,
        }
        content = reporting.FORMATS[form](found, lang)
        return Response(content, media_type=media_type, headers=headers)

    @router.post("/reports/{period}/{day}/revisions")
    def kept(
        period: PeriodKind,
        day: Day,
        who: Annotated[Principal, Depends(requires(office, "admin", everywhere=True))],
        anew: Annotated[bool, Query(description="make a further revision of a kept one")] = False,
    ) -> Kept:
        """Keep the report of a past period as it is, whatever is still learnt about that time."""
        found, complete = reporting.keep(
            office.store, catalogue, period, day, office.clock(), who.name, causes=causes,
            anew=anew,
        )  # fmt: skip
        return Kept(revision=found["revision"], complete=complete)

    return router
