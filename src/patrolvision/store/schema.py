"""The tables, once for SQLite and PostgreSQL; the migrations build them, a test compares the two.

Instants are UTC microseconds since 1970, so that both engines keep and order them exactly. A
covariance is three columns (east-east, east-north, north-north). `cell` is the integer grid cell of
`near.py`. JSON is text in one canonical form, so that equal content is equal text everywhere.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

from patrolvision.types.instants import instant_of, micros_of


class Instant(TypeDecorator[datetime]):
    """An aware datetime as an integer of UTC microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Integer of the column."""
        return micros_or_none(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """Datetime in UTC."""
        return instant_or_none(value)


class CanonicalJson(TypeDecorator[Any]):
    """A JSON value as text with sorted keys and no spaces; floats survive exactly."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        """Text of the column."""
        return canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """The JSON value; lists where tuples went in."""
        return json_or_none(value)


def micros_or_none(value: datetime | None) -> int | None:
    """What a column of instants holds."""
    return None if value is None else micros_of(value)


def instant_or_none(value: int | None) -> datetime | None:
    """The datetime in UTC that a column of instants holds."""
    return None if value is None else instant_of(value)


def json_or_none(value: str | None) -> Any:
    """What a column of JSON says; lists where tuples went in."""
    return None if value is None else orjson.loads(value)


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> str:
    """One text for one JSON value, whatever the order of its keys."""
    return _CANONICAL.encode(value)


# The same order of ids in both engines and in Python: by code point, not by a language's rules.
Id = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()


def _place() -> list[Column[Any]]:
    names = ("lat_deg", "lon_deg", "cov_ee_m2", "cov_en_m2", "cov_nn_m2")
    return [
        Column("cell", BigInteger, nullable=False),
        *(Column(name, Double, nullable=False) for name in names),
    ]


def _required(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


observations = Table(
    "observations",
    metadata,
    Column("id", Id, primary_key=True),
    _required("mission_id", Id),
    _required("stream_id", Id),
    _required("class_name", Id),
    _required("first_seen", Instant),
    _required("last_seen", Instant),
    *_place(),
    _required("confidence", Double),
    _required("frames", BigInteger),
    Column("speed_mps", Double),
    Column("speed_sigma_mps", Double),
    Column("bias_ee_m2", Double),
    Column("bias_en_m2", Double),
    Column("bias_nn_m2", Double),
    Column("size_m2", Double),
    Column("model_release", Text),
    _required("sights", CanonicalJson),
    Index("ix_observations_cell", "cell"),
    Index("ix_observations_first_seen_id", "first_seen", "id"),
    Index("ix_observations_mission_id_first_seen_id", "mission_id", "first_seen", "id"),
    Index("ix_observations_class_name_first_seen_id", "class_name", "first_seen", "id"),
)

findings = Table(
    "findings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("observation_id", Id, ForeignKey("observations.id"), nullable=False),
    _required("category", Id),
    _required("kind", Id),
    _required("score", Double),
    Column("zone_id", Text),
    _required("priority", Id),
    _required("evidence", CanonicalJson),
    Index("ix_findings_observation_id", "observation_id"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True),
    _required("category", Id),
    _required("kind", Id),
    _required("status", Id),
    _required("class_name", Id),
    *_place(),
    _required("first_seen", Instant),
    _required("last_seen", Instant),
    _required("observation_ids", CanonicalJson),
    _required("mission_ids", CanonicalJson),
    Column("zone_id", Text),
    _required("score", Double),
    _required("priority", Id),
    Column("previous_incident_id", Id),
    Column("removed_at", Instant),
    _required("evidence", CanonicalJson),
    Index("ix_incidents_first_seen_id", "first_seen", "id"),
    Index("ix_incidents_cell", "cell"),
    Index("ix_incidents_status_first_seen_id", "status", "first_seen", "id"),
    Index("ix_incidents_kind_first_seen_id", "kind", "first_seen", "id"),
)

# Which incident holds which observation: the key keeps two incidents from sharing one, and finds
# them by observation. Deferred, so that the order of saving within a transaction does not matter.
incident_observations = Table(
    "incident_observations",
    metadata,
    _required("category", Id),
    Column(
        "observation_id",
        Id,
        ForeignKey("observations.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column(
        "incident_id",
        Id,
        ForeignKey("incidents.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    PrimaryKeyConstraint("observation_id", "category"),
    Index("ix_incident_observations_incident_id", "incident_id"),
    sqlite_with_rowid=False,
)

# What tickets are listed by, newest first: an index for each, so that a page is read and no more.
# What is urgent is listed by its deadline as well, and sorted: it stands in the index beside.
LISTED_BY = (
    ("state", "opened_at", "id"),
    ("category", "state", "opened_at", "id"),
    ("priority", "state", "opened_at", "id", "due_at"),
)
LISTED_BY_CODE = ("assignee", "unit_grid", "responsible_grid", "segment")


def _index_of_known(name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows in which the first column has a value: nobody asks for those without."""
    known = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, unique=unique, sqlite_where=known, postgresql_where=known)


# What is asked of the tickets of a box of the map: all of it stands in the index of places.
OF_PLACES = (
    "quad", "opened_at", "id", "state", "category", "priority", "due_at", "lat_deg", "lon_deg",
    "number", "assignee",
)  # fmt: skip

tickets = Table(
    "tickets",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "incident_id",
        Id,
        ForeignKey("incidents.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    _required("category", Id),
    _required("state", Id),
    _required("priority", Id),
    *_place(),
    Column("unit_grid", Id),
    Column("responsible_grid", Id),
    Column("segment", Id),
    Column("assignee", Id),
    Column("due_at", Instant),
    _required("opened_at", Instant),
    Column("number", Id),
    _required("level", Integer),
    _required("urged", Integer),
    Column("merged_into", Id),
    Column("parent", Id),
    _required("version", Integer),
    Column("quad", BigInteger, nullable=False, server_default=text("0")),  # quads.py
    Column("life", Text),  # lives.py
    Index("ix_tickets_opened_at_id", "opened_at", "id"),
    Index("ix_tickets_quad", *OF_PLACES),
    Index("ix_tickets_state_due_at_id", "state", "due_at", "id"),
    *(Index(f"ix_tickets_{'_'.join(names)}", *names) for names in LISTED_BY),
    *(
        _index_of_known(f"ix_tickets_{name}_state_opened_at_id", name, "state", "opened_at", "id")
        for name in LISTED_BY_CODE
    ),
    _index_of_known("uq_tickets_number", "number", unique=True),
    Index("ix_tickets_incident_id", "incident_id"),
)
# One ticket an incident, beside those that were split from it.
Index(
    "uq_tickets_incident_id",
    tickets.c.incident_id,
    unique=True,
    sqlite_where=tickets.c.parent.is_(None),
    postgresql_where=tickets.c.parent.is_(None),
)

ticket_events = Table(
    "ticket_events",
    metadata,
    Column("ticket_id", Id, ForeignKey("tickets.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _required("at", Instant),
    _required("state", Id),
    _required("actor", Text),
    _required("note", Text),
    _required("action", Text),
    _required("data", CanonicalJson),
    Index("ix_ticket_events_state_at_ticket_id", "state", "at", "ticket_id"),
)

looks = Table(
    "looks",
    metadata,
    Column("id", Id, primary_key=True),
    _required("mission_id", Id),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant, nullable=False),
    _required("classes", CanonicalJson),
    _required("polygon", CanonicalJson),
    _required("detection_probability", Double),
    Index("ix_looks_start_at_id", "start_at", "id"),
    Index("ix_looks_mission_id", "mission_id"),
)

look_cells = Table(
    "look_cells",
    metadata,
    Column("cell", BigInteger, primary_key=True, autoincrement=False),
    Column("look_id", Id, ForeignKey("looks.id"), primary_key=True),
)

missions = Table(
    "missions",
    metadata,
    Column("id", Id, primary_key=True),
    _required("digest", Text),
    _required("state", Id),
    _required("counts", CanonicalJson),
    _required("finished_at", Instant),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Id, nullable=False),
    _required("topic", Id),
    _required("payload", CanonicalJson),
    Column("routed_at", Instant),  # when it was put on its way to the sinks; None: not yet
    UniqueConstraint("id", name="uq_outbox_id"),
    Index("ix_outbox_routed_at_position", "routed_at", "position"),
)
