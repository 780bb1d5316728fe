"""Sheets of what was looked at by day, and how often a day's looks changed.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DAY_US = 86_400 * 1_000_000


def upgrade() -> None:
    """Create the tables; every day that has looks has changed once."""
    op.create_table(
        "look_changes",
        sa.Column("position", POSITION, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("ix_look_changes_day", "look_changes", ["day"])
    op.create_table(
        "look_sheets",
        sa.Column("grids", ID, nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("grids", "day", "part"),
    )
    looks = sa.table("looks", sa.column("start_at", sa.BigInteger()))
    changes = sa.table("look_changes", sa.column("day"), sa.column("changes"))
    days = sa.select(looks.c.start_at // DAY_US, sa.literal(1)).distinct()
    op.execute(sa.insert(changes).from_select(["day", "changes"], days))
