"""The office: numbers, splits and merges of tickets, accounts, keys, audit, evidence, verdicts.

The tickets are copied into a table of the new form: SQLite cannot drop a constraint.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COPIED = """
INSERT INTO tickets (
    id, incident_id, category, state, priority, cell, lat_deg, lon_deg, cov_ee_m2, cov_en_m2,
    cov_nn_m2, unit_grid, responsible_grid, segment, assignee, due_at, opened_at,
    level, urged, version
)
SELECT
    id, incident_id, category, state, priority, cell, lat_deg, lon_deg, cov_ee_m2, cov_en_m2,
    cov_nn_m2, unit_grid, responsible_grid, segment, assignee, due_at, opened_at,
    0, 0, events
FROM tickets_kept
JOIN (SELECT ticket_id, count(*) AS events FROM ticket_events_kept GROUP BY ticket_id) AS counted
ON ticket_id = id
"""


def upgrade() -> None:
    """Renew the tables of tickets and create those of the office."""
    op.execute("CREATE TABLE ticket_events_kept AS SELECT * FROM ticket_events")
    op.execute("CREATE TABLE tickets_kept AS SELECT * FROM tickets")
    op.drop_table("ticket_events")
    op.drop_table("tickets")
    _create_tickets()
    op.execute(COPIED)
    op.execute(
        "INSERT INTO ticket_events (ticket_id, position, at, state, actor, note, action, data) "
        "SELECT ticket_id, position, at, state, actor, note, '', '{}' FROM ticket_events_kept"
    )
    if op.get_bind().dialect.name == "postgresql":
        # What is deferred to the end of the transaction would keep later steps from altering them.
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_table("ticket_events_kept")
    op.drop_table("tickets_kept")
    _create_people()
    _create_memory()


def _create_tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", ID, nullable=False),
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("priority", ID, nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("cov_ee_m2", sa.Double(), nullable=False),
        sa.Column("cov_en_m2", sa.Double(), nullable=False),
        sa.Column("cov_nn_m2", sa.Double(), nullable=False),
        sa.Column("unit_grid", ID, nullable=True),
        sa.Column("responsible_grid", ID, nullable=True),
        sa.Column("segment", ID, nullable=True),
        sa.Column("assignee", ID, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("number", ID, nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("urged", sa.Integer(), nullable=False),
        sa.Column("merged_into", ID, nullable=True),
        sa.Column("parent", ID, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tickets_opened_at_id", "tickets", ["opened_at", "id"])
    op.create_index("uq_tickets_number", "tickets", ["number"], unique=True)
    op.create_index("ix_tickets_incident_id", "tickets", ["incident_id"])
    op.create_index(
        "uq_tickets_incident_id",
        "tickets",
        ["incident_id"],
        unique=True,
        sqlite_where=sa.text("parent IS NULL"),
        postgresql_where=sa.text("parent IS NULL"),
    )
    op.create_table(
        "ticket_events",
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"]),
        sa.PrimaryKeyConstraint("ticket_id", "position"),
    )


def _create_people() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("crew", ID, nullable=True),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sessions_account", "sessions", ["account"])
    op.create_table(
        "login_failures",
        sa.Column("subject", ID, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("role", ID, nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("device", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "office_facts",
        sa.Column("name", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "counters",
        sa.Column("name", ID, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_memory() -> None:
    op.create_table(
        "audit",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "evidence_log",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.Column("what", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_evidence_log_sha256", "evidence_log", ["sha256"])
    op.create_table(
        "verdicts",
        sa.Column("id", ID, nullable=False),
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("category", ID, nullable=False),
        sa.Column("class_name", ID, nullable=False),
        sa.Column("verdict", ID, nullable=False),
        sa.Column("cause", ID, nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("model_releases", sa.Text(), nullable=False),
        sa.Column("observation_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_verdicts_incident_id", "verdicts", ["incident_id"])
    op.create_index("ix_verdicts_at_id", "verdicts", ["at", "id"])
    op.create_table(
        "replies",
        sa.Column("id", ID, nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_replies_at", "replies", ["at"])
