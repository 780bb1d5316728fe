"""What a notice says: the document that is served on whoever caused the problem.

It states facts of the ticket and leaves blank what only an officer may write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from patrolvision.types import Ticket

BLANK = "______________________________"


@dataclass(frozen=True, slots=True)
class Notice:
    """The lines of a notice: (Chinese label, English label, value), and a JPEG of the problem."""

    title_zh: str
    title_en: str
    number: str
    facts: tuple[tuple[str, str, str], ...]
    demand_zh: str
    demand_en: str
    issued: str
    picture: bytes | None = None
    caption: str = ""


def notice_of(
    ticket: Ticket,
    names: tuple[str, str],
    code: str,
    timezone: str,
    issued_at: datetime,
    picture: bytes | None = None,
    caption: str = "",
) -> Notice:
    """The notice of a ticket; names are the category's in English and Chinese."""
    zone = ZoneInfo(timezone)
    place, grid = ticket.place, ticket.grid
    codes = [c for c in (grid.unit_grid, grid.responsible_grid, grid.segment) if c]
    where = f"{place.lat_deg:.6f}, {place.lon_deg:.6f} (WGS-84, ± {place.sigma_m:.1f} m)"
    facts = [
        ("当事人", "To", BLANK),
        ("事项类别", "Matter", f"{names[1]} {names[0]} ({code})"),
        ("发现时间", "Found", _when(ticket.history[0].at, zone)),
        ("发现位置", "Place", where),
        ("网格、路段", "Grid, road", " · ".join(codes) or "–"),
        ("整改期限", "To be solved by", _when(ticket.due_at, zone) if ticket.due_at else BLANK),
    ]
    return Notice(
        title_zh="责令整改通知书",
        title_en="Notice to put right",
        number=ticket.number or ticket.id,
        facts=tuple(facts),
        demand_zh="经巡查发现上述问题，请于整改期限前自行整改，并接受核查。如有异议，可在收到本通知书后"
        "向下述单位陈述、申辩。",
        demand_en="A patrol found the problem described above. Please put it right by the time "
        "stated; it will be checked. You may state your case to the office named below.",
        issued=_when(issued_at, zone),
        picture=picture,
        caption=caption,
    )


def _when(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
