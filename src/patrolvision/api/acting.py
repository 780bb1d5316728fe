"""From a call to an act and back: headers, idempotency, and what a refused move is answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header, Request

from patrolvision.api.problems import Problem
from patrolvision.api.security import Office, Principal
from patrolvision.store.office_transaction import OfficeTransaction
from patrolvision.store.schema import canonical_json
from patrolvision.tickets.workflow import Act, MoveError

AHEAD = timedelta(minutes=5)  # a caller's clock may be that much ahead of ours
BEHIND = timedelta(days=365)
STATUS = {"state": 409, "gate": 409, "role": 403, "input": 422}
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=40, description='the version acted upon, as "3"'),
]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=200, description="the same for a repeated call"),
]


class Replay(Exception):  # noqa: N818 - not an error: the call was answered before
    """A call that was answered before under the same Idempotency-Key."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body


def act_of(office: Office, who: Principal, action: str, **given: Any) -> Act:
    """What the caller wants to do, now."""
    return Act(
        action,
        who.name,
        office.clock(),
        who.role or "none",
        crew=who.crew,
        areas=who.areas,
        **given,
    )


def version_of(if_match: str | None) -> int | None:
    """The version of an If-Match header; None for none or *."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'\s*(?:W/)?"(\d{1,9})"\s*', if_match)
    if found is None:
        raise Problem(400, 'If-Match must be a version as "3"')
    return int(found[1])


def check_time(at: datetime, now: datetime) -> None:
    """Raise 422 for an instant of which nobody can tell now: of the future, or long past."""
    if not now - BEHIND <= at <= now + AHEAD:
        raise Problem(422, f"at: {at.isoformat()} is not of the past year")


@contextmanager
def refusals() -> Iterator[None]:
    """Answer a move that is refused with the status of its reason."""
    try:
        yield
    except MoveError as error:
        raise Problem(STATUS[error.reason], str(error), reason=error.reason) from error


class Once:
    """A write call that is done once, however often it is sent with the same Idempotency-Key."""

    def __init__(
        self, office: Office, who: Principal, request: Request, key: str | None, body: Any
    ) -> None:
        self._office = office
        self._key = key
        self._asked = hashlib.sha256(canonical_json(body).encode()).hexdigest()
        sender = who.key_id or who.name  # two keys may bear one name
        name = "\n".join([sender, request.method, request.url.path, key or ""])
        self._id = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()

    def look(self, transaction: OfficeTransaction) -> None:
        """Raise Replay if the call was answered before; Problem if another call had the key."""
        known = None if self._key is None else transaction.reply(self._id)
        if known is None:
            return
        if known["asked"] != self._asked:
            raise Problem(422, "Idempotency-Key: another call was made with this key")
        raise Replay(known["body"])

    def keep(self, transaction: OfficeTransaction, body: Mapping[str, Any], status: int) -> None:
        """Remember the answer together with what was done."""
        if self._key is not None:
            at = self._office.clock()
            row = {"id": self._id, "asked": self._asked, "status": status, "at": at}
            transaction.keep_reply({**row, "body": dict(body)})
