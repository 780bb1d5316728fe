"""Accounts and API keys: an admin adds, changes and ends them.

Everybody may change his own password.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from patrolvision.api import credentials, queries
from patrolvision.api.problems import Problem
from patrolvision.api.routes.sessions import Name, Password
from patrolvision.api.security import Office, Principal, requires
from patrolvision.errors import CallError
from patrolvision.store.accounts import Account, ApiKey
from patrolvision.store.audit import SqlAudit
from patrolvision.tickets.roles import Role

# What a key may do without a role. A reviewer's word is a person's: no key has that role.
SCOPES = (
    "read", "observations:write", "coverage:write", "heartbeat", "telemetry", "position",
    "open311:write",
)  # fmt: skip
Scope = Literal[
    "read", "observations:write", "coverage:write", "heartbeat", "telemetry", "position",
    "open311:write",
]  # fmt: skip
KeyRole = Literal["viewer", "dispatcher", "crew"]
Area = Annotated[
    str, Field(min_length=1, max_length=64, pattern=queries.NO_CONTROL, examples=["440605"])
]
Areas = Annotated[list[Area], Field(max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=queries.NO_CONTROL)]


class NewAccount(BaseModel):
    """A person who is to work here; areas are prefixes of grid codes, none: everywhere."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    password: Password
    role: Role
    areas: Areas = []
    crew: Text | None = None


class AccountChange(BaseModel):
    """What is to change of an account; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    areas: Areas | None = None
    crew: Text | None = None
    password: Password | None = None
    disabled: bool | None = None


class ShownAccount(BaseModel):
    """An account, without its password."""

    name: str
    role: str
    areas: list[str]
    crew: str | None
    created_at: datetime
    disabled_at: datetime | None


class NewKey(BaseModel):
    """A program or device that is to have a key: scopes, or a role, or both."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    scopes: Annotated[list[Scope], Field(max_length=len(SCOPES))] = []
    role: KeyRole | None = None
    areas: Areas = []
    device: Text | None = None


class ShownKey(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    role: str | None
    scopes: list[str]
    areas: list[str]
    device: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    used_at: datetime | None


class MadeKey(ShownKey):
    """A new key; `key` is shown this once."""

    key: str


class AuditEntry(BaseModel):
    """A line of the audit log."""

    position: int
    at: datetime
    actor: str
    action: str
    subject: str
    address: str
    data: dict[str, Any]


def router(office: Office) -> APIRouter:
    """GET|POST /accounts, PATCH /accounts/{name}, GET|POST /keys, DELETE /keys/{id}, GET /audit."""
    router = APIRouter(prefix="/api/v1", tags=["accounts"])
    admin = Depends(requires(office, "admin", everywhere=True))
    anybody = Depends(requires(office, "viewer", "reviewer", "dispatcher", "crew"))

    @router.get("/accounts")
    def accounts(who: Principal = admin) -> list[ShownAccount]:
        """All accounts by name."""
        return [_shown(account) for account in office.accounts.all()]

    @router.post("/accounts", status_code=201)
    def add(body: NewAccount, request: Request, who: Principal = admin) -> ShownAccount:
        """Add an account."""
        name = credentials.account_name(body.name)
        credentials.check_password(body.password, name)
        account = Account(name, body.role, tuple(body.areas), body.crew, office.clock())
        try:
            office.accounts.add(account, credentials.password_hash(body.password))
        except CallError as error:
            raise Problem(409, str(error)) from error
        office.note(request, who.name, "account_added", name, role=body.role)
        return _shown(account)

    @router.patch("/accounts/{name}")
    def change(
        name: Annotated[str, Path(max_length=200)],
        body: AccountChange,
        request: Request,
        who: Principal = anybody,
    ) -> ShownAccount:
        """Change an account and end its sessions; one's own password everybody may change."""
        wanted = credentials.account_name(name)
        given = body.model_dump(exclude_unset=True)
        is_own_password = (
            who.kind == "session" and wanted == who.name and set(given) == {"password"}
        )
        is_admin_of_all = who.role == "admin" and not who.areas
        if not (is_admin_of_all or is_own_password):
            raise Problem(403, f"{who.name} may change his own password only")
        if wanted == who.name and (body.disabled or body.role not in (None, "admin")):
            raise Problem(409, "an admin does not take his own role or account away")
        changed = office.accounts.change(wanted, _values(office, wanted, given))
        if changed is None:
            raise Problem(404, f"there is no account {wanted!r}")
        office.note(request, who.name, "account_changed", wanted, fields=sorted(given))
        return _shown(changed)

    @router.get("/keys")
    def keys(who: Principal = admin) -> list[ShownKey]:
        """All keys, the revoked ones too."""
        return [ShownKey(**_fields(key)) for key in office.accounts.all_keys()]

    @router.post("/keys", status_code=201)
    def add_key(
        body: NewKey, request: Request, response: Response, who: Principal = admin
    ) -> MadeKey:
        """Make a key; it is shown once and can be read nowhere afterwards."""
        key, whole = made_key(
            office, body.name, body.role, body.scopes, body.areas, body.device, who.name
        )
        office.note(request, who.name, "key_added", key.id, name=body.name)
        response.headers["Cache-Control"] = "no-store"
        return MadeKey(key=whole, **_fields(key))

    @router.delete("/keys/{key_id}", status_code=204)
    def revoke(
        key_id: Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$")],
        request: Request,
        who: Principal = admin,
    ) -> Response:
        """End a key."""
        if not office.accounts.revoke_key(key_id, office.clock()):
            raise Problem(404, f"there is no key {key_id!r} that works")
        office.kept.forget_people()
        office.note(request, who.name, "key_revoked", key_id)
        return Response(status_code=204)

    @router.get("/audit")
    def audit(
        subject: queries.Word | None = None,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        who: Principal = admin,
    ) -> list[AuditEntry]:
        """Who did what and who looked at which picture, newest first."""
        lines = SqlAudit(office.store.engine).lines(subject=subject, before=before, limit=limit)
        return [
            AuditEntry(
                position=position,
                at=line.at,
                actor=line.actor,
                action=line.action,
                subject=line.subject,
                address=line.address,
                data=dict(line.data),
            )
            for position, line in lines
        ]

    return router


def made_key(
    office: Office,
    name: str,
    role: str | None,
    scopes: list[Any],
    areas: list[str],
    device: str | None,
    by: str,
) -> tuple[ApiKey, str]:
    """A stored new key and, this once, the whole of it; CallError if it could do nothing."""
    if role is None and not scopes:
        raise CallError("scopes: a key needs a scope or a role")
    key_id, whole, secret = credentials.new_key()
    chosen = tuple(sorted(set(scopes)))
    key = ApiKey(key_id, name, role, chosen, tuple(areas), device, office.clock(), by)
    office.accounts.add_key(key, secret)
    return key, whole


def _values(office: Office, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Columns of the table accounts."""
    values = {k: v for k, v in given.items() if k in ("role", "areas") and v is not None}
    if "crew" in given:
        values["crew"] = given["crew"]
    if given.get("disabled") is not None:
        values["disabled_at"] = office.clock() if given["disabled"] else None
    if given.get("password") is not None:
        credentials.check_password(given["password"], name)
        values["password"] = credentials.password_hash(given["password"])
    return values


def _shown(account: Account) -> ShownAccount:
    fields = {name: getattr(account, name) for name in Account.__slots__}
    return ShownAccount(**{**fields, "areas": list(account.areas)})


def _fields(key: ApiKey) -> dict[str, Any]:
    fields = {name: getattr(key, name) for name in ApiKey.__slots__}
    return {**fields, "scopes": list(key.scopes), "areas": list(key.areas)}
