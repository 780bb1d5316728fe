"""Names -> sinks: who is told, and what each of them needs of the store.

Beside wiring.py, for what goes out: no other file knows which sinks exist.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from patrolvision.answers import listen
from patrolvision.config import NeighboursFile, Open311Entry
from patrolvision.desk import Rules
from patrolvision.errors import DeliveryError, StoreError
from patrolvision.ports import Sink
from patrolvision.relay.backoff import Backoff
from patrolvision.relay.cap import CapSender, Resource
from patrolvision.relay.cap_sink import CapSink
from patrolvision.relay.http import HttpLimits
from patrolvision.relay.loop import Relay, RelayRound
from patrolvision.relay.open311_push import Open311Sink, Pushed
from patrolvision.relay.replies import ReplySink, reply_message
from patrolvision.relay.requests import outcome
from patrolvision.relay.services import Service, load_services
from patrolvision.relay.webhook import WebhookSink
from patrolvision.store import citizens, pushes
from patrolvision.store.engine import reading, writing
from patrolvision.store.outbox import SqlOutbox
from patrolvision.store.outbox_retention import prune
from patrolvision.store.sql_store import SqlStore
from patrolvision.store.webhooks import SqlWebhooks, Webhook
from patrolvision.tickets.categories import load_catalogue
from patrolvision.tickets.causes import load_causes
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

Clock = Callable[[], datetime]
CITIZENS = "citizens"
TIDY_EVERY = timedelta(hours=1)
LEASE_FACTOR = 4.0  # a lease holds for so many of the longest requests


def now() -> datetime:
    """The instant, in UTC."""
    return datetime.now(UTC)


class Neighbours:
    """Everybody who is told by this process; made once, asked again and again."""

    def __init__(
        self,
        store: SqlStore,
        file: NeighboursFile,
        clock: Clock = now,
        services: Mapping[str, Service] | None = None,
        rules: Rules | None = None,
    ) -> None:
        """services: what citizens may report here; rules: the office's; None: as shipped."""
        named = load_services() if services is None else services
        self._store, self._file, self._clock = store, file, clock
        self._limits = HttpLimits(total_s=file.timeout_s, allow_private=file.allow_private)
        self._fixed: list[Sink] = [CitizenSink(store, named, file.retention_days, clock)]
        self._fixed += self._configured()
        self._tidied: datetime | None = None
        self._rules = rules or Rules(load_catalogue(), load_causes())
        self._relay = Relay(
            SqlOutbox(store.engine),
            clock,
            random.Random().random,
            Backoff(max_attempts=file.max_attempts),
            lease_s=LEASE_FACTOR * file.timeout_s,
        )

    def sinks(self) -> list[Sink]:
        """Those of the settings, and the webhooks there are now."""
        hooks = SqlWebhooks(self._store.engine, self._store.seals).all()
        return [*self._fixed, *(self._webhook(hook) for hook in hooks)]

    def round(self, stop: threading.Event | None = None) -> RelayRound:
        """Bring everything that is new and due; contacts whose time is over are forgotten."""
        with reading(self._store.engine) as connection:
            is_due = citizens.has_due_contacts(connection, self._clock())
        if is_due:
            with writing(self._store.engine) as connection:
                citizens.forget_contacts(connection, self._clock())
        self._tidy()
        done = self._relay.round(self.sinks(), stop)
        every = timedelta(seconds=self._file.ask_every_s)
        asked = [sink for sink in self._fixed if isinstance(sink, Open311Sink)]
        listen(self._store, asked, self._rules, self._clock(), every)
        return done

    def _tidy(self) -> None:
        """Let go of old messages, once an hour."""
        now = self._clock()
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            prune(self._store.engine, now - timedelta(days=self._file.outbox_days))

    def close(self) -> None:
        """Let go of open connections."""
        for sink in self._fixed:
            close = getattr(sink, "close", None)
            if close is not None:
                close()

    def _webhook(self, hook: Webhook) -> WebhookSink:
        return WebhookSink(
            hook.sink,
            hook.url,
            hook.secret,
            self._clock,
            frozenset(hook.topics),
            frozenset(hook.categories),
            NoticePolicy(hook.cooldown_s, hook.max_per_hour),
            self._limits,
        )

    def _configured(self) -> list[Sink]:
        file = self._file
        found: list[Sink] = [self._open311(entry) for entry in file.open311]
        if file.cap is not None:
            entry = file.cap
            sender = CapSender(entry.sender, entry.sender_name, entry.contact, entry.web)
            pictures = CapPictures(self._store, file.media or self._store.folder, entry.web)
            found.append(
                CapSink("cap", sender, entry.folder, entry.url, pictures, limits=self._limits)
            )
        if file.replies is not None:
            spool = file.replies
            contact = StoredContacts(self._store)
            found.append(ReplySink("replies", spool.folder, spool.from_address, contact))
        if file.mqtt is not None:
            from patrolvision.relay.mqtt import MqttSink

            found.append(MqttSink("mqtt", **file.mqtt.model_dump()))
        return found

    def _open311(self, entry: Open311Entry) -> Open311Sink:
        name = f"open311:{entry.name}"
        return Open311Sink(
            name=name,
            url=entry.url,
            api_key=entry.api_key,
            services=entry.services,
            memory=StoredPushes(self._store, name, self._clock),
            jurisdiction_id=entry.jurisdiction_id,
            state=entry.state,
            attributes=entry.attributes,
            updates=entry.updates,
            limits=self._limits,
        )


@dataclass(frozen=True, slots=True)
class CitizenSink:
    """ports.Sink of our own: a ticket that ends becomes a reply to each who reported it.

    The replies go into the outbox like everything else, under keys derived from report, ticket and
    place in its history; so it may run as often as it must.
    """

    store: SqlStore
    services: Mapping[str, Service]
    retention_days: float  # from when the replies were on their way, so that none comes too late
    clock: Clock = now
    name: str = CITIZENS
    policy: NoticePolicy = field(default_factory=NoticePolicy)

    def wants(self, message: OutboxMessage) -> bool:
        """Whether a ticket has just ended."""
        return message.topic == "ticket.moved" and message.payload.get("state") in (
            "closed",
            "rejected",
        )

    def deliver(self, delivery: Delivery) -> None:
        """Enqueue the replies, and set when the contacts are to be forgotten."""
        for message in delivery.messages:
            with self.store.transaction() as transaction:
                payload = dict(message.payload)
                ticket_id, into = str(payload["ticket_id"]), payload.get("merged_into")
                known = citizens.tickets_named(transaction.connection, [into] if into else [])
                if into in known:
                    citizens.hand_over(transaction.connection, ticket_id, known[into])
                    continue
                reports = citizens.reports_on(transaction.connection, [ticket_id])
                transaction.enqueue([self._reply(report, payload) for report in reports])
                forget_at = self.clock() + timedelta(days=self.retention_days)
                names = [report.id for report in reports]
                citizens.forget_after(transaction.connection, names, forget_at)

    def _reply(self, report: citizens.CitizenReport, payload: Mapping[str, Any]) -> OutboxMessage:
        service = self.services.get(report.service_code)
        name = report.service_code if service is None else service.name
        return reply_message(report.id, payload, outcome_of(payload), service_name=name)


def outcome_of(payload: Mapping[str, Any]) -> str:
    """How a ticket ended, in one sentence."""
    return outcome(payload["state"], payload.get("event", {}).get("data", {}).get("cause"))


@dataclass(frozen=True, slots=True)
class StoredContacts:
    """How to reach who sent a report, as the store knows it now."""

    store: SqlStore

    def __call__(self, report_id: str) -> dict[str, str] | None:
        """The contact; None if there is none any more. DeliveryError where its key is missing."""
        with reading(self.store.engine) as connection:
            try:
                return citizens.contact_of(connection, report_id, self.store.seals)
            except StoreError as error:
                raise DeliveryError(f"replies: {error}", is_down=True) from error


@dataclass(frozen=True, slots=True)
class StoredPushes:
    """relay.open311_push.PushMemory in the store."""

    store: SqlStore
    sink: str
    clock: Clock

    def known(self, ticket_id: str) -> Pushed | None:
        """What the other server answered."""
        with reading(self.store.engine) as connection:
            row = pushes.pushed(connection, self.sink, ticket_id)
        return None if row is None else Pushed(row["service_request_id"], row["token"])

    def keep(self, ticket_id: str, pushed: Pushed) -> None:
        """Remember it."""
        with writing(self.store.engine) as connection:
            pushes.note_pushed(
                connection,
                self.sink,
                ticket_id,
                self.clock(),
                service_request_id=pushed.service_request_id,
                token=pushed.token,
            )


@dataclass(frozen=True, slots=True)
class CapPictures:
    """A ticket's evidence as CAP resources; pictures that are gone are left out."""

    store: SqlStore
    media: Path
    web: str = ""

    def __call__(self, ticket_id: str) -> Sequence[Resource]:
        """The pictures of the ticket's incident, the best first."""
        with reading(self.store.engine) as connection:
            pictures = citizens.pictures_of(connection, ticket_id)
        return [r for picture in pictures if (r := self._resource(picture)) is not None]

    def _resource(self, picture: Mapping[str, Any]) -> Resource | None:
        path = self.media / str(picture["file"])
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return Resource(
            description=f"{picture.get('view', 'close')} picture, heads and plates hidden",
            mime_type="image/webp" if path.suffix == ".webp" else "image/jpeg",
            size=len(content),
            uri=f"{self.web.rstrip('/')}/api/v1/evidence/{path.name}",
            digest=hashlib.sha1(content).hexdigest(),
            sha256=str(picture["sha256"]),
        )
