"""THE ORDER OF THE STAGES: frames -> detections -> tracks -> observations -> findings -> incidents
-> tickets, and what the frames show of the ground -> looks. No other file knows it.

Batch and live run the same functions: `followed` yields what the closed tracks of one stream were
found to be, `settle` puts that into the store in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from patrolvision.coverage import CoverageBook
from patrolvision.errors import ClaimError
from patrolvision.evidence.keeper import PictureKeeper
from patrolvision.geo.boxes import box_of, lon_in
from patrolvision.geo.districts import districts_at
from patrolvision.incidents.fusion import absorb
from patrolvision.incidents.heirs import inherited
from patrolvision.incidents.neighbourhood import findings_under
from patrolvision.incidents.quick import associate
from patrolvision.incidents.settings import FusionSettings
from patrolvision.observe import TrackBook, without_doubles
from patrolvision.ports import Detector, Rule, StoreTransaction, Tracker
from patrolvision.rules.company import in_company, with_pictures
from patrolvision.rules.rulebook import Rulebook
from patrolvision.tickets.announcements import announcements
from patrolvision.tickets.automatic import followed as followed_up
from patrolvision.tickets.grids import GridIndex
from patrolvision.tickets.office import AUTOMATIC, ticket_for
from patrolvision.types import (
    Detections,
    Finding,
    Frame,
    HandDecision,
    Incident,
    Look,
    Observation,
    PictureNote,
    Ticket,
)

LOOK_STEP_DEG = 0.004  # between the places claimed for a look: less than half a district
LOOKS_AT_ONCE = 12  # of a stream in which no track closes: about a minute


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One analysed frame with its tracked detections."""

    frame: Frame
    detections: Detections


@dataclass(frozen=True, slots=True)
class Judged:
    """Observations of closed tracks and what the rules say of them; the two belong together.

    looks are what was seen of the ground meanwhile, whether or not something stood there.
    """

    observations: tuple[Observation, ...] = ()
    findings: tuple[Finding, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a transaction changed."""

    observations: int
    incidents: int
    tickets: int
    raised: tuple[Ticket, ...] = ()  # those that did not exist before


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one stream: detector and rules may be shared, tracker and book are its own."""

    detector: Detector
    tracker: Tracker
    book: TrackBook
    rules: Rule
    keeper: PictureKeeper
    coverage: CoverageBook | None = None  # None: nothing is known of where nothing was found


def _batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def perceive(
    frames: Iterable[Frame], detector: Detector, tracker: Tracker, *, batch_size: int = 1
) -> Iterator[Seen]:
    """The frames with their tracked detections, in order.

    While one batch is tracked and handled by the caller, the next is being detected: the two
    share the processor, and neither waits for the other.
    """
    with ThreadPoolExecutor(1, "detect") as pool:
        waiting: tuple[list[Frame], Future[list[Detections]]] | None = None
        for batch in _batches(frames, batch_size):
            started = pool.submit(detector.detect, [frame.image for frame in batch])
            if waiting is not None:
                yield from _tracked(*waiting, tracker)
            waiting = (batch, started)
        if waiting is not None:
            yield from _tracked(*waiting, tracker)


def _tracked(
    batch: list[Frame], detected: Future[list[Detections]], tracker: Tracker
) -> Iterator[Seen]:
    for frame, detections in zip(batch, detected.result(), strict=True):
        yield Seen(frame, tracker.update(detections, frame))


def followed(
    frames: Iterable[Frame],
    stages: Stages,
    *,
    batch_size: int = 1,
    on_seen: Callable[[Seen], None] = lambda seen: None,
) -> Iterator[Judged]:
    """What each group of closed tracks of one stream was found to be, as the tracks close."""
    looks: list[Look] = []
    for seen in perceive(frames, stages.detector, stages.tracker, batch_size=batch_size):
        stages.keeper.remember(seen.frame, seen.detections)
        stages.book.add(seen.frame, seen.detections)
        on_seen(seen)
        closed = stages.book.finished(seen.frame.captured_at)
        if stages.coverage is not None:
            stages.coverage.add(seen.frame)
            looks += stages.coverage.finished()
        if closed or len(looks) >= LOOKS_AT_ONCE:
            yield judge(closed, stages, looks)
            looks = []
    rest = stages.book.flush()
    if stages.coverage is not None:
        looks += stages.coverage.flush()
    if rest or looks:
        yield judge(rest, stages, looks)


def judge(
    observations: Sequence[Observation], stages: Stages, looks: Sequence[Look] = ()
) -> Judged:
    """What the rules say of closed tracks, with pictures for what they claim."""
    findings = stages.rules.findings(observations)
    illustrated = [stages.keeper.illustrated(finding) for finding in findings]
    return Judged(tuple(observations), tuple(illustrated), tuple(looks))


def together(parts: Iterable[Judged], rules: Rule) -> Judged:
    """A whole pass judged at once, each thing once, with the pictures taken on the way.

    The rules see more in company: smoke beside its fire, a queue of cars.
    """
    parts = list(parts)
    pictures = {f.observation.id: f.evidence.get("pictures") for p in parts for f in p.findings}
    everything = [o for part in parts for o in part.observations]
    observations = without_doubles(sorted(everything, key=lambda o: (o.first_seen, o.id)))
    findings = [
        with_pictures(finding, pictures.get(finding.observation.id))
        for finding in rules.findings(observations)
    ]
    looks = sorted((k for part in parts for k in part.looks), key=lambda k: (k.start, k.id))
    return Judged(tuple(observations), tuple(findings), tuple(looks))


def settle(
    transaction: StoreTransaction,
    judged: Judged,
    *,
    rules: Rulebook | None = None,
    mission_id: str | None = None,
    looks: Sequence[Look] = (),
    grids: GridIndex | None = None,
    settings: FusionSettings | None = None,
    is_held: bool = False,
    is_part: bool = False,
) -> Settled:
    """Fuse findings with what the store holds and raise tickets; nothing changes if nothing is new.

    looks are stored beside judged's own. With rules given, a vehicle is judged anew from all its
    sights and its fused place.
    mission_id says that this is all of that mission: what it had said before and says no longer
    (another model, other zones) is withdrawn. Everything is derived from the values given (ids,
    times), so that the same mission settled again, or after a crash, ends in the same state.

    is_part says that the passes may have told of other observations before: then what is said of
    these and of those depends on all of them (smoke beside its fire), in whatever order they came.
    It has no meaning beside mission_id.

    Held against other writers are the districts around what is new; everything, where fusion
    reaches beyond them or what is withdrawn lies elsewhere. is_held says that the caller has
    claimed places_of(judged) already: then ClaimError where that is not enough.
    """
    mission = _in_hours(replace(judged, looks=(*judged.looks, *looks)), rules)
    settings = settings or FusionSettings()
    if is_held:
        return _settled(transaction, mission, rules, mission_id, grids, settings, is_part)
    with suppress(ClaimError), transaction.attempt():
        transaction.claim(places_of(mission))
        return _settled(transaction, mission, rules, mission_id, grids, settings, is_part)
    transaction.claim_all()
    return _settled(transaction, mission, rules, mission_id, grids, settings, is_part)


def _in_hours(judged: Judged, rules: Rulebook | None) -> Judged:
    """The same, its looks speaking only of what the rules look for at that hour."""
    return judged if rules is None else replace(judged, looks=tuple(rules.looks(judged.looks)))


def places_of(judged: Judged) -> list[tuple[float, float]]:
    """Where something was seen, and the ground looked at, in steps of LOOK_STEP_DEG."""
    found = [(o.place.lat_deg, o.place.lon_deg) for o in judged.observations]
    found += [(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in judged.findings]
    for look in judged.looks:
        south, west, north, east = box_of(look.polygon)
        rows, columns = (ceil(side / LOOK_STEP_DEG) for side in (north - south, east - west))
        found += [
            (
                south + (north - south) * r / max(rows, 1),
                lon_in(west + (east - west) * c / max(columns, 1), -180.0),
            )
            for r in range(rows + 1)
            for c in range(columns + 1)
        ]
    return found


def _settled(
    transaction: StoreTransaction,
    judged: Judged,
    rules: Rulebook | None,
    mission_id: str | None,
    grids: GridIndex | None,
    settings: FusionSettings,
    is_part: bool,
) -> Settled:
    findings, looks = list(judged.findings), list(judged.looks)
    stale: list[Look] = []
    bereft: list[Incident] = []
    if mission_id is not None:
        wanted = set(looks)
        stale = [look for look in transaction.looks_of(mission_id) if look not in wanted]
        kept = [o.id for o in judged.observations], [f.id for f in findings]
        bereft = transaction.withdraw(mission_id, *kept, looks)
    elif is_part and rules is not None:
        findings, unsaid = in_company(transaction, judged.observations, findings, rules)
        bereft = transaction.unsay(unsaid) if unsaid else []
    places = [(i.place.lat_deg, i.place.lon_deg) for i in bereft]
    transaction.hold({int(d) for place in places for d in districts_at(*place).reshape(1)})
    observations = transaction.add_observations(judged.observations)
    transaction.save_findings(findings)
    transaction.add_looks(looks)
    rest = transaction.findings_of([o for incident in bereft for o in incident.observation_ids])
    rejudge = None if rules is None else rules.rejudged
    unlooked = findings_under(stale, transaction) if stale else []
    said = {finding.id: finding for finding in [*unlooked, *rest, *findings]}
    changed = absorb(list(said.values()), transaction, settings, looks, rejudge)
    changed = inherited(changed, [i for i in bereft if i.id not in {c.id for c in changed}])
    incidents = transaction.save_incidents(changed)
    tickets, raised = _ticketed(transaction, changed, grids)
    transaction.note_pictures(_notes(findings))
    return Settled(observations, incidents, tickets, raised)


def take_in(
    transaction: StoreTransaction,
    judged: Judged,
    *,
    rules: Rulebook | None = None,
    grids: GridIndex | None = None,
    settings: FusionSettings | None = None,
) -> Settled:
    """The same in milliseconds, for what is seen just now: quick.associate, finding by finding.

    Looks are stored and prove nothing yet. `settle`, given the same when the pass is over, says
    what holds.
    """
    places = [(f.observation.place.lat_deg, f.observation.place.lon_deg) for f in judged.findings]
    transaction.claim(places)
    observations = transaction.add_observations(judged.observations)
    transaction.save_findings(judged.findings)
    transaction.add_looks(_in_hours(judged, rules).looks)
    rejudge = None if rules is None else rules.rejudged
    changed: dict[str, Incident] = {}
    for finding in judged.findings:
        now = associate(finding, transaction, settings, rejudge)
        transaction.save_incidents(now)
        changed |= {incident.id: incident for incident in now}
    tickets, raised = _ticketed(transaction, list(changed.values()), grids)
    transaction.note_pictures(_notes(judged.findings))
    return Settled(observations, len(changed), tickets, raised)


def decide(
    transaction: StoreTransaction,
    decision: HandDecision,
    *,
    rules: Rulebook | None = None,
    grids: GridIndex | None = None,
    settings: FusionSettings | None = None,
) -> Settled:
    """Keep a merge or split by hand, or its undoing (hand.undone), and fuse anew what it is about.

    Tickets follow their incidents: one that was merged away rejects its own, naming the other.
    """
    transaction.claim_all()
    transaction.save_hand_decisions([decision])
    about = transaction.findings_of([o for group in decision.groups for o in group])
    rejudge = None if rules is None else rules.rejudged
    changed = absorb(about, transaction, settings or FusionSettings(), (), rejudge)
    incidents = transaction.save_incidents(changed)
    tickets, raised = _ticketed(transaction, changed, grids)
    return Settled(0, incidents, tickets, raised)


def _ticketed(
    transaction: StoreTransaction, changed: Sequence[Incident], grids: GridIndex | None
) -> tuple[int, tuple[Ticket, ...]]:
    """How many tickets changed with these incidents, and which of them are new."""
    by_id = {incident.id: incident for incident in changed}
    known = transaction.tickets_about(list(by_id))
    have_one = {ticket.incident_id for ticket in known}
    raised = [
        ticket
        for incident in changed
        if incident.id not in have_one
        and (ticket := ticket_for(incident, grids, at=incident.first_seen)) is not None
    ]
    after = [followed_up(ticket, by_id[ticket.incident_id], grids) for ticket in known]
    tickets = transaction.save_tickets(
        [*raised, *(new for old, new in zip(known, after, strict=True) if new is not old)]
    )
    news = [(ticket, 0) for ticket in raised]
    news += [(new, old.version) for old, new in zip(known, after, strict=True)]
    transaction.enqueue(announcements(news))
    return tickets, tuple(raised)


def _notes(findings: Sequence[Finding]) -> list[PictureNote]:
    """What the evidence log is told of the findings' pictures."""
    return [
        PictureNote(
            picture["sha256"],
            "kept",
            datetime.fromisoformat(picture["captured_at"]),
            finding.observation.id,
            AUTOMATIC,
        )
        for finding in findings
        for picture in finding.evidence.get("pictures", ())
    ]
