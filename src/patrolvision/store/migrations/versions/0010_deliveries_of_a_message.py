"""The deliveries of a message are found by it, so that delivered ones can be let go.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_deliveries_message_id", "deliveries", ["message_id"])
