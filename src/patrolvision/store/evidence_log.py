"""The log of every picture kept and expired, each line sealed with the line before.

    seal = SHA-256 (seal before + "\\n" + the line's fields as canonical JSON)

Who changes, removes or inserts a line has to reseal all that follow, and the newest seal, noted
elsewhere, tells (`patrolvision evidence verify` prints it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select, text

from patrolvision.store import rows, schema, sql
from patrolvision.store.office_tables import evidence_log
from patrolvision.types import PictureNote
from patrolvision.types.instants import micros_of

LOG_LOCK = 0x6576_6964  # taken last in a transaction, so that nobody waits in a circle
FIRST_SEAL = "0" * 64
PAGE = 1000


def append(connection: Connection, notes: Sequence[PictureNote]) -> int:
    """Add the lines that say something new of their picture; how many they were.

    To be called last in a transaction: on PostgreSQL it holds up everybody who appends.
    """
    if not notes:
        return 0
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOG_LOCK})
    known = _last_words(connection, sorted({note.sha256 for note in notes}))
    position, seal = _end(connection)
    added: list[rows.Row] = []
    for note in notes:
        last = known.get((note.sha256, note.subject), "expired")
        if last == note.what:
            continue
        known[note.sha256, note.subject] = note.what
        position += 1
        line = _line(note)
        seal = sealed(seal, position, line)
        added.append({"position": position, **line, "seal": seal})
    if added:
        connection.execute(evidence_log.insert(), added)
    return len(added)


def sealed(before: str, position: int, line: rows.Stored) -> str:
    """The seal of a line that follows one with the seal `before`."""
    fields = {name: line[name] for name in ("sha256", "what", "subject", "actor")}
    content = {**fields, "position": position, "at": micros_of(line["at"])}
    return hashlib.sha256(f"{before}\n{schema.canonical_json(content)}".encode()).hexdigest()


def lines(connection: Connection) -> Iterator[rows.Stored]:
    """All lines in order."""
    position = 0
    while True:
        wanted = select(evidence_log).where(evidence_log.c.position > position)
        page = connection.execute(wanted.order_by(evidence_log.c.position).limit(PAGE)).mappings()
        found = page.all()
        yield from found
        if len(found) < PAGE:
            return
        position = found[-1]["position"]


def broken_at(found: Iterator[rows.Stored]) -> int | None:
    """Position of the first line whose seal or number is wrong; None if the chain is whole."""
    seal, expected = FIRST_SEAL, 1
    for line in found:
        if line["position"] != expected or line["seal"] != sealed(seal, expected, line):
            return expected
        seal, expected = line["seal"], expected + 1
    return None


def _line(note: PictureNote) -> dict[str, Any]:
    return {
        "sha256": note.sha256,
        "what": note.what,
        "at": note.at,
        "subject": note.subject,
        "actor": note.actor,
    }


def _end(connection: Connection) -> tuple[int, str]:
    newest = select(evidence_log.c.position, evidence_log.c.seal)
    row = connection.execute(newest.order_by(evidence_log.c.position.desc()).limit(1)).first()
    return (0, FIRST_SEAL) if row is None else (int(row.position), str(row.seal))


def _last_words(connection: Connection, hashes: Sequence[str]) -> dict[tuple[str, str], str]:
    found = sql.select_in(connection, evidence_log, evidence_log.c.sha256, hashes)
    lines_by_time = sorted(found, key=lambda row: int(row["position"]))
    return {(row["sha256"], row["subject"]): row["what"] for row in lines_by_time}
