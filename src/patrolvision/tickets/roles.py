"""Who works in an office: five roles, of which an admin has every one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from patrolvision.types import GridCodes

Role = Literal["viewer", "reviewer", "dispatcher", "crew", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "dispatcher", "crew", "admin")


def has_role(role: str | None, roles: Iterable[str]) -> bool:
    """Whether somebody of this role may do what is reserved to these roles."""
    return role == "admin" or (role is not None and role in set(roles))


def covers(areas: Iterable[str], grid: GridCodes) -> bool:
    """Whether a place with these codes lies in areas, which are prefixes of codes; none: all."""
    wanted = tuple(areas)
    codes = [code for code in (grid.unit_grid, grid.responsible_grid) if code]
    return not wanted or any(code.startswith(area) for code in codes for area in wanted)
