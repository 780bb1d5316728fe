"""Who asks, and whether he may: the dependencies that every route names.

    router = APIRouter()

    anybody, device = Depends(reader(office)), Depends(requires_scope(office, "heartbeat"))
    dispatcher = Depends(requires(office, "dispatcher"))

    @router.get("/tickets")
    def tickets(who: Principal = anybody) -> ...

    @router.post("/tickets/{id}/moves")
    def moved(who: Principal = dispatcher) -> ...

Reading needs a role; on this computer alone it is open while no account exists, so that a demo
opens at once. Writing always needs a session (with its CSRF token) or an API key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from patrolvision.api import credentials
from patrolvision.api.kept import Kept
from patrolvision.api.problems import Problem
from patrolvision.config import OfficeSettings
from patrolvision.desk import Rules
from patrolvision.store.accounts import SqlAccounts
from patrolvision.store.audit import AuditLine, SqlAudit
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.roles import ROLES, Role, covers, has_role
from patrolvision.types import GridCodes, Image

__all__ = ["ROLES", "Office", "Principal", "Role", "check_area", "reader", "requires"]

COOKIE = "pv_session"
CSRF_HEADER = "X-CSRF-Token"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "testserver"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NOTED_EVERY = timedelta(minutes=1)  # so that reading does not become writing

_bearer = HTTPBearer(auto_error=False, description="an API key, pvk_…")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="of POST /api/v1/session")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
Cookie = Annotated[str | None, Security(_cookie)]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person with a session, a program with a key, or anybody at this computer.

    role is None for a key that has only scopes. No areas: everywhere.
    """

    name: str
    role: str | None
    areas: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    kind: Literal["session", "key", "open"] = "open"
    key_id: str | None = None
    crew: str | None = None
    device: str | None = None

    def may(self, *roles: str) -> bool:
        """Whether one of the roles is his; an admin has every role."""
        return has_role(self.role, roles)

    def covers(self, grid: GridCodes) -> bool:
        """Whether a place with these codes lies in his areas, which are prefixes of codes."""
        return covers(self.areas, grid)


@dataclass(frozen=True, slots=True)
class Office:
    """What every route works with. media holds the folder evidence/ and what was uploaded.

    rules are the city's tables. hide makes heads and plates of a picture unreadable; None: uploads
    of pictures are refused. kept makes answers, and keeps them while they hold.
    """

    store: SqlStore
    settings: OfficeSettings
    media: Path
    rules: Rules
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    hide: Callable[[Image], Image] | None = None
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        kept = Kept(self.store.engine, self.settings.kept_mib << 20)
        object.__setattr__(self, "kept", kept)

    @property
    def accounts(self) -> SqlAccounts:
        """Accounts, sessions and keys."""
        return SqlAccounts(self.store.engine)

    def note(self, request: Request, actor: str, action: str, subject: str, **data: object) -> None:
        """Append a line to the audit log."""
        line = AuditLine(self.clock(), actor, action, subject, address_of(request), data)
        SqlAudit(self.store.engine).add(line)


def address_of(request: Request) -> str:
    """The address that a request came from, as far as the server believes it."""
    return request.client.host if request.client is not None else ""


def is_here(request: Request) -> bool:
    """Whether the request was made on this computer, by name and not through a proxy."""
    if any(name.startswith("x-forwarded-") or name == "forwarded" for name in request.headers):
        return False
    named = request.headers.get("host")
    name = _hostname(named) if named else request.url.hostname
    if name not in LOOPBACK_NAMES:  # a page elsewhere that bent its name to here
        return False
    host = address_of(request)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "testclient"


@lru_cache(maxsize=64)
def _hostname(host: str) -> str | None:
    """The name of a header Host without its port; None for what is none."""
    try:
        return urlsplit(f"http://{host}/").hostname
    except ValueError:
        return None


def known(
    office: Office,
    request: Request,
    bearer: HTTPAuthorizationCredentials | None,
    cookie: str | None,
) -> Principal | None:
    """Who asks, if he says so; Problem for a key that does not work or a write without its token.

    An old cookie is as good as none.
    """
    if bearer is not None:
        return _of_key(office, bearer.credentials)
    if cookie is None:
        return None
    return _of_session(office, request, cookie)


def _of_key(office: Office, text: str) -> Principal:
    parts = credentials.split_key(text)
    found = None if parts is None else office.accounts.key(parts[0])
    if (
        parts is None
        or found is None
        or not credentials.is_same(credentials.sha256(parts[1]), found[1])
    ):
        raise unknown("the API key is not valid")
    key, now = found[0], office.clock()
    if key.used_at is None or now - key.used_at > NOTED_EVERY:
        office.accounts.touch_key(key.id, now)
    return Principal(
        f"key:{key.name}",
        key.role,
        key.areas,
        frozenset(key.scopes),
        "key",
        key_id=key.id,
        device=key.device,
    )


def _of_session(office: Office, request: Request, cookie: str) -> Principal | None:
    session_id, now = credentials.sha256(cookie), office.clock()
    session = office.accounts.session(session_id)
    idle = timedelta(hours=office.settings.idle_hours)
    if session is None or now >= session.expires_at or now - session.seen_at > idle:
        return None
    if request.method not in SAFE:
        sent = request.headers.get(CSRF_HEADER, "")
        if not credentials.is_same(sent, session.csrf):
            raise Problem(403, f"the header {CSRF_HEADER} must carry the session's csrf value")
    if now - session.seen_at > NOTED_EVERY:
        office.accounts.touch_session(session_id, now)
    who = session.account
    return Principal(who.name, who.role, who.areas, kind="session", crew=who.crew)


def unknown(detail: str = "sign in, or send an API key") -> Problem:
    """401 for somebody who has to say who he is."""
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def reader(office: Office) -> Callable[..., Awaitable[Principal]]:
    """A dependency: anybody with a role, a key that may read, or, where it is open, anybody here.

    403 for a computer that is not answered, 401 for one that has to say who it is. Who was known
    a moment ago is known still while nothing has changed in the store.
    """
    find = reads(office)

    async def dependency(request: Request, bearer: Bearer, cookie: Cookie) -> Principal:
        if bearer is None and cookie is None and office.settings.open_reading is not None:
            return find(request, None, None)  # needs no look into the store
        key = None if bearer is None else bearer.credentials
        named = (key, cookie, is_here(request), request.method in SAFE)
        return await office.kept.known(
            request, named, office.clock(), lambda: find(request, bearer, cookie)
        )

    return dependency


def reads(office: Office) -> Callable[..., Principal]:
    """The same, found out anew; it may take a look into the store."""

    def dependency(request: Request, bearer: Bearer, cookie: Cookie) -> Principal:
        who = known(office, request, bearer, cookie)
        if who is not None:
            if who.role is None and "read" not in who.scopes:
                raise Problem(403, f"{who.name} may not read")
            return who
        is_open = office.settings.open_reading
        if is_open is False or (is_open is None and not office.accounts.is_empty()):
            raise unknown()
        if not is_here(request):
            raise Problem(403, "reading is open to this computer alone: sign in, or send a key")
        return Principal("anybody here", "viewer")

    return dependency


def requires(office: Office, *roles: Role, everywhere: bool = False) -> Callable[..., Principal]:
    """A dependency: somebody with one of the roles (an admin has every role).

    everywhere: not somebody who is limited to areas, because what is done concerns the whole city.
    """
    has_one = requires_scope(office, "", *roles)
    if not everywhere:
        return has_one
    one = Depends(has_one)

    def dependency(who: Principal = one) -> Principal:
        if who.areas:
            raise Problem(403, f"{who.name} works in {', '.join(who.areas)} only, this is citywide")
        return who

    return dependency


def requires_scope(
    office: Office, scope: str, *roles: Role, or_scope: str = ""
) -> Callable[..., Principal]:
    """A dependency: a key with the scope (or the other one), or somebody with one of the roles."""

    def dependency(request: Request, bearer: Bearer, cookie: Cookie) -> Principal:
        who = known(office, request, bearer, cookie)
        if who is None:
            raise unknown()
        if who.may(*roles) or who.scopes & {scope, or_scope}:
            return who
        wanted = " or ".join([*roles, *([f"a key with {scope}"] if scope else [])])
        raise Problem(403, f"{who.name} may not do this: it is for {wanted}")

    return dependency


def sender(office: Office, scope: str) -> Callable[..., Awaitable[Principal]]:
    """The same as requires_scope for what devices send many times a second.

    A key is looked up once a second: one that is revoked at another worker sends no longer than
    that; where it is revoked, it ends at once.
    """
    find = requires_scope(office, scope)

    async def dependency(request: Request, bearer: Bearer, cookie: Cookie) -> Principal:
        def found() -> Principal:
            return find(request, bearer, cookie)

        if bearer is None:
            return await office.kept.make(found)
        return await office.kept.trusted((scope, bearer.credentials), office.clock(), found)

    return dependency


def check_area(who: Principal, grid: GridCodes) -> None:
    """Raise 403 when the place lies outside the areas of the one who asks."""
    if not who.covers(grid):
        raise Problem(403, f"{who.name} works in {', '.join(who.areas)}, not in this place's grid")
