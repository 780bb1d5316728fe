"""What stands before every route: how much one address may ask, how large a body may be, who may
send a browser here, and the headers that every answer carries.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from email.message import Message as Mail
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patrolvision.api import problems
from patrolvision.api.problems import Problem
from patrolvision.config import OfficeSettings

MAX_ADDRESSES = 10_000  # remembered at a time; the one that was silent longest is forgotten
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Bucket:
    """A bucket of requests for each address: full at first, filled steadily, never above full."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._full, self._per_s, self._clock = float(per_minute), per_minute / 60.0, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """0 if the address may ask now, else how long it has to wait."""
        now = self._clock()
        left, at = self._left.pop(address, (self._full, now))
        left = min(self._full, left + (now - at) * self._per_s)
        allowed = left >= 1.0
        self._left[address] = (left - 1.0 if allowed else left, now)
        while len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_s


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: OfficeSettings) -> None:
        self._app, self._settings = app, settings
        per_minute = settings.requests_per_minute
        self._bucket = Bucket(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            answer = problems.answer(refusal.status_code, refusal.detail, refusal.headers)
            await answer(scope, receive, guarded)
            return
        await self._app(scope, _limited(receive, self._most(scope)), guarded)

    def _most(self, scope: Scope) -> int:
        is_upload = Headers(scope=scope).get("content-type", "").startswith("multipart/")
        settings = self._settings
        return settings.upload_max_bytes + 65_536 if is_upload else settings.body_max_bytes

    def _refusal(self, scope: Scope) -> Problem | None:
        client = scope.get("client")
        wait_s = self._bucket.wait_s(client[0] if client else "") if self._bucket else 0.0
        if wait_s > 0.0:
            after = {"Retry-After": str(int(wait_s) + 1)}
            return Problem(429, "too many requests from this address", headers=after)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return Problem(400, "Content-Length must be a number")
        if int(length) > self._most(scope):
            return Problem(413, f"the body may hold {self._most(scope)} bytes")
        if scope["method"] not in SAFE and _is_from_elsewhere(headers):
            return Problem(403, "a page of another site may not write here")
        if _names_odd_charset(headers.get("content-type", "")):
            return Problem(415, "Content-Type: the texts of a form must be utf-8")
        return None


def _is_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another origin, with whatever cookies it has."""
    if "authorization" in headers:
        return False  # no browser adds a key by itself
    if headers.get("sec-fetch-site") == "cross-site":
        return "cookie" in headers
    origin = headers.get("origin")
    if origin is None or "cookie" not in headers:
        return False
    try:
        return urlsplit(origin).netloc != headers.get("host")
    except ValueError:  # no address at all, so not ours
        return True


def _names_odd_charset(content_type: str) -> bool:
    """Whether a form's texts are in another character set than RFC 7578 (section 5.1.2) expects.

    The parser would decode them by whatever codec of Python bears the name: unicode_escape makes
    texts that nothing can store, others fail.
    """
    if not content_type.lower().startswith("multipart/"):
        return False
    message = Mail()
    message["content-type"] = content_type
    charset = message.get_param("charset", "utf-8")
    return not isinstance(charset, str) or charset.lower() not in ("utf-8", "utf8", "us-ascii")


def _limited(receive: Receive, most: int) -> Receive:
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise Problem(413, f"the body may hold {most} bytes")
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", ())
            named = {name for name, _ in given}
            message["headers"] = [*given, *(one for one in HEADERS if one[0] not in named)]
        await send(message)

    return sent
