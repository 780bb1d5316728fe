"""Lists as they leave: JSON arrays or GeoJSON, by orjson, with the next page in a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request
from fastapi.responses import Response

from patrolvision import records
from patrolvision.api.kept import Answer

JSON = "application/json"
TEXT = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC
GEOJSON = "application/geo+json"
LINK = {
    "Link": {
        "description": '`<…>; rel="next"` while there are further pages',
        "schema": {"type": "string"},
    }
}
ETAG = {
    "ETag": {
        "description": "the version, for If-Match of a move",
        "schema": {"type": "string"},
    }
}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "as If-None-Match has it"}}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the ETag of the answer that one has: 304 if it would be the same",
    "schema": {"type": "string", "maxLength": 200},
}
FEATURES: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": {"type": "object"}},
    },
}


def listed(model: Any, what: str) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a list: an array of the model, or GeoJSON."""
    return {
        200: {
            "model": list[model],
            "description": what,
            "headers": LINK,
            "content": {GEOJSON: {"schema": FEATURES}},
        }
    }


def body(content: Any, *, media_type: str = JSON, **headers: str) -> Response:
    """A response with the content as JSON; times may be datetimes."""
    text = orjson.dumps(content, option=TEXT)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, media_type=media_type, headers=named)


def page(
    request: Request, found: Sequence[Mapping[str, Any]], form: str, cursor: str | None
) -> Response:
    """One page of a list in the form asked for; cursor begins the next one."""
    made = paged(request, found, form, cursor)
    return Response(made.body, media_type=made.media_type, headers=dict(made.headers))


def paged(
    request: Request,
    found: Sequence[Mapping[str, Any]],
    form: str,
    cursor: str | None,
    holds_s: float = float("inf"),
) -> Answer:
    """The same, to be kept."""
    headers = {} if cursor is None else {"Link": f'<{following(request, cursor)}>; rel="next"'}
    is_geo = form == "geojson"
    content: Any = records.features(found) if is_geo else found
    text = orjson.dumps(content, option=TEXT)
    return Answer(text, GEOJSON if is_geo else JSON, headers, holds_s)


def following(request: Request, cursor: str) -> str:
    """The address of the next page: the present one with another cursor."""
    asked = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    return f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
