"""One item or a batch, as devices post them: read by orjson, answered with what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from patrolvision.api import problems
from patrolvision.api.intake import MOST, Post
from patrolvision.api.problems import Problem


async def items(request: Request) -> list[Any]:
    """A dependency: the objects of the body, one or an array of at most MOST."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise Problem(415, f"expected application/json, found {kind}")
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Problem(422, f"the body is no JSON: {error}") from error
    found = content if isinstance(content, list) else [content]
    if not 1 <= len(found) <= MOST:
        raise Problem(422, f"expected 1 to {MOST} items, found {len(found)}")
    return found


def answered(post: Post, failed: Sequence[dict[str, Any]]) -> Response:
    """What became of a post; 422 where nothing of it could be true."""
    if post.size == 0:
        first = failed[0] if failed else {"error": "nothing was sent"}
        return problems.answer(422, first["error"], errors=list(failed))
    said = {"accepted": post.size, "new": post.new, "failed": list(failed)}
    return Response(orjson.dumps(said), media_type="application/json")


def body_of(one: dict[str, Any]) -> dict[str, Any]:
    """For `openapi_extra=`: a body of one item or an array of them."""
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST}
    content = {"application/json": {"schema": {"oneOf": [one, several]}}}
    return {"requestBody": {"required": True, "content": content}}


def schema_of(required: Sequence[str], example: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The schema of one item; further fields are passed over."""
    return {
        "type": "object",
        "required": list(required),
        "properties": fields,
        "additionalProperties": True,
        "example": example,
    }
