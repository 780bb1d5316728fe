"""What is written for each sight and ticket touches fewer pages.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MEMBERS = "incident_observations"
KEY = ["observation_id", "category"]
CODES = ("assignee", "unit_grid", "responsible_grid", "segment")


def upgrade() -> None:
    """Leave out of indexes what has no value, and whatever another index answers as well."""
    op.drop_index("ix_incidents_category_cell", "incidents")
    for name in CODES:
        columns = [name, "state", "opened_at", "id"]
        _index_of_known(f"ix_tickets_{name}_state_opened_at_id", columns, unique=False)
    _index_of_known("uq_tickets_number", ["number"], unique=True)
    op.drop_index("ix_incident_observations_observation_id", MEMBERS)
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(f"{MEMBERS}_pkey", MEMBERS)
        op.create_primary_key(f"{MEMBERS}_pkey", MEMBERS, KEY)
    else:
        _rebuild_members()


def _index_of_known(index: str, columns: list[str], *, unique: bool) -> None:
    known = sa.text(f"{columns[0]} IS NOT NULL")
    op.drop_index(index, "tickets")
    op.create_index(
        index, "tickets", columns, unique=unique, sqlite_where=known, postgresql_where=known
    )


def _rebuild_members() -> None:
    """SQLite: the rows themselves stand in the order of the key."""
    op.drop_index("ix_incident_observations_incident_id", MEMBERS)
    op.rename_table(MEMBERS, "members_before")
    op.create_table(
        MEMBERS,
        sa.Column("category", ID, nullable=False),
        sa.Column("observation_id", ID, nullable=False),
        sa.Column("incident_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observations.id"], initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint(*KEY),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO incident_observations (category, observation_id, incident_id) "
        "SELECT category, observation_id, incident_id FROM members_before ORDER BY 2, 1"
    )
    op.drop_table("members_before")
    op.create_index("ix_incident_observations_incident_id", MEMBERS, ["incident_id"])
