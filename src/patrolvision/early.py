"""What is still in view of a live stream, told before it has gone by.

A track is told of when it closes; but a drone that hovers over a fire never lets go of it. So a
fire or a blocked fire lane is told of as soon as the rules are sure, and what stays in view now and
then. A thing has the same id then as when its track closes; what is said last counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from patrolvision.pipeline import Judged, Stages
from patrolvision.types import Finding

ASK_EVERY = timedelta(seconds=0.5)
LEAST_AGE_S = 1.0  # of a track, before it is told of at all
STAYS = timedelta(seconds=20.0)  # in view for so long is not driven past
AGAIN = timedelta(seconds=30.0)  # what stays is told of once more: it is there still ...
BETTER = 0.75  # ... and at once where its place is so much better known: fusion judges by that


class OpenTracks:
    """The open tracks of one session that somebody should hear of now."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._asked_at: datetime | None = None
        self._told: dict[str, tuple[datetime, float]] = {}  # when, and its sigma then, m

    def judged(self, now: datetime) -> Judged | None:
        """What is to be told at the instant of a frame, with its pictures; None: nothing."""
        if self._asked_at is not None and now - self._asked_at < ASK_EVERY:
            return None
        self._asked_at = now
        observations = self._stages.book.open_observations(LEAST_AGE_S)
        self._told = {o.id: self._told[o.id] for o in observations if o.id in self._told}
        found = [f for f in self._stages.rules.findings(observations) if self._is_due(f, now)]
        if not found:
            return None
        self._told |= {f.observation.id: (now, f.observation.place.sigma_m) for f in found}
        shown = tuple(self._stages.keeper.illustrated(finding) for finding in found)
        seen = {f.observation.id: f.observation for f in shown}
        return Judged(tuple(seen.values()), shown)

    def _is_due(self, finding: Finding, now: datetime) -> bool:
        if finding.kind != "enforce":
            return False
        seen, told = finding.observation, self._told.get(finding.observation.id)
        if told is not None:
            return now - told[0] >= AGAIN or seen.place.sigma_m <= BETTER * told[1]
        is_urgent = finding.category == "open_fire" or finding.priority == "urgent"
        return is_urgent or seen.last_seen - seen.first_seen >= STAYS
