"""The tables of dispatch: crews, devices, the layers of the map, and reports that were kept.

What reports of the past rest on is never overwritten: a change of a crew or of a layer is a new
row, so that what was true at an instant can be asked for. None of it is content of the store in the
sense of SqlStore.digest.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text

from patrolvision.store.schema import CanonicalJson, Id, Instant, metadata

Position = BigInteger().with_variant(Integer, "sqlite")

crews = Table(
    "crews",
    metadata,
    Column("id", Id, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("since", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("content", CanonicalJson, nullable=False),
)

crew_positions = Table(
    "crew_positions",
    metadata,
    Column("crew_id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("lat_deg", Double, nullable=False),
    Column("lon_deg", Double, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Id, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("content", CanonicalJson, nullable=False),
    Column("heard_at", Instant),
    Column("heartbeat", CanonicalJson),
    Index("ix_devices_kind_id", "kind", "id"),
)

# kind: zones or grids; content is the GeoJSON text as it was put.
areas = Table(
    "areas",
    metadata,
    Column("kind", Id, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("since", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("sha256", Id, nullable=False),
    Column("content", Text, nullable=False),
)

# A report that was kept, as text; name says of which period, city and revision.
approved_reports = Table(
    "approved_reports",
    metadata,
    Column("name", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("content", Text, nullable=False),
)
