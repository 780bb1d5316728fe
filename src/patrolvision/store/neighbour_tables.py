"""The tables of what is told to the neighbours and heard from citizens.

A delivery is one outbox message on its way to one sink. Messages of one subject (a ticket) reach a
sink in their order; a bundle is a set of deliveries that go out as one and keeps its key for ever.
Citizens' contacts stand in a table of their own, so that they can be deleted without touching what
they reported.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, Table, Text

from patrolvision.store.schema import CanonicalJson, Id, Instant, metadata

deliveries = Table(
    "deliveries",
    metadata,
    Column("sink", Id, primary_key=True),
    Column("message_id", Id, ForeignKey("outbox.id"), primary_key=True),
    Column("position", BigInteger, nullable=False),  # that of the message in the outbox
    Column("subject", Id, nullable=False),
    Column("is_urgent", Integer, nullable=False),
    Column("state", Id, nullable=False),  # waiting | done | dead
    Column("bundle", Id),  # given with the first claim
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("lease", Id),
    Column("settled_at", Instant),
    Column("last_error", Text),
    Index("ix_deliveries_message_id", "message_id"),
    Index("ix_deliveries_sink_state_position", "sink", "state", "position"),
    Index("ix_deliveries_sink_subject_state", "sink", "subject", "state", "position"),
    Index("ix_deliveries_sink_state_settled_at", "sink", "state", "settled_at"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("url", Text, nullable=False),
    Column(
        "secret", Text, nullable=False
    ),  # sealed; it signs what goes out, so it cannot be hashed
    Column("topics", CanonicalJson, nullable=False),
    Column("categories", CanonicalJson, nullable=False),
    Column("cooldown_s", Integer, nullable=False),
    Column("max_per_hour", Integer),
    Column("created_at", Instant, nullable=False),
)

citizen_reports = Table(
    "citizen_reports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("service_code", Id, nullable=False),
    Column("incident_id", Id, nullable=False),
    Column("ticket_id", Id, nullable=False),
    Column("lat_deg", Double, nullable=False),
    Column("lon_deg", Double, nullable=False),
    Column("joined", Integer, nullable=False),  # 1: it confirmed what was known already
    Column("description", Text),
    Column("address", Text),
    Column("media_url", Text),
    Column("attributes", CanonicalJson, nullable=False),
    Index("ix_citizen_reports_ticket_id", "ticket_id"),
    Index("ix_citizen_reports_incident_id", "incident_id"),
)

reporters = Table(
    "reporters",
    metadata,
    Column("report_id", Id, ForeignKey("citizen_reports.id"), primary_key=True),
    Column("contact", CanonicalJson, nullable=False),  # {"sealed": …}
    Column("delete_after", Instant),  # set when the case is over; None: it is still open
    Index("ix_reporters_delete_after", "delete_after"),
)

pushed_requests = Table(
    "pushed_requests",
    metadata,
    Column("sink", Id, primary_key=True),
    Column("ticket_id", Id, primary_key=True),
    Column("service_request_id", Text),
    Column("token", Text),
    Column("pushed_at", Instant, nullable=False),
    Column("asked_at", Instant),  # when it was last asked how the request stands
    Column("said", Text),  # what it said then: status and notes, as JSON
)
