"""Tickets to another city's or contractor's Open311 server (GeoReport v2, as a client).

GeoReport v2 makes requests and reads them; it has no call that changes one. What the other server
says later is read by `answer`. That a ticket has ended here, or was opened again, is told only
where the server takes service request updates, an extension that FixMyStreet's servers speak.

The standard has no idempotency key. So what was answered is remembered; before a second try the
server is asked whether the first one arrived after all, by the mark that every description ends
with; and servers that know the header (ours does) get an Idempotency-Key as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from patrolvision.errors import DeliveryError
from patrolvision.relay.http import Answer, HttpLimits, send
from patrolvision.types import Delivery, NoticePolicy, OutboxMessage

DOWN = (429, 502, 503, 504)
ENDING = ("close", "reject", "merge")
TOLD = (*ENDING, "reopen")
MAX_NOTES = 1000  # characters of another server's notes that are kept
FINAL = (400, 404, 405, 410, 415, 422)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the other server answered: a number, or a token that becomes one."""

    service_request_id: str | None
    token: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """How a request stands at the other server; status is open or closed."""

    service_request_id: str
    status: str
    notes: str
    updated: str | None

    @property
    def is_news(self) -> bool:
        """Whether it says more than that the request is there."""
        return self.status == "closed" or bool(self.notes)


class PushMemory(Protocol):
    """What is remembered of tickets that were sent to one server."""

    def known(self, ticket_id: str) -> Pushed | None:
        """What the server answered when it was sent the ticket."""

    def keep(self, ticket_id: str, pushed: Pushed) -> None:
        """Remember what the server answered."""


@dataclass(frozen=True, slots=True)
class Open311Sink:
    """ports.Sink: sends each ticket of its categories once, when it reaches a state.

    services: our category -> the other server's service_code. attributes: service_code -> fields
    that it requires, sent as they stand.
    """

    name: str
    url: str  # of the endpoint, such as https://city.example/open311/v2
    api_key: str
    services: Mapping[str, str]
    memory: PushMemory
    jurisdiction_id: str | None = None
    state: str = "filed"
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    updates: bool = False  # the server takes service request updates
    policy: NoticePolicy = field(default_factory=NoticePolicy)
    limits: HttpLimits = field(default_factory=HttpLimits)

    def wants(self, message: OutboxMessage) -> bool:
        """Whether a ticket of its categories has just reached the state, or ended where told."""
        payload = message.payload
        if message.topic not in ("ticket.raised", "ticket.moved"):
            return False
        event = payload.get("event", {})
        reached = event.get("state", payload.get("state")) == self.state
        told = self.updates and event.get("action") in TOLD
        return (reached or told) and payload.get("category") in self.services

    def deliver(self, delivery: Delivery) -> None:
        """Send those that it was not sent yet, and how they ended; DeliveryError if not taken."""
        for message in delivery.messages:
            ticket_id = str(message.payload["ticket_id"])
            if self.memory.known(ticket_id) is not None:
                if self.updates and message.payload["event"].get("action") in TOLD:
                    self._tell(ticket_id, message)
            elif message.payload["event"].get("action") not in ENDING:
                found = self._search(message.payload) if delivery.attempts > 1 else None
                self.memory.keep(ticket_id, found or self._post(message.payload))

    def number(self, ticket_id: str) -> str | None:
        """The other server's number of the ticket; a token is asked for once more."""
        known = self.memory.known(ticket_id)
        if known is None or known.service_request_id is not None or known.token is None:
            return None if known is None else known.service_request_id
        answer = self._get(f"tokens/{quote(known.token, safe='')}.xml", {})
        if answer.status == 404:
            return None
        found = _number_or_token(self._parsed(answer)).service_request_id
        if found is not None:
            self.memory.keep(ticket_id, Pushed(found, known.token))
        return found

    def answer(self, ticket_id: str) -> Answered | None:
        """How the ticket's request stands there; None while it has no number or is not shown."""
        number = self.number(ticket_id)
        if number is None:
            return None
        answer = self._get(f"requests/{quote(number, safe='')}.xml", {})
        if answer.status == 404:
            return None
        root = self._parsed(answer)
        request = root if root.tag == "request" else root.find(".//request")
        status = "" if request is None else (request.findtext("status") or "").strip().lower()
        if request is None or status not in ("open", "closed"):
            return None
        notes = (request.findtext("status_notes") or "").strip()[:MAX_NOTES]
        return Answered(number, status, notes, request.findtext("updated_datetime") or None)

    def _tell(self, ticket_id: str, message: OutboxMessage) -> None:
        number = self.number(ticket_id)
        if number is None:
            raise DeliveryError(f"{self.name}: {ticket_id} has no number there yet")
        event = message.payload["event"]
        fields = [
            ("api_key", self.api_key),
            *([("jurisdiction_id", self.jurisdiction_id)] if self.jurisdiction_id else []),
            ("service_request_id", number),
            ("update_id", message.id),
            ("updated_datetime", str(event["at"])),
            ("status", "CLOSED" if event["action"] in ENDING else "OPEN"),
            ("description", update_of(message.payload)),
        ]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Idempotency-Key": message.id,
        }
        form, path = urlencode(fields).encode(), f"{self._base}/servicerequestupdates.xml"
        self._parsed(send("POST", path, body=form, headers=headers, limits=self.limits))

    def _post(self, payload: Mapping[str, Any]) -> Pushed:
        form = urlencode(self.form_of(payload)).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Idempotency-Key": str(payload["ticket_id"]),
        }
        answer = send(
            "POST", f"{self._base}/requests.xml", body=form, headers=headers, limits=self.limits
        )
        return _number_or_token(self._parsed(answer))

    def form_of(self, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The fields of the request that stands for a ticket."""
        code = self.services[str(payload["category"])]
        form = [("api_key", self.api_key)]
        if self.jurisdiction_id is not None:
            form.append(("jurisdiction_id", self.jurisdiction_id))
        form += [
            ("service_code", code),
            ("lat", f"{payload['lat_deg']:.7f}"),
            ("long", f"{payload['lon_deg']:.7f}"),
            ("description", description_of(payload)),
        ]
        more = self.attributes.get(code, {})
        return form + [(f"attribute[{name}]", value) for name, value in more.items()]

    def _search(self, payload: Mapping[str, Any]) -> Pushed | None:
        """What an earlier try made, if the server lists it."""
        since = datetime.fromisoformat(str(payload["event"]["at"])) - timedelta(days=1)
        query = {
            "service_code": self.services[str(payload["category"])],
            "start_date": since.isoformat(timespec="seconds"),
        }
        answer = self._get("requests.xml", query)
        if answer.status != 200:
            return None  # a server that shows no lists: the mark will tell the copies apart
        for request in self._parsed(answer).iter("request"):
            number = request.findtext("service_request_id")
            if number and mark_of(payload) in (request.findtext("description") or ""):
                return Pushed(number, None)
        return None

    def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        asked = {**query, "api_key": self.api_key}
        if self.jurisdiction_id is not None:
            asked["jurisdiction_id"] = self.jurisdiction_id
        return send("GET", f"{self._base}/{path}?{urlencode(asked)}", limits=self.limits)

    def _parsed(self, answer: Answer) -> ET.Element:
        text = answer.body[:200].decode("utf-8", "replace")
        if not 200 <= answer.status < 300:
            raise DeliveryError(
                f"{self.name}: answered {answer.status} {text}",
                is_down=answer.status in DOWN,
                is_final=answer.status in FINAL,
            )
        try:
            if b"<!DOCTYPE" in answer.body or b"<!ENTITY" in answer.body:
                raise ValueError("a document type is not taken")
            return ET.fromstring(answer.body)
        except (ET.ParseError, ValueError) as error:
            raise DeliveryError(f"{self.name}: answered no XML ({error})") from error

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")


def mark_of(payload: Mapping[str, Any]) -> str:
    """What tells a ticket's request from all others, in its description."""
    return f"[{payload['ticket_id']}]"


def description_of(payload: Mapping[str, Any]) -> str:
    """One sentence for whoever gets the request, and the mark."""
    name = str(payload["category"]).replace("_", " ")
    number = f" {payload['number']}" if payload.get("number") else ""
    precision = f"place known to {payload['sigma_m']:.0f} m"
    return (
        f"Ticket{number}: {name}, priority {payload['priority']}, {precision}. {mark_of(payload)}"
    )


def update_of(payload: Mapping[str, Any]) -> str:
    """One sentence on how a ticket ended, or that it is open again, and the mark."""
    event = payload["event"]
    said = {
        "close": "Solved and verified",
        "reject": "Closed without action",
        "merge": "Goes on as another ticket",
        "reopen": "Open again",
    }[str(event["action"])]
    cause = str(event.get("data", {}).get("cause") or "").replace("_", " ")
    return f"{said}{f': {cause}' if cause else ''}. {mark_of(payload)}"


def _number_or_token(root: ET.Element) -> Pushed:
    request = root if root.tag == "request" else root.find(".//request")
    number = None if request is None else (request.findtext("service_request_id") or "").strip()
    token = None if request is None else (request.findtext("token") or "").strip()
    if not number and not token:
        raise DeliveryError("the answer holds neither service_request_id nor token")
    return Pushed(number or None, token or None)
