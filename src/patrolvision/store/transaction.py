"""What happens together around a place: claim, look around, save, note, all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, delete, select

from patrolvision.errors import ClaimError, StoreError
from patrolvision.geo.boxes import box_of
from patrolvision.geo.geodesy import distance_m
from patrolvision.store import (
    claims,
    evidence_log,
    hand_tables,
    look_sheets,
    near,
    rows,
    schema,
    sightings,
    sql,
    straight,
)
from patrolvision.types import (
    Anchor,
    Finding,
    HandDecision,
    Incident,
    Look,
    MissionRecord,
    Observation,
    OutboxMessage,
    PictureNote,
    Ticket,
)


class SqlTransaction:
    """ports.StoreTransaction on one connection; made by SqlStore.transaction()."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: frozenset[int] | None = None  # None: everything
        self._unheld: set[str] = set()  # observations inserted here, which no incident holds yet
        self._founded: set[str] = set()  # incidents inserted here, which no ticket is about yet

    @property
    def connection(self) -> Connection:
        """For modules of this folder that write in the same transaction."""
        return self._connection

    def claim(self, places: Sequence[tuple[float, float]]) -> None:
        """Hold the neighbourhoods of these (lat_deg, lon_deg) until the transaction ends.

        To be called once, before anything is read. Whoever claims a place within 250 m waits.
        SQLite has one writer at a time, so there the transaction itself is the claim.
        """
        if self._connection.dialect.name == "postgresql":
            self._take(claims.districts_of(places))

    def claim_free(self, parts: Sequence[claims.Places]) -> list[int]:
        """Hold the first part's neighbourhoods and, of the others', those that are free.

        Instead of claim, for what can be done in parts: only the first is waited for. The numbers
        of the parts (places of each) that are held now.
        """
        if self._connection.dialect.name != "postgresql":
            return list(range(len(parts)))
        whole, self._held = claims.take_free(self._connection, parts)
        return whole

    def claim_all(self) -> None:
        """Hold every place, for what may change far from where it begins; instead of claim."""
        if self._connection.dialect.name == "postgresql":
            self._take(None)

    def _take(self, districts: Sequence[int] | None) -> None:
        claims.take(self._connection, districts)
        self._held = None if districts is None else frozenset(districts)

    def hold(self, districts: Collection[int]) -> None:
        """Make sure that nobody else writes in these districts; ClaimError if they are not held."""
        if self._held is not None and not self._held.issuperset(districts):
            raise ClaimError("fusion reaches further than what was claimed")

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """What fails within is undone, its claims as well; the transaction itself goes on."""
        if self._connection.dialect.name == "postgresql":
            with self._connection.begin_nested():
                yield
        else:
            yield

    def add_observations(self, observations: Sequence[Observation]) -> int:
        """Store those whose id is new or whose content differs; how many that were."""
        found = [rows.observation_row(observation) for observation in observations]
        written = sql.written(self._connection, schema.observations, found)
        self._unheld |= written.fresh
        return len(written.changed)

    def withdraw(
        self,
        mission_id: str,
        observation_ids: Sequence[str],
        finding_ids: Sequence[str],
        looks: Sequence[Look] = (),
    ) -> list[Incident]:
        """Forget what a mission had found beyond these ids; the incidents that rested on it.

        They come as they were and stay so until they are saved anew: a mission that is run again
        with another model or other zones replaces what it had said. Of the mission's looks those
        are forgotten that are not among these.
        """
        self._forget_looks(mission_id, looks)
        seen, found = schema.observations, schema.findings
        mine = select(seen.c.id).where(seen.c.mission_id == mission_id)
        known = set(self._connection.execute(mine).scalars())
        stale = sorted(known - set(observation_ids))
        said = sql.select_in(self._connection, found, found.c.observation_id, sorted(known))
        unsaid = [row for row in said if row["id"] not in set(finding_ids)]
        touched = self.incidents_with([*stale, *(row["observation_id"] for row in unsaid)])
        members = schema.incident_observations
        sql.delete_in(self._connection, members.c.observation_id, stale)
        self._forget_findings([(r["id"], r["category"], r["observation_id"]) for r in unsaid])
        sql.delete_in(self._connection, seen.c.id, stale)
        return touched

    def unsay(self, findings: Sequence[Finding]) -> list[Incident]:
        """Forget stored findings; the incidents that rested on them, as they were before."""
        touched = self.incidents_with([f.observation.id for f in findings])
        self._forget_findings([(f.id, f.category, f.observation.id) for f in findings])
        categories = {finding.category for finding in findings}
        return [incident for incident in touched if incident.category in categories]

    def _forget_findings(self, unsaid: Sequence[tuple[str, str, str]]) -> None:
        """By id, category and observation."""
        members = schema.incident_observations
        for _, category, observation_id in unsaid:
            held = (members.c.category == category) & (members.c.observation_id == observation_id)
            self._connection.execute(delete(members).where(held))
        sql.delete_in(self._connection, schema.findings.c.id, [id for id, _, _ in unsaid])

    def _forget_looks(self, mission_id: str, kept: Sequence[Look]) -> None:
        known = {look.id: look for look in kept}
        stale = [look for look in self.looks_of(mission_id) if known.get(look.id) != look]
        sql.delete_in(self._connection, schema.look_cells.c.look_id, [look.id for look in stale])
        sql.delete_in(self._connection, schema.looks.c.id, [look.id for look in stale])
        look_sheets.note_changes(self._connection, [look.start for look in stale])

    def findings_of(self, observation_ids: Sequence[str]) -> list[Finding]:
        """Stored findings about these observations, by id."""
        return sightings.findings_about(self._connection, sorted(set(observation_ids)))

    def save_findings(self, findings: Sequence[Finding]) -> int:
        """Insert or replace by id; how many changed. Their observations must be stored already."""
        found = [rows.finding_row(finding) for finding in findings]
        return len(sql.upsert(self._connection, schema.findings, found))

    def findings_around(
        self,
        places: Sequence[tuple[float, float]],
        radius_m: float,
        *,
        known: Collection[str] = (),
        missions: Sequence[str] = (),
    ) -> list[Finding]:
        """Stored findings within radius_m of any of the places, exactly; by first_seen and id.

        Of every category, but for those known by id; if missions are given, only of these.
        """
        if not places:
            return []
        return sightings.findings_around(self._connection, places, radius_m, known, missions)

    def observations_around(
        self, places: Sequence[tuple[float, float]], radius_m: float, missions: Sequence[str]
    ) -> list[Observation]:
        """What these missions saw within radius_m of any of the places, exactly; by id."""
        if not places or not missions:
            return []
        return sightings.observations_around(self._connection, places, radius_m, missions)

    def incidents_near(
        self, category: str, lat_deg: float, lon_deg: float, radius_m: float
    ) -> list[Incident]:
        """Stored incidents of the category within radius_m, exactly; by first_seen and id.

        Of every kind and status: what was removed or dismissed is there as well.
        """
        ranges = near.ranges_around(lat_deg, lon_deg, radius_m)
        found = sql.select_ranges(
            self._connection, schema.incidents, sql.incidents_in, ranges, category=category
        )
        close = _within(found, lat_deg, lon_deg, radius_m)
        return sorted(map(rows.incident, close), key=lambda i: (i.first_seen, i.id))

    def incidents_around(
        self, places: Sequence[tuple[float, float]], radius_m: float
    ) -> list[Incident]:
        """Stored incidents of every category within radius_m of any of the places, exactly."""
        if not places:
            return []
        return sightings.incidents_around(self._connection, places, radius_m)

    def anchors_around(
        self, place: tuple[float, float], radius_m: float, mission_id: str, *, but: str
    ) -> list[Anchor]:
        """What a mission saw within radius_m of a place, exactly, that another mission saw too.

        By first_seen and id, without the observation named in but; each with its incident's place.
        """
        return sightings.anchors_around(self._connection, place, radius_m, mission_id, but)

    def incidents_with(self, observation_ids: Sequence[str]) -> list[Incident]:
        """Stored incidents that hold any of these observations, by first_seen and id."""
        asked = self._that_may_be_held(observation_ids)
        return sightings.incidents_holding(self._connection, asked)

    def memberships(self, observation_ids: Sequence[str]) -> dict[tuple[str, str], frozenset[str]]:
        """(category, incident id) -> all observations of the incidents that hold any of these."""
        return sightings.memberships(self._connection, self._that_may_be_held(observation_ids))

    def _that_may_be_held(self, observation_ids: Sequence[str]) -> Sequence[str]:
        return [id for id in observation_ids if id not in self._unheld]

    def hand_decisions(self) -> list[HandDecision]:
        """What persons decided about which observations are one thing, and did not take back."""
        return [d for d in hand_tables.read(self._connection) if d.undone_at is None]

    def save_hand_decisions(self, decisions: Sequence[HandDecision]) -> int:
        """Insert or replace by id; how many changed."""
        return hand_tables.save(self._connection, decisions)

    def save_incidents(self, incidents: Sequence[Incident]) -> int:
        """Insert or replace by id; how many changed.

        StoreError when an observation would be in two incidents of one category.
        """
        found = [rows.incident_row(incident) for incident in incidents]
        changed, fresh = sql.written(self._connection, schema.incidents, found)
        self._save_members([row for row in _last_of_each(found) if row["id"] in changed], fresh)
        self._founded |= fresh
        return len(changed)

    def _save_members(self, changed: Sequence[rows.Row], fresh: Collection[str]) -> None:
        table = schema.incident_observations
        ids = [row["id"] for row in changed if row["id"] not in fresh]
        stored = sql.select_in(self._connection, table, table.c.incident_id, ids)
        self._unheld.difference_update(o for row in changed for o in row["observation_ids"])
        before = {(r["category"], r["observation_id"], r["incident_id"]) for r in stored}
        after = {(r["category"], o, r["id"]) for r in changed for o in r["observation_ids"]}
        for category, observation_id, incident_id in sorted(before - after):
            gone = (
                (table.c.category == category)
                & (table.c.observation_id == observation_id)
                & (table.c.incident_id == incident_id)
            )
            self._connection.execute(delete(table).where(gone))
        if new := sorted(after - before):
            names = ("category", "observation_id", "incident_id")
            values = [dict(zip(names, key, strict=True)) for key in new]
            straight.insert(self._connection, table, values)

    def save_tickets(self, tickets: Sequence[Ticket]) -> int:
        """Insert or replace by id, one ticket an incident; how many changed.

        StoreError when a history is empty or does not begin with the stored one.
        """
        for ticket in tickets:
            if not ticket.history:
                raise StoreError(f"ticket {ticket.id} has no history: its first event is its birth")
        self._founded.difference_update([ticket.incident_id for ticket in tickets])
        found = [rows.ticket_row(ticket) for ticket in tickets]
        changed, fresh = sql.written(self._connection, schema.tickets, found)
        return len(changed | self._append_history(tickets, fresh))

    def _append_history(self, tickets: Sequence[Ticket], fresh: Collection[str]) -> set[str]:
        known_ids = [ticket.id for ticket in tickets if ticket.id not in fresh]
        stored = sql.events_of(self._connection, known_ids)
        new: dict[str, list[rows.Row]] = {}
        for ticket in tickets:
            events, known = rows.event_rows(ticket), stored.get(ticket.id, [])
            if events[: len(known)] != known:
                raise StoreError(f"ticket {ticket.id}: its history may only grow, not be rewritten")
            new[ticket.id] = events[len(known) :]
        if added := [event for events in new.values() for event in events]:
            straight.insert(self._connection, schema.ticket_events, added)
        return {ticket_id for ticket_id, events in new.items() if events}

    def tickets_of(self, incident_ids: Sequence[str]) -> dict[str, Ticket]:
        """incident id -> its ticket, for those that have one."""
        about = self.tickets_about(incident_ids)
        return {ticket.incident_id: ticket for ticket in about if ticket.parent is None}

    def tickets_about(self, incident_ids: Sequence[str]) -> list[Ticket]:
        """The tickets of these incidents, those that were split from them included, by id."""
        table = schema.tickets
        known = [id for id in incident_ids if id not in self._founded]
        found = sql.select_in(self._connection, table, table.c.incident_id, known)
        return sorted(sql.tickets_of_rows(self._connection, found), key=lambda ticket: ticket.id)

    def add_looks(self, looks: Sequence[Look]) -> int:
        """Store the looks whose id is new; how many that were."""
        if not looks:
            return 0
        found = [rows.look_row(look) for look in looks]
        new = sql.insert_new(self._connection, schema.looks, found)
        cells = [
            {"cell": cell, "look_id": look.id}
            for look in {look.id: look for look in looks if look.id in new}.values()
            for cell in near.look_cells(look.polygon)
        ]
        if cells:
            straight.insert(self._connection, schema.look_cells, cells)
        starts = [look.start for look in looks if look.id in new]
        look_sheets.note_changes(self._connection, starts)
        return len(new)

    def looks_of(self, mission_id: str) -> list[Look]:
        """Stored looks of the mission, by start and id."""
        table = schema.looks
        mine = select(table).where(table.c.mission_id == mission_id)
        found = map(rows.look, self._connection.execute(mine).mappings())
        return sorted(found, key=lambda look: (look.start, look.id))

    def looks_around(self, places: Sequence[tuple[float, float]], radius_m: float) -> list[Look]:
        """Stored looks whose bounding box comes within radius_m of any of the places."""
        ranges = near.look_ranges_around(places, radius_m) if places else []
        found: dict[str, Look] = {}
        for row in sql.select_ranges(self._connection, schema.looks, sql.looks_in, ranges):
            found[row["id"]] = rows.look(row)
        close = [look for look in found.values() if _reaches(look, places, radius_m)]
        return sorted(close, key=lambda look: (look.start, look.id))

    def enqueue(self, messages: Sequence[OutboxMessage]) -> int:
        """Put messages into the outbox; how many were new. A known id is left as it is."""
        found = [rows.message_row(message) for message in messages]
        return len(sql.insert_new(self._connection, schema.outbox, found))

    def note_pictures(self, notes: Sequence[PictureNote]) -> int:
        """Add to the evidence log what is new of these pictures; how many lines. Call it last."""
        return evidence_log.append(self._connection, notes)

    def mission(self, mission_id: str) -> MissionRecord | None:
        """What is known of a mission that is over; None if it never ended."""
        return sql.mission(self._connection, mission_id)

    def finish_mission(self, record: MissionRecord) -> None:
        """Note that a mission is over, together with all that it found."""
        sql.upsert(self._connection, schema.missions, [rows.mission_row(record)])


def _last_of_each(found: Iterable[rows.Row]) -> list[rows.Row]:
    return list({row["id"]: row for row in found}.values())


def _within(
    found: Sequence[rows.Stored], lat_deg: float, lon_deg: float, radius_m: float
) -> list[rows.Stored]:
    lats = [row["lat_deg"] for row in found]
    lons = [row["lon_deg"] for row in found]
    close = distance_m(lat_deg, lon_deg, lats, lons) <= radius_m if found else ()
    return [row for row, is_close in zip(found, close, strict=True) if is_close]


def _reaches(look: Look, places: Sequence[tuple[float, float]], radius_m: float) -> bool:
    box = box_of(look.polygon)
    lat, lon = zip(*places, strict=True)
    nearest = [near.nearest_in_box(box, *place) for place in places]
    return bool((distance_m(lat, lon, *zip(*nearest, strict=True)) <= radius_m).any())
