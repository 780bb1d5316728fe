"""The report as one HTML file: styles, script, map and pictures inside, nothing fetched."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import datetime
from html import escape
from importlib.resources import files
from zoneinfo import ZoneInfo

from patrolvision.report.contents import Entry, Picture, Recording, Report
from patrolvision.report.map_svg import draw

TITLES = {
    "litter": "Litter",
    "illegal_parking": "Illegal parking",
    "open_fire": "Open fire",
}
KINDS = {"warning": "warning phase", "review": "for review", "enforce": "no ticket"}
ORDER = {"open_fire": 0, "illegal_parking": 1, "litter": 2}


def _title(category: str) -> str:
    return TITLES.get(category, category.replace("_", " ").capitalize())


def _when(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _span(first: datetime, last: datetime, zone: ZoneInfo) -> str:
    """From – to, the date once where it is one."""
    a, b = first.astimezone(zone), last.astimezone(zone)
    if a.date() == b.date():
        return f"{a:%Y-%m-%d} {a:%H:%M:%S} – {b:%H:%M:%S}"
    return f"{a:%Y-%m-%d %H:%M} – {b:%Y-%m-%d %H:%M}"


def _tag(name: str, text: str, css: str = "") -> str:
    return (
        f'<{name} class="{css}">{escape(text)}</{name}>'
        if css
        else f"<{name}>{escape(text)}</{name}>"
    )


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.jpeg).decode("ascii")
    return (
        f'<figure><img loading="lazy" alt="{escape(picture.caption)}" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>{escape(picture.caption)}</figcaption>'
        "</figure>"
    )


def _facts(entry: Entry, zone: ZoneInfo) -> list[tuple[str, str]]:
    incident, ticket = entry.incident, entry.ticket
    place = incident.place
    facts = [
        ("Place", f"{place.lat_deg:.6f}, {place.lon_deg:.6f} ± {place.sigma_m:.1f} m"),
        ("Seen", _span(incident.first_seen, incident.last_seen, zone)),
        ("By", ", ".join(incident.mission_ids)),
    ]
    if entry.severity:
        facts.append(("Size", entry.severity))
    if incident.zone_id:
        facts.append(("Zone", incident.zone_id))
    if ticket is not None:
        codes = (ticket.grid.unit_grid, ticket.grid.responsible_grid, ticket.grid.segment)
        facts.append(("Grid", " · ".join(code for code in codes if code) or "outside all grids"))
        facts.append(("Ticket", f"{ticket.id} · {ticket.state}"))
    facts.append(("Score", f"{incident.score:.2f}"))
    return facts


def _card(entry: Entry, number: int, zone: ZoneInfo) -> str:
    incident = entry.incident
    css = incident.priority
    badge = incident.priority if entry.ticket is not None else KINDS.get(incident.kind, "")
    facts = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _facts(entry, zone))
    pictures = "".join(_picture(p) for p in entry.pictures)
    return (
        f'<article id="i{number}" class="card {incident.category}">'
        f'<header><b class="number">{number}</b><h3>{escape(_title(incident.category))}</h3>'
        f'<span class="badge {css}">{escape(badge)}</span></header>'
        f'<div class="pictures">{pictures}</div><dl>{facts}</dl></article>'
    )


def _count(value: float, label: str, css: str = "") -> str:
    classes = f"count {css}".strip()
    return f'<div class="{classes}"><b>{value}</b><span>{escape(label)}</span></div>'


def _recording(recording: Recording, zone: ZoneInfo) -> str:
    if recording.error or recording.counts is None:
        return (
            f'<tr class="failed"><td>{escape(recording.mission_id)}</td>'
            f'<td colspan="6">{escape(recording.error or "not run")}</td></tr>'
        )
    counts = recording.counts
    skipped = ", ".join(f"{reason} {n}" for reason, n in sorted(counts.skipped.items())) or "–"
    problems = ", ".join(f"{reason} {n}" for reason, n in sorted(counts.pose_problems.items()))
    started = "–" if recording.started_at is None else _when(recording.started_at, zone)
    duration = "–" if recording.duration_s is None else f"{recording.duration_s:.1f} s"
    cells = (
        recording.mission_id, started, duration, f"{counts.read}", f"{counts.analysed}", skipped,
        problems or "–", f"{recording.observations} → {recording.findings}",
    )  # fmt: skip
    return "<tr>" + "".join(_tag("td", cell) for cell in cells) + "</tr>"


def _notes(report: Report) -> str:
    """What was left out, corrected or distrusted, recording by recording; nothing without any."""
    told = "".join(
        f"<li><b>{escape(recording.mission_id)}</b> {escape(note)}</li>"
        for recording in report.recordings
        for note in recording.notes
    )
    return f'<section><h2>To be known</h2><ul class="notes">{told}</ul></section>' if told else ""


def _resource(name: str) -> str:
    return files("patrolvision.report").joinpath(name).read_text(encoding="utf-8")


def _header(report: Report, zone: ZoneInfo) -> str:
    tickets: Counter[str] = Counter(
        e.incident.category for e in report.entries if e.ticket is not None
    )
    rest = sum(e.ticket is None for e in report.entries)
    counts = [_count(sum(tickets.values()), "tickets")]
    counts += [_count(tickets[c], TITLES[c], c) for c in ORDER]
    if rest:
        counts.append(_count(rest, "for review or warning"))
    seen = len(report.recordings)
    recordings = f"{seen} recording{'s' if seen != 1 else ''} · " if seen else ""
    line = (
        f"{recordings}detector {report.model_release} · "
        f"{report.program} · {_when(report.generated_at, zone)} · all times in {report.timezone}"
    )
    return (
        f"<header class='top'><h1>{escape(report.title)}</h1><p>{escape(line)}</p>"
        f"<div class='counts'>{''.join(counts)}</div></header>"
    )


def ordered(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Tickets before the rest; fires, then parking, then litter; then by time."""
    return tuple(
        sorted(
            entries,
            key=lambda e: (
                e.ticket is None,
                ORDER.get(e.incident.category, len(ORDER)),
                e.incident.first_seen,
                e.incident.id,
            ),
        )
    )


def render(report: Report) -> str:
    """The whole page; the entries are shown in the order given (see `ordered`)."""
    zone = ZoneInfo(report.timezone)
    cards = "".join(_card(e, k, zone) for k, e in enumerate(report.entries, 1))
    rows = "".join(_recording(r, zone) for r in report.recordings)
    head = "".join(
        _tag("th", t)
        for t in ("Recording", "Started", "Length", "Frames read", "Analysed", "Skipped",
                  "Without pose", "Observations → findings")
    )  # fmt: skip
    failed = "".join(f"<li><b>{escape(k)}</b> {escape(v)}</li>" for k, v in report.failed.items())
    legend = "".join(f'<li class="{c}">{escape(t)}</li>' for c, t in TITLES.items())
    looked_at = (
        '<section><h2>What was looked at</h2><div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )
    nothing = '<p class="empty">Nothing was found in these recordings.</p>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_resource('style.css')}</style></head><body>"
        f"{_header(report, zone)}<main>"
        f'<section class="map"><div class="canvas">{draw(report)}</div><ul class="legend">{legend}'
        '<li class="zone">kerb rule</li><li class="zone allowed">parking allowed</li>'
        '<li class="trackline">track of a recording</li>'
        '<li class="ring">95 % of the place</li></ul></section>'
        f'<section class="cards">{cards or nothing}</section>'
        f"{f'<section><h2>Not read</h2><ul>{failed}</ul></section>' if failed else ''}"
        f"{looked_at if report.recordings else ''}{_notes(report)}</main>"
        "<footer>People's heads and the ends of vehicles are blurred in every picture.</footer>"
        f"<script>{_resource('script.js')}</script></body></html>"
    )
