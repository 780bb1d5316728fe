"""GET /categories: codes, names, skills, deadlines and the ladder, as the office's tables say."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from patrolvision import wiring
from patrolvision.api.security import Office, Principal, reader
from patrolvision.tickets.categories import Catalogue


class Deadline(BaseModel):
    """How many hours of which clock a ticket of a priority may take; `*`: of any."""

    city: str
    priority: str
    hours: float
    clock: str
    source: str


class ShownCategory(BaseModel):
    """A category; verify_first: a person confirms before a ticket gets its number."""

    category: str
    code: str
    name_en: str
    name_zh: str
    skill: str
    verify_first: bool
    value: float
    hot_spot_m: float
    deadlines: list[Deadline]
    source: str


class ShownLevel(BaseModel):
    """A rung of the ladder that an overdue ticket climbs."""

    level: str
    name_en: str
    name_zh: str
    overdue_hours: float
    source: str


class Categories(BaseModel):
    """The city's tables, each row with its source."""

    city: str
    timezone: str
    categories: list[ShownCategory]
    levels: list[ShownLevel]
    holiday_years: list[int]  # a deadline that crosses another year counts no holidays in it


def router(office: Office) -> APIRouter:
    """The categories of the office's catalogue."""
    router = APIRouter(prefix="/api/v1", tags=["categories"])
    catalogue = wiring.catalogue(office.settings)

    @router.get("/categories")
    def categories(who: Annotated[Principal, Depends(reader(office))]) -> Categories:
        """What the office deals with, how urgently, and on whose authority."""
        return _shown(catalogue)

    return router


def _shown(catalogue: Catalogue) -> Categories:
    return Categories(
        city=catalogue.city,
        timezone=catalogue.timezone,
        categories=[
            ShownCategory(
                category=rule.category,
                code=rule.code,
                name_en=rule.name_en,
                name_zh=rule.name_zh,
                skill=rule.skill,
                verify_first=rule.verify_first,
                value=rule.value,
                hot_spot_m=rule.hot_spot_m,
                source=rule.source,
                deadlines=[
                    Deadline(
                        city=d.city, priority=d.priority, hours=d.hours, clock=d.clock,
                        source=d.source,
                    )
                    for d in catalogue.deadlines
                    if d.category in (rule.category, "*")
                ],
            )
            for rule in catalogue.categories.values()
        ],
        levels=[
            ShownLevel(
                level=level.level,
                name_en=level.name_en,
                name_zh=level.name_zh,
                overdue_hours=level.overdue_hours,
                source=level.source,
            )
            for level in catalogue.levels
        ],
        holiday_years=sorted({day.year for day in catalogue.holidays}),
    )  # fmt: skip
