"""An office with a few illustrated tickets, for the tests that look at it through a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from helpers.office_days import incident_at
from patrolvision.evidence.pictures import keep_picture
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.office import ticket_for
from patrolvision.types import Finding, GridCodes, Image

SETUP_TOKEN = "set-up-token-of-the-test"
CELL = GridCodes("440605001003-02", "440605001003-R1", "440605001003-S1")
FOUND = datetime.now(UTC) - timedelta(hours=3)


class _OneCell:
    def codes_at(self, lat_deg: float, lon_deg: float) -> GridCodes:
        return CELL


@dataclass
class DeskOffice:
    """An office with tickets, served on a free port of this computer."""

    store: SqlStore
    media: Path
    url: str = ""
    problems: list[str] = field(default_factory=list)
    go_down: Callable[[], None] = lambda: None  # as when nobody can reach it any more
    come_back: Callable[..., None] = lambda settings=None: None  # at the same address

    def find(self, name: str, category: str = "litter", priority: str = "normal") -> str:
        """Let a patrol find something; the id of its ticket."""
        offset = (sum(map(ord, name)) % 41 - 20) * 2.0
        seen, incident = incident_at(f"inc-{name}", FOUND, offset, offset / 2, category)
        kept = keep_picture(street(category), self.media / "evidence")
        pictures = [
            {
                "view": "wide",
                "file": kept.path.relative_to(self.media).as_posix(),
                "sha256": kept.sha256,
                "width": kept.width,
                "height": kept.height,
                "captured_at": FOUND.isoformat(),
                "mission_id": "m1",
            }
        ]
        finding = Finding(
            f"f-{name}", incident.category, "enforce", seen, 0.9, evidence={"pictures": pictures}
        )
        ticket = ticket_for(incident, _OneCell(), at=FOUND)
        assert ticket is not None
        with self.store.transaction() as transaction:
            transaction.add_observations([seen])
            transaction.save_findings([finding])
            transaction.save_incidents([incident])
            transaction.save_tickets([ticket])
        return ticket.id


def street(category: str) -> Image:
    """A picture (240, 384, 3) uint8 with a spot in it; each category's is another."""
    image = np.full((240, 384, 3), 120, np.uint8)
    image[:90] = (205, 190, 170)
    colour = {"litter": (40, 60, 90), "illegal_parking": (160, 60, 30)}.get(category, (30, 90, 240))
    cv2.circle(image, (190, 170), 34, colour, -1)
    return image
