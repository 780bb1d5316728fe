"""Arithmetic on a circle of 360 degrees."""

from __future__ import annotations


def turn_between(first_deg: float, second_deg: float) -> float:
    """The signed shorter turn from first to second, in [-180, 180)."""
    return (second_deg - first_deg + 180.0) % 360.0 - 180.0


def circular_between(first_deg: float, second_deg: float, share: float) -> float:
    """The angle at a share in [0, 1] of the shorter way from first to second, in [0, 360)."""
    return (first_deg + share * turn_between(first_deg, second_deg)) % 360.0
