"""Who is told, and what became of it: webhooks, and the deliveries of the outbox."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal, requires
from patrolvision.errors import CallError, ConfigError, DeliveryError
from patrolvision.relay.http import address_of
from patrolvision.relay.webhook import new_secret
from patrolvision.store.outbox import SqlOutbox
from patrolvision.store.sealing import NO_KEY
from patrolvision.store.webhooks import SqlWebhooks, Webhook
from patrolvision.types import Category

Topic = Literal[
    "ticket.raised", "ticket.moved", "incident.changed", "fire.alert", "citizen.reply"
]  # fmt: skip
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
MOST_HOOKS = 200


class NewWebhook(BaseModel):
    """An address that wants to be told; no topics or categories: all of them."""

    url: Annotated[str, Field(max_length=2000, examples=["https://city.example/hooks/patrol"])]
    topics: Annotated[list[Topic], Field(max_length=10)] = []
    categories: Annotated[list[Category], Field(max_length=10)] = []
    cooldown_s: Annotated[int, Field(ge=0, le=604_800)] = 0
    max_per_hour: Annotated[int | None, Field(ge=1, le=100_000)] = None


class ShownWebhook(NewWebhook):
    """A webhook without its secret."""

    id: str
    created_at: datetime


class MadeWebhook(ShownWebhook):
    """A new webhook; `secret`, which signs what it is sent, is shown this once."""

    secret: str


class ShownDelivery(BaseModel):
    """One message on its way to one sink."""

    sink: str
    message_id: str
    topic: str
    subject: str
    state: Literal["waiting", "done", "dead"]
    attempts: int
    next_try_at: datetime
    settled_at: datetime | None
    last_error: str | None


class ShownOutbox(BaseModel):
    """How much waits, went and was given up, by sink, and the newest deliveries."""

    unrouted: int
    sinks: dict[str, dict[str, int]]
    deliveries: list[ShownDelivery]


def router(office: Office) -> APIRouter:
    """GET|POST /webhooks, DELETE /webhooks/{id}, GET /outbox, POST /outbox/{sink}/{id}/retry."""
    routes = APIRouter(prefix="/api/v1", tags=["neighbours"])
    admin = Depends(requires(office, "admin", everywhere=True))
    hooks, outbox = (
        SqlWebhooks(office.store.engine, office.store.seals),
        SqlOutbox(office.store.engine),
    )

    @routes.get("/webhooks")
    def webhooks(who: Principal = admin) -> list[ShownWebhook]:
        """All webhooks, the oldest first."""
        return [ShownWebhook(**_fields(hook)) for hook in hooks.all()]

    @routes.post("/webhooks", status_code=201)
    def add(
        body: NewWebhook, request: Request, response: Response, who: Principal = admin
    ) -> MadeWebhook:
        """Tell an address from now on; its secret is shown once."""
        _check_address(body.url, office.settings.allow_private_webhooks)
        if len(hooks.all()) >= MOST_HOOKS:
            raise Problem(409, f"there are {MOST_HOOKS} webhooks: remove one first")
        if not office.store.seals.has_key:
            raise Problem(503, NO_KEY)
        secret = new_secret()
        hook = Webhook(
            id=secrets.token_hex(6),
            url=body.url,
            secret=secret,
            topics=tuple(dict.fromkeys(body.topics)),
            categories=tuple(dict.fromkeys(body.categories)),
            cooldown_s=body.cooldown_s,
            max_per_hour=body.max_per_hour,
            created_at=office.clock(),
        )
        hooks.add(hook)
        office.note(request, who.name, "webhook_added", hook.id, url=hook.url)
        response.headers["Cache-Control"] = "no-store"
        return MadeWebhook(secret=secret, **_fields(hook))

    @routes.delete("/webhooks/{hook_id}", status_code=204)
    def remove(hook_id: Name, request: Request, who: Principal = admin) -> Response:
        """Tell an address no more; what still waited for it is given up."""
        if not hooks.remove(hook_id):
            raise Problem(404, f"there is no webhook {hook_id!r}")
        outbox.abandon(f"webhook:{hook_id}", office.clock())
        office.note(request, who.name, "webhook_removed", hook_id)
        return Response(status_code=204)

    @routes.get("/outbox")
    def deliveries(
        state: Literal["waiting", "done", "dead"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        who: Principal = admin,
    ) -> ShownOutbox:
        """What became of the messages that left, or did not leave, the office."""
        counts = outbox.counts()
        unrouted = counts.pop("").get("waiting", 0)
        shown = [ShownDelivery(**row) for row in outbox.listed(state=state, limit=limit)]
        return ShownOutbox(unrouted=unrouted, sinks=counts, deliveries=shown)

    @routes.post("/outbox/{sink}/{message_id}/retry", status_code=204)
    def retry(sink: Name, message_id: Name, request: Request, who: Principal = admin) -> Response:
        """Try a dead letter again, with all its attempts."""
        try:
            outbox.revive(sink, message_id, office.clock())
        except CallError as error:
            raise Problem(404, str(error)) from error
        office.note(request, who.name, "delivery_retried", message_id, sink=sink)
        return Response(status_code=204)

    return routes


def _fields(hook: Webhook) -> dict[str, Any]:
    """What may be shown of a webhook."""
    names = ("id", "url", "topics", "categories", "cooldown_s", "max_per_hour", "created_at")
    return {name: getattr(hook, name) for name in names}


def _check_address(url: str, allow_private: bool) -> None:
    """422 for what is no address, or leads into our own network; a name may be unknown today."""
    try:
        address_of(url, allow_private=allow_private)
    except ConfigError as error:
        raise Problem(422, str(error)) from error
    except DeliveryError as error:
        if not error.is_down:
            raise Problem(422, f"url: {error}") from error
