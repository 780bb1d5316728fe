"""What people said of tickets -> examples to learn from, the hardest first.

A confirmed thing is a box that was right; a false one, where the verdict speaks of the picture and
not of the rule, is a place where the detector must stay silent; a missed one is a picture with a
box that it did not find. The pictures are the close views that were kept as evidence: cut around
the thing, so they teach what was judged and nothing of what lies beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from patrolvision.types import Incident, Observation, Sight, Ticket, TicketEvent, Verdict

Said = Literal["confirmed", "false"]
AUTOMATIC = "patrolvision"  # the actor of what nobody did by hand
CONFIRMING = frozenset({"confirm", "file"})
# Causes of the office's table that speak of the rule, the place or the office.
NOT_OF_THE_PICTURE = frozenset(
    {"duplicate", "not_ours", "solved_itself", "wrong_place", "allowed", "allowed_fire"}
)
# Categories whose thing is no fault in itself: a car parked rightly is still a car.
ONLY_WHERE_PLACED = frozenset({"illegal_parking"})
OF_THE_PICTURE = frozenset({"not_there", "wrong_class", "reflection_or_shadow"})
MOST_HIDDEN = 0.3  # share of the box: of a thing that is hidden nothing can be learnt
NEAR = 0.3  # confidence this far from the threshold is no longer a close call


@dataclass(frozen=True, slots=True)
class Review:
    """One verdict of a person on one ticket or incident."""

    ticket_id: str
    incident_id: str
    said: Said
    cause: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Example:
    """A picture to learn from: box of class_name on it, or none and a class that is not there.

    xyxy is in pixels of the picture; hardness in [0, 1]; mission and place say what must stay on
    one side of a split.
    """

    picture: Path
    said: Literal["confirmed", "false", "missed"]
    class_name: str
    xyxy: tuple[float, float, float, float]
    hardness: float
    mission: str
    place: str
    ticket_id: str = ""
    cause: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class Unused:
    """A verdict that teaches nothing, and why."""

    ticket_id: str
    why: str


def reviews_of(tickets: Iterable[Ticket]) -> Iterator[Review]:
    """The last word that a person said on each ticket; those without one are passed over.

    Confirming or filing is one word, rejecting with a cause the other; what the program did by
    itself, and what was merged away, is no verdict.
    """
    for ticket in tickets:
        words = [event for event in ticket.history if _is_word(event)]
        if not words:
            continue
        last = words[-1]
        said: Said = "false" if _rejects(last) else "confirmed"
        cause = str(last.data.get("cause", ""))
        yield Review(ticket.id, ticket.incident_id, said, cause, last.at, last.actor)


def reviews_of_verdicts(verdicts: Iterable[Verdict]) -> Iterator[Review]:
    """The verdicts that the office's store keeps, those on what never became a ticket included."""
    for verdict in verdicts:
        yield Review(
            ticket_id=verdict.ticket_id or verdict.incident_id,
            incident_id=verdict.incident_id,
            said=verdict.verdict,
            cause=verdict.cause or "",
            at=verdict.at,
            actor=verdict.actor,
        )


def last_words(reviews: Iterable[Review]) -> list[Review]:
    """Of each incident the last review, by incident."""
    last: dict[str, Review] = {}
    for review in reviews:
        known = last.get(review.incident_id)
        if known is None or review.at >= known.at:
            last[review.incident_id] = review
    return [last[incident_id] for incident_id in sorted(last)]


def _is_word(event: TicketEvent) -> bool:
    if event.actor == AUTOMATIC:
        return False
    return (
        event.action in CONFIRMING
        or _rejects(event)
        or (not event.action and event.state == "filed")
    )


def _rejects(event: TicketEvent) -> bool:
    return event.action == "reject" or (not event.action and event.state == "rejected")


def why_unused(
    review: Review, category: str, declined: Collection[tuple[str, str]] = ()
) -> str | None:
    """Why a verdict says nothing of the picture; None if it does.

    declined are the office's causes, (category or "*", code), that call no detection wrong.
    """
    if review.said == "confirmed":
        return None
    is_declined = bool({("*", review.cause), (category, review.cause)} & set(declined))
    if is_declined or review.cause in NOT_OF_THE_PICTURE:
        return f"the cause {review.cause!r} is not about what the picture shows"
    if category in ONLY_WHERE_PLACED and review.cause not in OF_THE_PICTURE:
        return f"a false {category} says that the rule was wrong, not that nothing stood there"
    return None


def examples_of(
    reviews: Iterable[Review],
    incidents: Mapping[str, Incident],
    observations: Mapping[str, Observation],
    thresholds: Mapping[str, float],
    root: Path,
    declined: Collection[tuple[str, str]] = (),
) -> tuple[list[Example], list[Unused]]:
    """What the verdicts teach, the hardest first, and the verdicts that teach nothing.

    root is what the pictures' paths in the evidence are relative to; thresholds are those of the
    detector in use: a verdict on a confidence near them tells the most.
    """
    examples: list[Example] = []
    unused: list[Unused] = []
    for review in reviews:
        incident = incidents.get(review.incident_id)
        if incident is None:
            unused.append(Unused(review.ticket_id, "its incident is not in the store"))
            continue
        why = why_unused(review, incident.category, declined)
        found = None if why else _example(review, incident, observations, thresholds, root)
        if isinstance(found, Example):
            examples.append(found)
        else:
            unused.append(Unused(review.ticket_id, why or str(found)))
    return hardest_first(examples), unused


def hardest_first(examples: Iterable[Example]) -> list[Example]:
    """The examples by hardness, the hardest first; the same order for the same examples."""
    return sorted(examples, key=lambda e: (-e.hardness, e.ticket_id, str(e.picture)))


def hardness_of(said: str, confidence: float, threshold: float) -> float:
    """How much a verdict teaches: a surely seen falsehood and a close call most; missed: all."""
    if said == "missed":
        return 1.0
    near = max(0.0, 1.0 - abs(confidence - threshold) / NEAR)
    return round(max(near, confidence) if said == "false" else near, 4)


def _example(
    review: Review,
    incident: Incident,
    observations: Mapping[str, Observation],
    thresholds: Mapping[str, float],
    root: Path,
) -> Example | str:
    close = next((p for p in _pictures(incident) if p.get("view") == "close"), None)
    if close is None:
        return "no close picture was kept of it"
    if "xyxy" not in close:
        return "its close picture does not say where the thing lies: it is of an older version"
    if float(close.get("hidden", 0.0)) > MOST_HIDDEN:
        return "the thing itself was made unreadable, to protect people"
    path = root / str(close["file"])
    if not path.is_file():
        return f"its picture {path} is not there: it may have expired"
    seen, sight = _seen(incident, observations, close)
    confidence = sight.confidence if sight is not None else (seen.confidence if seen else 0.0)
    name = seen.class_name if seen is not None else incident.class_name
    x1, y1, x2, y2 = (float(edge) for edge in close["xyxy"])
    return Example(
        picture=path,
        said=review.said,
        class_name=name,
        xyxy=(x1, y1, x2, y2),
        hardness=hardness_of(review.said, confidence, thresholds.get(name, 0.35)),
        mission=str(close.get("mission_id", "")),
        place=f"{incident.place.lat_deg:.3f}_{incident.place.lon_deg:.3f}",
        ticket_id=review.ticket_id,
        cause=review.cause,
        release=(seen.model_release or "") if seen is not None else "",
    )


def _pictures(incident: Incident) -> Sequence[Mapping[str, Any]]:
    pictures = incident.evidence.get("pictures", ())
    return [p for p in pictures if isinstance(p, Mapping)]


def _seen(
    incident: Incident, observations: Mapping[str, Observation], picture: Mapping[str, Any]
) -> tuple[Observation | None, Sight | None]:
    """The observation and the sight that a picture shows."""
    mine = [observations[id] for id in incident.observation_ids if id in observations]
    for seen in mine:
        for sight in seen.sights:
            is_it = sight.captured_at == datetime.fromisoformat(str(picture["captured_at"]))
            if is_it and seen.mission_id == picture.get("mission_id"):
                return seen, sight
    return (mine[0], None) if mine else (None, None)
