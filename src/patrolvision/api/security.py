"""Who asks, and whether he may: the dependencies that every route names.

    router = APIRouter()

    @router.get("/tickets")
    def tickets(who: Annotated[Principal, Depends(reader(office))]) -> ...

    @router.post("/tickets/{id}/moves")
    def moved(who: Annotated[Principal, Depends(requires(office, "dispatcher"))]) -> ...

    @router.post("/observations")
    def observed(who: Annotated[Principal, Depends(requires_scope(office, "observations:write"))])

Reading needs a role; on this computer alone it is open while no account exists, so that a demo
opens at once. Writing always needs a session (with its CSRF token) or an API key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from fastapi import Request

from patrolvision.api.problems import Problem
from patrolvision.config import OfficeSettings
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import GridCodes

Role = Literal["viewer", "reviewer", "dispatcher", "crew", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "dispatcher", "crew", "admin")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", "testserver"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person with a session, a program with a key, or anybody at this computer.

    role is None for a key that has only scopes. No areas: everywhere.
    """

    name: str
    role: Role | None
    areas: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    kind: Literal["session", "key", "open"] = "open"
    key_id: str | None = None

    def may(self, *roles: str) -> bool:
        """Whether one of the roles is his; an admin has every role."""
        return self.role == "admin" or (self.role is not None and self.role in roles)

    def covers(self, grid: GridCodes) -> bool:
        """Whether a place with these codes lies in his areas, which are prefixes of codes."""
        codes = [code for code in (grid.unit_grid, grid.responsible_grid) if code]
        return not self.areas or any(c.startswith(area) for c in codes for area in self.areas)


@dataclass(frozen=True, slots=True)
class Office:
    """What every route works with. media holds the folder evidence/ and what was uploaded."""

    store: SqlStore
    settings: OfficeSettings
    media: Path
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def is_here(request: Request) -> bool:
    """Whether the request was made on this computer, by name and not through a proxy."""
    if any(name.startswith("x-forwarded-") or name == "forwarded" for name in request.headers):
        return False
    host = request.client.host if request.client is not None else ""
    if request.url.hostname not in LOOPBACK_NAMES:  # a page elsewhere that bent its name to here
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "testclient"


def reader(office: Office) -> Callable[[Request], Principal]:
    """A dependency: anybody with a role, a key that may read, or, where it is open, anybody here.

    403 for a computer that is not answered, 401 for one that has to say who it is.
    """

    def dependency(request: Request) -> Principal:
        if office.settings.open_reading is not False and is_here(request):
            return Principal("anybody here", "viewer")
        raise Problem(403, "reading is open to this computer alone")

    return dependency


def requires(office: Office, *roles: Role) -> Callable[[Request], Principal]:
    """A dependency: somebody with one of the roles (an admin has every role)."""

    def dependency(request: Request) -> Principal:
        raise Problem(401, "sign in, or send an API key", headers={"WWW-Authenticate": "Bearer"})

    return dependency


def requires_scope(office: Office, scope: str, *roles: Role) -> Callable[[Request], Principal]:
    """A dependency: a key with the scope, or somebody with one of the roles."""

    def dependency(request: Request) -> Principal:
        raise Problem(401, "sign in, or send an API key", headers={"WWW-Authenticate": "Bearer"})

    return dependency


def check_area(who: Principal, grid: GridCodes) -> None:
    """Raise 403 when the place lies outside the areas of the one who asks."""
    if not who.covers(grid):
        raise Problem(403, f"{who.name} works in {', '.join(who.areas)}, not in this place's grid")
