"""What the API answers when it does not do what was asked: RFC 9457, application/problem+json."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from patrolvision.errors import PatrolVisionError, StoreError

MEDIA_TYPE = "application/problem+json"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
USUAL = (400, 401, 403, 404, 405, 409, 411, 413, 415, 422, 429, 503)


class Problem(HTTPException):
    """A refusal: its status, one sentence that says why, and what else the caller is to know."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, headers=dict(headers or {}))
        self.more = more


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of an application or route: these statuses (default: all usual ones)."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": SCHEMA}},
        }
        for status in statuses or USUAL
    }


def answer(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The response of a problem."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return JSONResponse(
        {**body, "detail": detail, **more}, status, headers=headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""

    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        more = error.more if isinstance(error, Problem) else {}
        return answer(error.status_code, str(error.detail), error.headers, **more)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_shown(one) for one in error.errors()]
        first = found[0] if found else {"field": "body", "error": "cannot be read"}
        return answer(422, f"{first['field']}: {first['error']}", errors=found)

    @app.exception_handler(StoreError)
    def without_store(request: Request, error: StoreError) -> JSONResponse:
        return answer(503, str(error))

    @app.exception_handler(PatrolVisionError)
    def impossible(request: Request, error: PatrolVisionError) -> JSONResponse:
        return answer(422, str(error))


def _shown(error: Mapping[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in error.get("loc", ()))
    return {"field": where, "error": str(error.get("msg", "is wrong"))}
