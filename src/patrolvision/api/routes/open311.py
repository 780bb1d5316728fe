"""The Open311 GeoReport v2 server: what citizens' apps speak, in XML and JSON.

Services, definitions, discovery, tokens and single requests are open to everybody: who knows the
number of a request may follow it. Lists need a reader, unless the settings publish them; creating
needs a key with the scope open311:write, as `api_key` or in the Authorization header.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from patrolvision import __version__
from patrolvision.api.open311_desk import Desk, answer, refused
from patrolvision.api.open311_forms import GeoReportError, claim_of
from patrolvision.api.open311_posts import MULTIPART, URLENCODED, kept_media, post_of
from patrolvision.api.open311_queries import paging, span, states
from patrolvision.api.security import Office
from patrolvision.relay import georeport

Form = Literal["json", "xml"]
Text = Annotated[str | None, Query(max_length=2000)]
CHANGESET = f"patrolvision {__version__}"
ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {"application/json": {}, "text/xml": {}},
    }
    for status, description in (
        (200, "OK"),
        (201, "Created"),
        (400, "Something was not provided, or is wrong"),
        (403, "The key is missing, or may not do this"),
        (404, "Not found"),
        (413, "Too much"),
        (415, "No picture of a kind that is taken"),
    )
}
FIELDS = {
    name: {"type": "string"}
    for name in (
        "api_key", "jurisdiction_id", "service_code", "lat", "long", "address_string",
        "address_id", "email", "phone", "account_id", "device_id", "first_name", "last_name",
        "description", "media_url",
    )
}  # fmt: skip
FORM = {"type": "object", "required": ["service_code", "lat", "long"], "properties": FIELDS}
PICTURE = {"media": {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP"}}
POSTED = {
    "requestBody": {
        "required": True,
        "content": {
            URLENCODED: {"schema": FORM},
            MULTIPART: {"schema": {**FORM, "properties": {**FIELDS, **PICTURE}}},
        },
    }
}


def router(office: Office) -> APIRouter:
    """/open311/discovery and everything under /open311/v2."""
    routes = APIRouter(prefix="/open311", tags=["open311"])
    desk = Desk(office)

    @routes.get("/discovery.{form}", responses=ANSWERS, response_class=Response)
    def discovery(form: Form, request: Request) -> Response:
        """Where the endpoints are and what they speak."""
        base = str(request.base_url).rstrip("/")
        settings = office.settings
        key = "The office's administrator gives keys with the scope open311:write."
        value = georeport.discovery(base, CHANGESET, settings.open311_contact, key)
        return answer(form, "discovery", value)

    @routes.get("/v2/services.{form}", responses=ANSWERS, response_class=Response)
    def services(form: Form, jurisdiction_id: Text = None) -> Response:
        """What can be reported."""
        return desk.answered(
            form, "services", jurisdiction_id, lambda: georeport.service_list(desk.services)
        )

    @routes.get("/v2/services/{service_code}.{form}", responses=ANSWERS, response_class=Response)
    def definition(service_code: str, form: Form, jurisdiction_id: Text = None) -> Response:
        """The further fields of one service."""
        return desk.answered(
            form,
            "service_definition",
            jurisdiction_id,
            lambda: georeport.service_definition(desk.service(service_code)),
        )

    @routes.get("/v2/requests.{form}", responses=ANSWERS, response_class=Response)
    def requests(
        request: Request,
        form: Form,
        jurisdiction_id: Text = None,
        service_request_id: Annotated[str | None, Query(max_length=100_000)] = None,
        service_code: Text = None,
        start_date: Text = None,
        end_date: Text = None,
        status: Text = None,
        page: Text = None,
        page_size: Text = None,
        extensions: Text = None,
    ) -> Response:
        """Requests of at most 90 days, the newest first, at most 1000; or those named."""

        def found() -> Any:
            if service_request_id:
                return desk.named(service_request_id, form, extensions)
            who = desk.lister(request)
            return desk.listed(
                span(start_date, end_date, office.clock()),
                desk.chosen(service_code),
                states(status),
                paging(page, page_size),
                form,
                extensions,
                who,
            )

        return desk.answered(form, "service_requests", jurisdiction_id, found)

    @routes.get(
        "/v2/requests/{service_request_id}.{form}", responses=ANSWERS, response_class=Response
    )
    def one(
        service_request_id: str, form: Form, jurisdiction_id: Text = None, extensions: Text = None
    ) -> Response:
        """One request, or several whose numbers are separated by commas."""
        return desk.answered(
            form,
            "service_requests",
            jurisdiction_id,
            lambda: desk.named(service_request_id, form, extensions),
        )

    @routes.get("/v2/tokens/{token}.{form}", responses=ANSWERS, response_class=Response)
    def token(token: str, form: Form, jurisdiction_id: Text = None) -> Response:
        """The number of the request that a token became, once a person has verified it."""
        return desk.answered(form, "service_requests", jurisdiction_id, lambda: desk.token(token))

    @routes.post(
        "/v2/requests.{form}", responses=ANSWERS, response_class=Response, openapi_extra=POSTED
    )
    async def create(request: Request, form: Form) -> Response:
        """Report something: a number, or a token where a person looks at it first."""
        try:
            post = await post_of(request, office.settings.upload_max_bytes)
        except GeoReportError as refusal:
            return refused(form, refusal)
        given = dict(reversed(post.pairs))

        def made() -> Any:
            who = desk.writer(request, given.get("api_key"))
            key, now = request.headers.get("idempotency-key"), office.clock()
            claim = claim_of(post.pairs, desk.services, now, sender=who.name, idempotency_key=key)
            pictures = kept_media(office, post, now)
            return [desk.receipt(replace(claim, pictures=pictures))]

        work = desk.answered
        jurisdiction = given.get("jurisdiction_id")
        return await run_in_threadpool(work, form, "service_requests", jurisdiction, made, 201)

    return routes
