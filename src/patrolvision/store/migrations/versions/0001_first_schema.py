"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("status", ID, nullable=False),
        sa.Column("class_name", ID, nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("cov_ee_m2", sa.Double(), nullable=False),
        sa.Column("cov_en_m2", sa.Double(), nullable=False),
        sa.Column("cov_nn_m2", sa.Double(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("observation_ids", sa.Text(), nullable=False),
        sa.Column("mission_ids", sa.Text(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("priority", ID, nullable=False),
        sa.Column("previous_incident_id", ID, nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incidents_category_cell", "incidents", ["category", "cell"], unique=False)
    op.create_index("ix_incidents_first_seen_id", "incidents", ["first_seen", "id"], unique=False)
    op.create_table(
        "looks",
        sa.Column("id", ID, nullable=False),
        sa.Column("mission_id", ID, nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
        sa.Column("polygon", sa.Text(), nullable=False),
        sa.Column("detection_probability", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_looks_start_at_id", "looks", ["start_at", "id"], unique=False)
    op.create_table(
        "missions",
        sa.Column("id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "observations",
        sa.Column("id", ID, nullable=False),
        sa.Column("mission_id", ID, nullable=False),
        sa.Column("stream_id", ID, nullable=False),
        sa.Column("class_name", ID, nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("lat_deg", sa.Double(), nullable=False),
        sa.Column("lon_deg", sa.Double(), nullable=False),
        sa.Column("cov_ee_m2", sa.Double(), nullable=False),
        sa.Column("cov_en_m2", sa.Double(), nullable=False),
        sa.Column("cov_nn_m2", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("speed_mps", sa.Double(), nullable=True),
        sa.Column("speed_sigma_mps", sa.Double(), nullable=True),
        sa.Column("bias_ee_m2", sa.Double(), nullable=True),
        sa.Column("bias_en_m2", sa.Double(), nullable=True),
        sa.Column("bias_nn_m2", sa.Double(), nullable=True),
        sa.Column("size_m2", sa.Double(), nullable=True),
        sa.Column("model_release", sa.Text(), nullable=True),
        sa.Column("sights", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_observations_cell", "observations", ["cell"], unique=False)
    op.create_index(
        "ix_observations_first_seen_id", "observations", ["first_seen", "id"], unique=False
    )
    op.create_table(
        "outbox",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("topic", ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )
    op.create_table(
        "findings",
        sa.Column("id", ID, nullable=False),
        sa.Column("observation_id", ID, nullable=False),
        sa.Column("category", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("zone_id", sa.Text(), nullable=True),
        sa.Column("priority", ID, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"],
            ["observations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_findings_observation_id", "findings", ["observation_id"], unique=False)
    op.create_table(
        "incident_observations",
        sa.Column("category", ID, nullable=False),
        sa.Column("observation_id", ID, nullable=False),
        sa.Column("incident_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observations.id"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("category", "observation_id"),
    )
    op.create_index(
        "ix_incident_observations_incident_id",
        "incident_observations",
        ["incident_id"],
        unique=False,
    )
    op.create_index(
        "ix_incident_observations_observation_id",
        "incident_observations",
        ["observation_id"],
        unique=False,
    )
    op.create_table(
        "look_cells",
        sa.Column("cell", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("look_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["look_id"],
            ["looks.id"],
        ),
        sa.PrimaryKeyConstraint("cell", "look_id"),
    )
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
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", name="uq_tickets_incident_id"),
    )
    op.create_index("ix_tickets_opened_at_id", "tickets", ["opened_at", "id"], unique=False)
    op.create_table(
        "ticket_events",
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["tickets.id"],
        ),
        sa.PrimaryKeyConstraint("ticket_id", "position"),
    )
