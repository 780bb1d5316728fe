"""What a run leaves in --out: tickets.geojson and report.html, each whole or not at all."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from patrolvision import __version__, records, wiring
from patrolvision.config import Settings
from patrolvision.errors import OutputError
from patrolvision.evidence.pictures import clearest_close
from patrolvision.listing import counted, print_table
from patrolvision.missions import MissionResult
from patrolvision.report.contents import Entry, Picture, Recording, Report, Shape
from patrolvision.report.page import ordered, render
from patrolvision.types import Finding, Incident, Mission, Ticket

MAX_PICTURES = 4  # of one incident in the report
EMBED_MAX_BYTES = 400_000
DEMO_COLUMNS = (
    "#", "category", "priority", "lat_deg", "lon_deg", "sigma_m", "unit_grid", "segment",
    "seen_by", "zone_id",
)  # fmt: skip


def check_writable(out: Path) -> None:
    """Make the folder and prove that it takes files; OutputError naming it if it does not."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".probe-") as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file that others see only when it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def deliver(
    settings: Settings,
    missions: Sequence[Mission],
    results: Sequence[MissionResult],
    failed: Mapping[str, str],
    *,
    release: str,
    title: str,
) -> dict[str, Any]:
    """Write the outputs of a run; the part of its summary that speaks of incidents and tickets.

    Shown is what the run's own missions took part in, with everything the store knows of it.
    """
    ran = {result.mission_id for result in results}
    store = wiring.store(settings.database_url)
    try:
        incidents = [i for i in store.incidents() if ran & set(i.mission_ids) and _is_shown(i)]
        mine = {i.id for i in incidents}
        tickets = {t.incident_id: t for t in store.tickets() if t.incident_id in mine}
        findings = store.findings_of([o for i in incidents for o in i.observation_ids])
    finally:
        store.close()
    entries = ordered(
        tuple(
            _entry(settings.out, i, tickets.get(i.id), findings, ZoneInfo(settings.timezone))
            for i in incidents
        )
    )
    rows = [_ticket_row(e) for e in entries if e.ticket is not None]
    geojson = records.features(
        [records.ticket_to_record(e.ticket) for e in entries if e.ticket is not None]
    )
    write_whole(settings.out / "tickets.geojson", json.dumps(geojson, ensure_ascii=False, indent=1))
    report = Report(
        title=title,
        generated_at=datetime.now(UTC),
        program=f"patrolvision {__version__}",
        model_release=release,
        entries=entries,
        recordings=tuple(_recording(r) for r in results),
        zones=_shapes({m.zones or settings.zones for m in missions}, "rule", "zone_id"),
        cells=_shapes({m.grids or settings.grids for m in missions}, "layer", "code"),
        failed=failed,
        timezone=settings.timezone,
    )
    write_whole(settings.out / "report.html", render(report))
    kinds = {kind: sum(i.kind == kind for i in incidents) for kind in ("review", "warning")}
    return {
        "incidents": len(incidents),
        "tickets": len(rows),
        **kinds,
        "ticket_list": rows,
        "report": str(settings.out / "report.html"),
    }


def _is_shown(incident: Incident) -> bool:
    return incident.kind != "watch" and incident.status != "dismissed"


def _ticket_row(entry: Entry) -> dict[str, Any]:
    assert entry.ticket is not None
    record = records.ticket_to_record(entry.ticket)
    record["seen_by"] = ", ".join(entry.incident.mission_ids)
    record["zone_id"] = entry.incident.zone_id
    return record


def _entry(
    out: Path,
    incident: Incident,
    ticket: Ticket | None,
    findings: Mapping[str, Finding],
    zone: ZoneInfo,
) -> Entry:
    mine = [findings[o] for o in incident.observation_ids if o in findings]
    mine.sort(key=lambda f: (-f.observation.frames * f.score, f.id))
    pictures = [p for f in mine for p in f.evidence.get("pictures", ())]
    chosen = _one_close_then_wide(pictures)
    return Entry(incident, ticket, tuple(_embedded(out, p, zone) for p in chosen), _size(mine))


def _size(findings: Sequence[Finding]) -> str:
    """How large litter is, as its best sight says."""
    for finding in findings:
        area_m2 = finding.evidence.get("size_m2")
        if area_m2 is not None:
            kind = str(finding.evidence.get("kind", "")).replace("_", " ")
            return f"{kind}, about {area_m2:.1f} m²"
    return ""


def _one_close_then_wide(pictures: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The best wide view of each mission, up to the limit, and the clearest close view.

    The mission of that close view comes first.
    """
    close = clearest_close(pictures)
    wide: dict[str, Mapping[str, Any]] = {}
    for picture in pictures:
        if picture["view"] == "wide":
            wide.setdefault(picture["mission_id"], picture)
    if close is None:
        return list(wide.values())[:MAX_PICTURES]
    first = sorted(wide.values(), key=lambda p: p["mission_id"] != close["mission_id"])
    return [*first[: MAX_PICTURES - 1], close]


def _embedded(out: Path, picture: Mapping[str, Any], zone: ZoneInfo) -> Picture:
    at = datetime.fromisoformat(picture["captured_at"]).astimezone(zone)
    caption = f"{picture['view']} · {picture['mission_id']} · {at:%H:%M:%S}"
    try:
        return Picture(caption, (out / picture["file"]).read_bytes()[:EMBED_MAX_BYTES])
    except OSError:
        return Picture(f"{caption} (picture is not in this folder)", b"")


def _recording(result: MissionResult) -> Recording:
    return Recording(
        mission_id=result.mission_id,
        media=Path(result.media).name,
        started_at=result.started_at,
        duration_s=result.duration_s,
        counts=result.counts,
        observations=result.observations,
        findings=result.findings,
        track=result.track,
        error=result.error,
        notes=result.notes,
    )


def _shapes(files: Iterable[Path | None], kind: str, label: str) -> tuple[Shape, ...]:
    """What the report draws of zone and grid files; what was refused is left out."""
    shapes = []
    for file in sorted(path for path in files if path is not None):
        for feature in json.loads(file.read_text(encoding="utf-8"))["features"]:
            try:
                shapes.append(_shape(feature, kind, label))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue  # was named and refused when the file was loaded
    return tuple(shapes)


def _shape(feature: Mapping[str, Any], kind: str, label: str) -> Shape:
    properties = feature["properties"]
    lines, closed = _lines(feature["geometry"])
    rings = tuple(tuple((float(lat), float(lon)) for lon, lat, *_ in line) for line in lines)
    return Shape(str(properties.get(label, "")), str(properties.get(kind, "")), rings, closed)


def _lines(geometry: Mapping[str, Any]) -> tuple[list[Any], bool]:
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        return list(coordinates), True
    if geometry["type"] == "MultiPolygon":
        return [ring for polygon in coordinates for ring in polygon], True
    if geometry["type"] == "MultiLineString":
        return list(coordinates), False
    return [coordinates], False


def _accounts(missions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What became of every frame of each recording."""
    for mission in missions:
        if (frames := mission.get("frames")) is None:
            yield f"{mission['mission_id']}: failed"
            continue
        parts = [f"{frames['analysed']} analysed"]
        parts += [f"{count} skipped ({why})" for why, count in frames["skipped"].items()]
        parts += [f"{count} without a pose ({why})"
                  for why, count in frames["pose_problems"].items()]  # fmt: skip
        found = counted(mission["observations"], "observations")
        yield f"{mission['mission_id']}: {counted(frames['read'], 'frames')} read: " + (
            f"{', '.join(parts)}; {found}, {mission['new_observations']} new"
        )


def print_tickets(summary: Mapping[str, Any]) -> None:
    """The tickets of a run as a table, and where its outputs are."""
    rows = [{"#": k, **row} for k, row in enumerate(summary["ticket_list"], 1)]
    print_table(rows, DEMO_COLUMNS, counted(len(rows), "tickets"))
    for_review, warned = summary["review"], summary["warning"]
    rest = [f"{for_review} for review"] * (for_review > 0)
    rest += [counted(warned, "warnings")] * (warned > 0)
    if rest:
        sys.stdout.write(f"besides: {', '.join(rest)}\n")
    sys.stdout.writelines(f"{line}\n" for line in _accounts(summary["missions"]))
    sys.stdout.write(f"report: {summary['report']}\n")
