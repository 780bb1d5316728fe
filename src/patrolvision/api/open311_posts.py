"""Reading what a citizens' app posts: a urlencoded form, or one with a picture beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from patrolvision.api.open311_forms import GeoReportError, Pairs
from patrolvision.api.security import Office
from patrolvision.evidence.pictures import keep_picture
from patrolvision.evidence.uploads import UploadError, check_name, picture_of

MAX_FIELDS = 200
MAX_FORM_BYTES = 200_000
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
STATUS = {"type": 415, "size": 413, "content": 400}


@dataclass(frozen=True, slots=True)
class Post:
    """The fields in their order, and the picture `media`, if one was sent."""

    pairs: Pairs
    media: bytes | None = None
    media_name: str = ""


async def post_of(request: Request, upload_max_bytes: int) -> Post:
    """What was posted; GeoReportError for what is no form, or too much."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return await _multipart(request, upload_max_bytes)
    if kind != URLENCODED:
        raise GeoReportError(
            400, f"Content-Type: expected {URLENCODED} or {MULTIPART}, found {kind or 'none'}"
        )
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise GeoReportError(413, f"the form is longer than {MAX_FORM_BYTES} bytes")
    try:
        text = body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise GeoReportError(400, f"the form cannot be read: {error}") from error
    return Post(_clean(pairs))


async def _multipart(request: Request, upload_max_bytes: int) -> Post:
    try:
        async with request.form(
            max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FORM_BYTES
        ) as form:
            items = form.multi_items()
            pairs = [(name, value) for name, value in items if isinstance(value, str)]
            files = [(name, value) for name, value in items if isinstance(value, UploadFile)]
            if any(name != "media" for name, _ in files):
                raise GeoReportError(400, "a file must be the field media")
            if not files:
                return Post(_clean(pairs))
            file = files[0][1]
            content = await file.read(upload_max_bytes + 1)
            if len(content) > upload_max_bytes:
                raise GeoReportError(413, f"media: a picture may hold {upload_max_bytes} bytes")
            return Post(_clean(pairs), content, file.filename or "picture")
    except HTTPException as error:
        raise GeoReportError(400, f"the form cannot be read: {error.detail}") from error


def _clean(pairs: Pairs) -> Pairs:
    # PostgreSQL takes no NUL in a text, and nobody means one.
    return [(name, value.replace("\x00", "")) for name, value in pairs]


def kept_media(office: Office, post: Post, at: datetime) -> tuple[dict[str, Any], ...]:
    """The picture, private and on disk, as incidents name theirs; none if none was sent."""
    if post.media is None:
        return ()
    if office.hide is None:
        raise GeoReportError(
            400, "media: pictures are not taken here: no model is there to hide faces and plates"
        )
    try:
        check_name(post.media_name)
        kept = keep_picture(office.hide(picture_of(post.media)), office.media / "evidence")
    except UploadError as error:
        said = str(error).removeprefix("file: ")
        raise GeoReportError(STATUS[error.reason], f"media: {said}") from error
    return (
        {
            "view": "close",
            "file": kept.path.relative_to(office.media).as_posix(),
            "sha256": kept.sha256,
            "width": kept.width,
            "height": kept.height,
            "captured_at": at.isoformat(),
        },
    )
