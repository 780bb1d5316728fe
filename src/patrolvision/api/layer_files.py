"""Zones and grids as calls put and get them: checked as their files are, kept in every version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from patrolvision.api import answers
from patrolvision.api.problems import Problem
from patrolvision.api.security import Office
from patrolvision.geo.datum import text_in_wgs84
from patrolvision.store.areas import AreaKind, StoredArea, save_area, stored_area

TYPES = ("application/json", "application/geo+json")
EMPTY = '{"type":"FeatureCollection","features":[]}'
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": answers.FEATURES} for name in TYPES},
    }
}
GIVEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a GeoJSON FeatureCollection; the header ETag says which version",
        "headers": answers.ETAG,
        "content": {answers.GEOJSON: {"schema": answers.FEATURES}},
    }
}


class LayerVersion(BaseModel):
    """Which version of a layer is in force now, since when, and by whom."""

    version: int
    since: datetime
    actor: str
    sha256: str
    features: int


async def geojson(request: Request) -> bytes:
    """A dependency: the body of a call that puts a layer."""
    kind = request.headers.get("content-type", TYPES[0]).partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise Problem(415, f"expected {' or '.join(TYPES)}, found {kind}")
    return await request.body()


def text_of(content: bytes) -> str:
    """The body as text that every database takes; Problem where it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(422, f"body: expected UTF-8: {error.reason}") from error
    try:  # more strictly than json does, whose lone surrogates and NaN nobody reads again
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Problem(422, f"body: expected GeoJSON, found no JSON: {error}") from error
    return text


def given(office: Office, kind: AreaKind) -> Response:
    """The layer in force, as it was put, in WGS-84; an empty collection where nothing was put."""
    area = stored_area(office.store.engine, kind)
    text, version = (EMPTY, 0) if area is None else (area.content, area.version)
    return Response(text, media_type=answers.GEOJSON, headers={"ETag": f'"{version}"'})


def put(office: Office, kind: AreaKind, text: str, actor: str) -> LayerVersion:
    """Keep a layer that was found good, in WGS-84, in force from now on."""
    area = save_area(office.store.engine, kind, text_in_wgs84(text), actor, office.clock())
    return version_of(area)


def version_of(area: StoredArea) -> LayerVersion:
    """What is said of a version."""
    count = len(orjson.loads(area.content)["features"])
    return LayerVersion(
        version=area.version,
        since=area.since,
        actor=area.actor,
        sha256=area.sha256,
        features=count,
    )
