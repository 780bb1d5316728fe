"""One index of places that knows the state: another one led SQLite to sort a whole state.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put one index in the place of two."""
    op.drop_index("ix_tickets_quad", "tickets")
    op.drop_index("ix_tickets_state_quad", "tickets")
    op.create_index("ix_tickets_quad_state", "tickets", ["quad", "state"])
