"""The tables of the office: who works here, what was decided, who looked at which picture.

None of it is content of the store in the sense of SqlStore.digest.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from patrolvision.store.schema import CanonicalJson, Id, Instant, metadata

Position = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("name", Id, primary_key=True),
    Column("role", Id, nullable=False),
    Column("areas", CanonicalJson, nullable=False),
    Column("crew", Id),
    Column("password", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

# id is the SHA-256 of what the browser holds, so that a copy of the database opens no session.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account", Id, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_sessions_account", "account"),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("subject", Id, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("role", Id),
    Column("scopes", CanonicalJson, nullable=False),
    Column("areas", CanonicalJson, nullable=False),
    Column("device", Id),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", Instant),
    Column("used_at", Instant),
)

facts = Table(
    "office_facts",
    metadata,
    Column("name", Id, primary_key=True),
    Column("value", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Id, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("position", Position, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Id, nullable=False),
    Column("subject", Id, nullable=False),
    Column("address", Text, nullable=False),
    Column("data", CanonicalJson, nullable=False),
    Index("ix_audit_subject", "subject"),
    Index("ix_audit_at", "at"),
)

# Every picture that was kept and every one that expired, each line sealed with the one before.
evidence_log = Table(
    "evidence_log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", Id, nullable=False),
    Column("what", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("subject", Id, nullable=False),
    Column("actor", Text, nullable=False),
    Column("seal", Text, nullable=False),
    Index("ix_evidence_log_sha256", "sha256"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", Id, nullable=False),
    Column("ticket_id", Id),
    Column("category", Id, nullable=False),
    Column("class_name", Id, nullable=False),
    Column("verdict", Id, nullable=False),
    Column("cause", Id),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("model_releases", CanonicalJson, nullable=False),
    Column("observation_ids", CanonicalJson, nullable=False),
    Index("ix_verdicts_incident_id", "incident_id"),
    Index("ix_verdicts_at_id", "at", "id"),
)

# What a write call was answered, under its Idempotency-Key.
replies = Table(
    "replies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("asked", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", CanonicalJson, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_replies_at", "at"),
)
