"""Signing in and out, and setting the office up."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from patrolvision.api import credentials
from patrolvision.api.problems import Problem
from patrolvision.api.security import (
    COOKIE,
    Bearer,
    Cookie,
    Office,
    address_of,
    known,
    unknown,
)
from patrolvision.errors import CallError
from patrolvision.store.accounts import Account

WINDOW = timedelta(minutes=15)
# Wrong passwords in a window. Of one name from one address: a person who has forgotten. Of one
# address or of one name from many: a search, slowed down while others can still sign in.
MOST_OF_PAIR, MOST_OF_ADDRESS, MOST_OF_NAME = 5, 30, 50
WRONG = "the name or the password is wrong"

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["wang.li"])]
Password = Annotated[str, Field(min_length=1, max_length=credentials.MAX_PASSWORD)]


class SignIn(BaseModel):
    """A name and its password."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    password: Password


class SetUp(SignIn):
    """The one-time token of the set-up link, and the first admin's name and password."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class SignedIn(BaseModel):
    """Who is signed in; csrf goes into the header X-CSRF-Token of every write."""

    name: str
    role: str
    areas: list[str]
    crew: str | None = None
    csrf: str


class Made(BaseModel):
    """The account that was made."""

    name: str
    role: str


def router(office: Office) -> APIRouter:
    """POST, GET and DELETE /session, POST /setup."""
    router = APIRouter(prefix="/api/v1", tags=["accounts"])

    @router.post("/session")
    def sign_in(body: SignIn, request: Request, response: Response) -> SignedIn:
        """Open a session; any earlier one of this browser ends."""
        name, subjects = _counted(office, request, body.name)
        stored = office.accounts.password(name)
        if not credentials.is_password(body.password, stored):
            office.note(request, name, "sign_in_refused", name)
            raise unknown(WRONG)
        office.accounts.forgive(subjects[0], subjects[1:])
        account = office.accounts.find(name)
        if account is None:
            raise unknown(WRONG)
        office.note(request, name, "signed_in", name)
        return _opened(office, account, request, response)

    @router.get("/session")
    def session(request: Request, cookie: Cookie) -> SignedIn:
        """Who is signed in; 401 if nobody is."""
        who = known(office, request, None, cookie)
        opened = None if cookie is None else office.accounts.session(credentials.sha256(cookie))
        if who is None or opened is None:
            raise unknown("nobody is signed in")
        return _signed_in(opened.account, opened.csrf)

    @router.delete("/session", status_code=204)
    def sign_out(request: Request, cookie: Cookie, bearer: Bearer) -> Response:
        """End the session."""
        who = known(office, request, bearer, cookie)
        if who is None or cookie is None:
            raise unknown("nobody is signed in")
        office.accounts.close_session(credentials.sha256(cookie))
        office.note(request, who.name, "signed_out", who.name)
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    @router.post("/setup", status_code=201)
    def set_up(body: SetUp, request: Request) -> Made:
        """Make the first admin with the token of the link that the server printed."""
        _counted(office, request, "setup")
        expected = office.accounts.setup_sha256()
        if expected is None or not credentials.is_same(credentials.sha256(body.token), expected):
            raise Problem(403, "token: it is not the one of the set-up link, or it was used")
        name = credentials.account_name(body.name)
        credentials.check_password(body.password, name)
        account = Account(name, "admin", (), None, office.clock())
        try:
            office.accounts.add(account, credentials.password_hash(body.password), first=True)
        except CallError as error:
            raise Problem(409, str(error)) from error
        office.note(request, name, "office_set_up", name)
        return Made(name=name, role="admin")

    return router


def _counted(office: Office, request: Request, text: str) -> tuple[str, list[str]]:
    """The name asked for and what its attempt counts for; 429 when there were too many."""
    try:
        name = credentials.account_name(text)
    except CallError as error:
        raise unknown(WRONG) from error
    address = address_of(request)
    subjects = [f"pair:{address}:{name}", f"address:{address}", f"name:{name}"]
    counts = office.accounts.attempt(subjects, office.clock(), WINDOW)
    most = (MOST_OF_PAIR, MOST_OF_ADDRESS, MOST_OF_NAME)
    if any(counts[s] > limit for s, limit in zip(subjects, most, strict=True)):
        after = {"Retry-After": str(int(WINDOW.total_seconds()))}
        raise Problem(429, "too many attempts: wait a quarter of an hour", headers=after)
    return name, subjects


def _opened(office: Office, account: Account, request: Request, response: Response) -> SignedIn:
    earlier = request.cookies.get(COOKIE)
    if earlier is not None:
        office.accounts.close_session(credentials.sha256(earlier))
    token, csrf, now = credentials.new_token(), credentials.new_token(), office.clock()
    life = timedelta(hours=office.settings.session_hours)
    office.accounts.open_session(credentials.sha256(token), account.name, csrf, now, now + life)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(life.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return _signed_in(account, csrf)


def _signed_in(account: Account, csrf: str) -> SignedIn:
    return SignedIn(
        name=account.name,
        role=account.role,
        areas=list(account.areas),
        crew=account.crew,
        csrf=csrf,
    )
