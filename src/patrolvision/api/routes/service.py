"""/healthz and /metrics: whether work is being done, and how much."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from patrolvision import __version__
from patrolvision.api import answers
from patrolvision.api.observed import Meter, head, labels
from patrolvision.api.security import Office, Principal, reader
from patrolvision.errors import StoreError
from patrolvision.store import changes, pyramid
from patrolvision.store.engine import reading
from patrolvision.store.health import outbox_state

SILENT_S = 60.0  # of a stream whose watcher has not said how long a frame may take
LATE_S = 900.0  # of a delivery that nobody tries any more
WRITE_EVERY_S = 5.0
TEXT = "text/plain; version=0.0.4"


class Check(BaseModel):
    """One thing that has to work."""

    name: str
    ok: bool
    detail: dict[str, Any]


class Health(BaseModel):
    """ok only if every check is."""

    status: Literal["ok", "failing"]
    version: str
    tickets: int
    checks: list[Check]


class Doctor:
    """Looks at everything that has to work; writes to the store at most every five seconds."""

    def __init__(self, office: Office) -> None:
        self._office, self._engine = office, office.store.engine
        self._lock = threading.Lock()
        self._wrote_s = -1e9

    def checks(self) -> list[Check]:
        """All checks, the store's first; if it cannot be read there are no others."""
        read = self._tried("store.read", self._read)
        if not read.ok:
            return [read]
        write = self._tried("store.write", self._write)
        return [read, write, self._outbox(), *self._streams()]

    def _tried(self, name: str, act: Callable[[], dict[str, Any]]) -> Check:
        begun = time.perf_counter()
        try:
            detail = act()
        except StoreError as error:
            return Check(name=name, ok=False, detail={"error": str(error)})
        return Check(
            name=name,
            ok=True,
            detail={"ms": round(1e3 * (time.perf_counter() - begun), 2), **detail},
        )

    def _read(self) -> dict[str, Any]:
        with reading(self._engine) as connection:
            return {"tickets": sum(pyramid.totals(connection).values())}

    def _write(self) -> dict[str, Any]:
        with self._lock:
            age_s = time.monotonic() - self._wrote_s
            if age_s > WRITE_EVERY_S:
                detail = {"pid": os.getpid(), "version": __version__}
                changes.beat(self._engine, "server", self._office.clock(), detail)
                self._wrote_s, age_s = time.monotonic(), 0.0
        return {"age_s": round(age_s, 1)}

    def _outbox(self) -> Check:
        state = outbox_state(self._engine, self._office.clock())
        return Check(name="outbox", ok=state["late_s"] < LATE_S, detail=dict(state))

    def _streams(self) -> Iterator[Check]:
        now = self._office.clock()
        for name, (at, detail) in sorted(changes.beats(self._engine).items()):
            if not name.startswith("stream:"):
                continue
            age_s = (now - at).total_seconds()
            limit_s = float(detail.get("silent_s", SILENT_S))
            said = {**detail, "newest_frame_age_s": round(age_s, 1)}
            yield Check(name=name, ok=age_s <= limit_s, detail=said)


def router(office: Office) -> APIRouter:
    """Health and metrics of this worker and its store."""
    doctor = Doctor(office)
    router = APIRouter(tags=["service"])

    @router.get("/healthz", responses={200: {"model": Health}, 503: {"model": Health}})
    def healthz() -> Response:
        """200 only when the store is read and written, messages leave, and every stream runs.

        A stream counts from its watcher's first frame until the watcher ends as it should.
        """
        checks = doctor.checks()
        is_well = all(check.ok for check in checks)
        health = Health(
            status="ok" if is_well else "failing",
            version=__version__,
            tickets=int(checks[0].detail.get("tickets", 0)),
            checks=checks,
        )
        answer = answers.body(health.model_dump())
        answer.status_code = 200 if is_well else 503
        return answer

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics(request: Request, who: Annotated[Principal, Depends(reader(office))]) -> Response:
        """Figures in Prometheus' text format; with several workers, those of one of them."""
        meter: Meter = request.app.state.meter
        lines = [*meter.lines(), *_of_kept(office), *_of_store(office, doctor)]
        return Response("\n".join(lines) + "\n", media_type=TEXT)

    return router


def _of_kept(office: Office) -> Iterator[str]:
    yield from head("patrolvision_kept_answers_total", "counter", "Made, or given once again.")
    for kind, count in (("made", office.kept.made), ("again", office.kept.again)):
        yield f"patrolvision_kept_answers_total{labels(kind=kind, worker=os.getpid())} {count}"


def _of_store(office: Office, doctor: Doctor) -> Iterator[str]:
    with reading(office.store.engine) as connection:
        totals, unfolded = pyramid.totals(connection), pyramid.waiting(connection)
    yield from head("patrolvision_tickets", "gauge", "Tickets in the store.")
    for (category, state, priority), count in sorted(totals.items()):
        named = labels(category=category, state=state, priority=priority)
        yield f"patrolvision_tickets{named} {count}"
    yield from head("patrolvision_map_changes_unfolded", "gauge", "Changes not in the sums yet.")
    yield f"patrolvision_map_changes_unfolded {unfolded}"
    checks = doctor.checks()
    yield from head("patrolvision_check_ok", "gauge", "1: this has worked just now.")
    for check in checks:
        yield f"patrolvision_check_ok{labels(name=check.name)} {int(check.ok)}"
    yield from head("patrolvision_stream_frame_age_seconds", "gauge", "Of the newest frame.")
    for check in checks:
        if check.name.startswith("stream:"):
            named = labels(stream=check.name.removeprefix("stream:"))
            age_s = check.detail["newest_frame_age_s"]
            yield f"patrolvision_stream_frame_age_seconds{named} {age_s}"
    yield from head("patrolvision_outbox", "gauge", "Messages by what became of them.")
    for check in checks:
        if check.name == "outbox":
            for name in ("new", "waiting", "dead"):
                yield f"patrolvision_outbox{labels(state=name)} {check.detail[name]}"
