"""Pictures that people send: what is refused, what is left of the rest, and who has looked."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from helpers.office_people import Clock, fresh_store, hire, signed_in
from patrolvision.api.app import create_app
from patrolvision.config import OfficeSettings
from patrolvision.pipeline import Judged, settle
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store import evidence_log
from patrolvision.store.audit import SqlAudit
from patrolvision.store.engine import reading
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import GeoPoint, GridCodes, Image, Observation

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def jpeg(width: int = 320, height: int = 240) -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def huge_jpeg() -> bytes:
    """A small JPEG whose header claims 20,000 x 10,000 pixels."""
    content = bytearray(jpeg())
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 10_000, 20_000)
    return bytes(content)


def png_bomb(width: int = 20_000, height: int = 3_000) -> bytes:
    """A PNG of a few hundred kilobytes that would fill 180 MB."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * (3 * width + 1)) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows + packer.flush()) + chunk(b"IEND", b"")
    )  # fmt: skip


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"\0" * 30_000_000)
    return out.getvalue()


def with_exif(text: bytes = b"GPS of my house") -> bytes:
    content = jpeg()
    body = b"Exif\0\0" + text
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]


def hide(image: Image) -> Image:
    """Hides the upper half."""
    out = image.copy()
    out[: len(out) // 2] = 77
    return out


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = fresh_store(tmp_path)
    at = datetime(2026, 5, 4, tzinfo=UTC)
    seen = Observation(
        "o1", "m1", "car1", "litter", at, at, GeoPoint(22.84, 113.23, np.eye(2)), 0.9, 12
    )
    with opened.transaction() as transaction:
        settle(transaction, Judged((seen,), tuple(Rulebook().findings((seen,)))))
    hire(opened, "rita", "reviewer")
    hire(opened, "vera", "viewer")
    yield opened
    opened.close()


@pytest.fixture
def client(store: SqlStore) -> TestClient:
    app = create_app(store, OfficeSettings(upload_max_bytes=3_000_000), hide=hide, clock=Clock())
    return signed_in(app, store, "rita")


def send(
    client: TestClient, store: SqlStore, content: bytes, name: str = "a.jpg", **form: Any
) -> Any:
    [ticket] = store.tickets()
    path = f"/api/v1/tickets/{ticket.id}/pictures"
    return client.post(path, files={"file": (name, content, "image/jpeg")}, data=form)


DISHONEST: list[tuple[str, Callable[[], bytes], str, int]] = [
    ("zip bomb", lambda: zip_bomb(), "a.jpg", 415),
    ("svg", lambda: SVG, "a.svg", 415),
    ("svg as jpg", lambda: SVG, "a.jpg", 415),
    ("200 megapixels", lambda: huge_jpeg(), "a.jpg", 413),
    ("png bomb", lambda: png_bomb(), "a.png", 413),
    ("traversal", lambda: jpeg(), "../../etc/cron.d/x.jpg", 422),
    ("backslash", lambda: jpeg(), "..\\x.jpg", 422),
    ("gif", lambda: b"GIF89a" + bytes(100), "a.gif", 415),
    ("pdf", lambda: b"%PDF-1.7", "a.pdf", 415),
    ("head only", lambda: b"\xff\xd8\xff", "a.jpg", 415),
    ("cut in header", lambda: jpeg()[:200], "a.jpg", 422),
    ("cut in picture", lambda: jpeg()[:700], "a.jpg", 422),
    ("empty", lambda: b"", "a.jpg", 415),
    ("tiny", lambda: jpeg(8, 8), "a.jpg", 422),
    ("webp head", lambda: b"RIFF\x00\x00\x00\x00WEBPVP8X", "a.webp", 422),
    ("too many bytes", lambda: b"\0" * 3_000_001, "a.jpg", 413),
]


def test_what_is_no_honest_picture_is_refused_and_costs_little(
    client: TestClient, store: SqlStore
) -> None:
    for what, made, name, status in DISHONEST:
        content = made()
        tracemalloc.start()
        answer = send(client, store, content, name)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert answer.status_code == status, (what, answer.text)
        assert peak < 40_000_000, what
    assert next(iter(store.tickets())).version == 1
    assert not (store.folder / "evidence").exists()


def test_a_body_beyond_every_limit_is_not_even_read(client: TestClient, store: SqlStore) -> None:
    assert send(client, store, b"\0" * 8_000_000).status_code == 413


def test_what_is_kept_is_hidden_first_and_carries_no_metadata(
    client: TestClient, store: SqlStore
) -> None:
    answer = send(client, store, with_exif(), kind="after", lat_deg="22.84", lon_deg="113.23")
    assert answer.status_code == 201
    shown = client.get(answer.json()["url"])
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["cache-control"] == "no-store"
    assert b"GPS of my house" not in shown.content
    assert b"Exif" not in shown.content
    picture = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert abs(picture[:100].astype(int) - 77).max() < 30, "the upper half is hidden"
    assert picture[140:].std() > 30
    files = [p for p in (store.folder / "evidence").rglob("*") if p.is_file()]
    assert [p.name for p in files] == [f"{answer.json()['id']}.jpg"], "no original is kept"


def test_every_view_of_a_picture_is_noted(client: TestClient, store: SqlStore) -> None:
    made = send(client, store, jpeg()).json()
    for _ in range(2):
        assert client.get(made["url"]).status_code == 200
    lines = SqlAudit(store.engine).lines(subject=made["id"])
    seen = [(line.actor, line.action, line.address) for _, line in lines]
    assert seen == [("rita", "picture_viewed", "testclient")] * 2


def test_a_picture_is_shown_to_nobody_who_has_not_signed_in(
    client: TestClient, store: SqlStore
) -> None:
    made = send(client, store, jpeg()).json()
    assert TestClient(client.app).get(made["url"]).status_code == 401


def test_a_picture_whose_bytes_have_changed_is_not_shown(
    client: TestClient, store: SqlStore
) -> None:
    made = send(client, store, jpeg()).json()
    [path] = (store.folder / "evidence").rglob("*.jpg")
    path.write_bytes(jpeg(64, 64))
    assert client.get(made["url"]).status_code == 409


@pytest.mark.parametrize(
    ("name", "status"),
    [("0" * 64, 404), ("0" * 64 + ".png", 422), ("..%2f..%2fpatrol.db", 404), ("patrol.db", 422)],
)
def test_nothing_but_pictures_is_served(client: TestClient, name: str, status: int) -> None:
    assert client.get(f"/api/v1/evidence/{name}").status_code == status


def test_without_a_model_that_hides_faces_no_picture_is_taken(store: SqlStore) -> None:
    client = signed_in(create_app(store, clock=Clock()), store, "rita")
    assert send(client, store, jpeg()).status_code == 409


def test_the_log_of_pictures_tells_when_a_line_was_changed(
    client: TestClient, store: SqlStore
) -> None:
    for k in range(3):
        assert send(client, store, jpeg(100 + 40 * k, 120)).status_code == 201
    with reading(store.engine) as connection:
        lines = [dict(line) for line in evidence_log.lines(connection)]
    assert [line["what"] for line in lines] == ["kept"] * 3
    assert evidence_log.broken_at(iter(lines)) is None
    for tampered in (
        [lines[0], {**lines[1], "sha256": "0" * 64}, lines[2]],
        [lines[0], {**lines[1], "actor": "eve"}, lines[2]],
        [lines[0], lines[2]],
        [lines[1], lines[0], lines[2]],
    ):
        assert evidence_log.broken_at(iter(tampered)) is not None


def test_somebody_of_another_area_sees_no_picture(client: TestClient, store: SqlStore) -> None:
    made = send(client, store, jpeg()).json()
    hire(store, "fay", "viewer", "440605")
    fay = signed_in(cast(FastAPI, client.app), store, "fay")
    assert fay.get(made["url"]).status_code == 403
    [ticket] = store.tickets()
    with store.transaction() as transaction:
        transaction.save_tickets([replace(ticket, grid=GridCodes("440605003"))])
    assert fay.get(made["url"]).status_code == 200
