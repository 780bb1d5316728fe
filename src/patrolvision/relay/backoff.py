"""When a message that was not taken is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential growth between two bounds; dead after max_attempts (with these, about 29 h)."""

    first_s: float = 1.0
    longest_s: float = 3600.0
    max_attempts: int = 40

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s or self.max_attempts < 1:
            raise ValueError(
                "a back-off needs 0 < first_s <= longest_s and max_attempts >= 1, "
                f"got {self.first_s}, {self.longest_s}, {self.max_attempts}"
            )


def delay_s(attempts: int, jitter: float, backoff: Backoff) -> float:
    """Seconds until the next try after so many attempts (>= 1).

    jitter in [0, 1) spreads tries over [1/2, 1) of the full delay, so that many that failed at once
    do not come back at once ("equal jitter"; M. Brooker, Exponential Backoff And Jitter, 2015).
    """
    exponent = min(attempts - 1, 62)
    full = min(backoff.first_s * 2.0**exponent, backoff.longest_s)
    return full * (0.5 + 0.5 * jitter)


def is_dead(attempts: int, backoff: Backoff) -> bool:
    """Whether so many attempts are enough."""
    return attempts >= backoff.max_attempts
