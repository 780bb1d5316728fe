"""What is told to the neighbours and heard from citizens.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables of neighbour_tables.py."""
    op.create_table(
        "citizen_reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("service_code", ID, nullable=False),
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("media_url", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_citizen_reports_incident_id", "citizen_reports", ["incident_id"], unique=False
    )
    op.create_index("ix_citizen_reports_ticket_id", "citizen_reports", ["ticket_id"], unique=False)
    op.create_table(
        "pushed_requests",
        sa.Column("sink", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("service_request_id", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sink", "ticket_id"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("cooldown_s", sa.Integer(), nullable=False),
        sa.Column("max_per_hour", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("sink", ID, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("is_urgent", sa.Integer(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("bundle", ID, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", ID, nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["outbox.id"],
        ),
        sa.PrimaryKeyConstraint("sink", "message_id"),
    )
    op.create_index(
        "ix_deliveries_sink_state_position",
        "deliveries",
        ["sink", "state", "position"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_sink_state_settled_at",
        "deliveries",
        ["sink", "state", "settled_at"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_sink_subject_state",
        "deliveries",
        ["sink", "subject", "state", "position"],
        unique=False,
    )
    op.create_table(
        "reporters",
        sa.Column("report_id", ID, nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("delete_after", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["citizen_reports.id"],
        ),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_index("ix_reporters_delete_after", "reporters", ["delete_after"], unique=False)
    op.add_column("outbox", sa.Column("routed_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_outbox_routed_at_position", "outbox", ["routed_at", "position"], unique=False
    )
