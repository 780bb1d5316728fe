"""The table of what a person decided about which observations are one thing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Table, Text, select

from patrolvision.store import sql, straight
from patrolvision.store.schema import CanonicalJson, Id, Instant, metadata
from patrolvision.types import HandDecision

hand_decisions = Table(
    "hand_decisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("category", Id, nullable=False),
    Column("groups", CanonicalJson, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Column("undone_at", Instant),
    Column("undone_by", Text),
)
BY_TIME = select(hand_decisions).order_by(hand_decisions.c.at, hand_decisions.c.id)


def save(connection: Connection, decisions: Sequence[HandDecision]) -> int:
    """Insert or replace by id; how many changed."""
    names = [column.name for column in hand_decisions.c]
    found = [{name: getattr(decision, name) for name in names} for decision in decisions]
    for row in found:
        row["groups"] = [list(group) for group in row["groups"]]
    return len(sql.upsert(connection, hand_decisions, found))


def read(connection: Connection) -> list[HandDecision]:
    """All decisions, also those taken back, by time and id."""
    found = straight.fetched_of(connection, hand_decisions, BY_TIME, {})
    return [
        HandDecision(**(row | {"groups": tuple(tuple(group) for group in row["groups"])}))
        for row in found
    ]
