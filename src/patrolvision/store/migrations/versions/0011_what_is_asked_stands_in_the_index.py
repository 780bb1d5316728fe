"""What lists and map ask of a box or a crew's open tickets stands in the index.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CODES = ("assignee", "unit_grid", "responsible_grid", "segment")
OF_PLACES = (
    "quad", "opened_at", "id", "state", "category", "priority", "due_at", "lat_deg", "lon_deg",
    "number", "assignee",
)  # fmt: skip


def upgrade() -> None:
    """Put wider indexes in the place of narrower ones."""
    op.drop_index("ix_tickets_quad_state", "tickets")
    op.create_index("ix_tickets_quad", "tickets", list(OF_PLACES))
    for name in CODES:
        op.drop_index(f"ix_tickets_{name}_opened_at_id", "tickets")
        columns = [name, "state", "opened_at", "id"]
        op.create_index(f"ix_tickets_{name}_state_opened_at_id", "tickets", columns)
