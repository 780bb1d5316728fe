"""What is urgent is listed by its deadline from an index alone.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = ["priority", "state", "opened_at", "id"]
INDEX = "ix_tickets_priority_state_opened_at_id"


def upgrade() -> None:
    """Hold the deadline in the index of priorities: two thousand rows need not be read for it."""
    op.drop_index(INDEX, "tickets")
    op.create_index(f"{INDEX}_due_at", "tickets", [*COLUMNS, "due_at"])
