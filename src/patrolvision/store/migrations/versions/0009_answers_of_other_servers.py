"""What other Open311 servers say later of tickets that were sent to them.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add when they were asked, and what they said."""
    op.add_column("pushed_requests", sa.Column("asked_at", sa.BigInteger(), nullable=True))
    op.add_column("pushed_requests", sa.Column("said", sa.Text(), nullable=True))
