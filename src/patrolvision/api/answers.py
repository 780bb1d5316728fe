"""Lists as they leave: JSON arrays or GeoJSON, by orjson, with the next page in a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request
from fastapi.responses import Response

from patrolvision import records

JSON = "application/json"
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
    text = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, media_type=media_type, headers=named)


def page(
    request: Request, found: Sequence[Mapping[str, Any]], form: str, cursor: str | None
) -> Response:
    """One page of a list in the form asked for; cursor begins the next one."""
    headers = {} if cursor is None else {"Link": f'<{following(request, cursor)}>; rel="next"'}
    if form == "geojson":
        return body(records.features(found), media_type=GEOJSON, **headers)
    return body(found, **headers)


def following(request: Request, cursor: str) -> str:
    """The address of the next page: the present one with another cursor."""
    asked = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    return f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
