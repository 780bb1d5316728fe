"""The map page at `/`: its own files, and MapLibre GL as the package `maplibre` carries it.

The files are read once and served from memory by name, so that no path of a request ever touches a
disk. Scripts come from this server alone: the policy below lets nothing inline run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from patrolvision.api.problems import Problem
from patrolvision.api.security import Cookie, Office, reads

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
BUNDLE = ("maplibre-gl.js", "maplibre-gl.css")
WORKER = "sw.js"  # sent from the root, so that it serves the whole page
SMALL = 1024  # bytes below which packing is not worth it


@dataclass(frozen=True)
class Asset:
    """One file of the page as it is sent."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """A name of this content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'

    @cached_property
    def packed(self) -> bytes | None:
        """The content as gzip; None where that gains nothing."""
        return None if len(self.content) < SMALL else gzip.compress(self.content, 6, mtime=0)


def own_files() -> dict[str, Asset]:
    """The page's files by their path below web/, e.g. js/main.js."""
    return dict(_walk(files("patrolvision.api").joinpath("web"), ""))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif (media_type := MEDIA_TYPES.get(Path(entry.name).suffix)) is not None:
            found.append((name, Asset(entry.read_bytes(), media_type)))
    return found


def bundle() -> dict[str, Asset]:
    """MapLibre GL from the package `maplibre`; nothing where it is not installed.

    The package is not imported: only its files are wanted.
    """
    spec = find_spec("maplibre")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    return {
        f"vendor/{name}": Asset(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for folder in folders
        for name in BUNDLE
        if (path := Path(folder) / "srcjs" / name).is_file()
    }


def worker_of(assets: Mapping[str, Asset]) -> Asset:
    """The service worker, with the addresses it keeps and a name of all their contents."""
    shown = {name: asset for name, asset in assets.items() if name not in (WORKER, "index.html")}
    addresses = ["/", *(f"/web/{name}" for name in sorted(shown))]
    version = hashlib.sha256("".join(assets[name].etag for name in sorted(assets)).encode())
    known = (
        f"const FILES = {json.dumps(addresses)};\n"
        f"const VERSION = {json.dumps(version.hexdigest()[:16])};\n"
    )
    return Asset(known.encode() + assets[WORKER].content, MEDIA_TYPES[".js"])


def policy(tiles_url: str | None) -> str:
    """The Content-Security-Policy: this server, MapLibre's worker, and the tiles' server."""
    tiles = ""
    if tiles_url and (parts := urlsplit(tiles_url)).netloc:
        tiles = f" {parts.scheme}://{parts.netloc.replace('{s}', '*')}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data: blob:{tiles}",
            f"connect-src 'self'{tiles}",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _send(asset: Asset, request: Request, headers: Mapping[str, str]) -> Response:
    common = {
        "ETag": asset.etag,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=common)
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        packed = {**common, "Content-Encoding": "gzip"}
        return Response(asset.packed, media_type=asset.media_type, headers=packed)
    return Response(asset.content, media_type=asset.media_type, headers=common)


def router(office: Office) -> APIRouter:
    """The page, its files and what it has to know of the settings: no data, so no sign-in."""
    settings, may_read = office.settings, reads(office)
    assets = {**own_files(), **bundle()}
    shell = worker_of(assets)
    headers = {
        "Content-Security-Policy": policy(settings.tiles_url),
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
    }
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page(request: Request) -> Response:
        return _send(assets["index.html"], request, headers)

    @router.get("/sw.js")
    def worker(request: Request) -> Response:
        return _send(shell, request, {})

    @router.get("/web/settings.json")
    def known(request: Request, cookie: Cookie) -> JSONResponse:
        try:
            kind = may_read(request, None, cookie).kind
        except Problem:
            kind = None
        tiles = {"url": settings.tiles_url, "attribution": settings.tiles_attribution}
        return JSONResponse(
            {
                "tiles": tiles if settings.tiles_url else None,
                "may_read": kind is not None,  # so that nobody has to be refused to find out
                "signed_in": kind == "session",
            },
            headers={"Cache-Control": "no-store"},
        )

    @router.get("/web/{name:path}")
    def file(name: str, request: Request) -> Response:
        if name not in assets:
            raise Problem(404, f"the page has no file {name!r}")
        return _send(assets[name], request, {})

    return router
