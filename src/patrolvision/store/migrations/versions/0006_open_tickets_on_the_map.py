"""An index for the tickets of a state in a window of the map.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_tickets_state_quad", "tickets", ["state", "quad"])
