"""`patrolvision evidence`: prove that kept pictures are as they were, and let old ones go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from patrolvision import wiring
from patrolvision.config import OfficeSettings, load_office
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED
from patrolvision.evidence.pictures import is_intact
from patrolvision.store import evidence_log
from patrolvision.store.audit import AuditLine
from patrolvision.store.engine import reading
from patrolvision.store.picture_owners import (
    Claim,
    KeptPicture,
    claims,
    forget_replies,
    kept_pictures,
    unlogged,
)
from patrolvision.store.sql_store import SqlStore
from patrolvision.tickets.retention import NO_TICKET, Keeping, kept_for, load_retention
from patrolvision.types import PictureNote

ACTOR = "retention"
BATCH = 500
REPLIES_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a check of the evidence found; seal is the newest one, to be noted elsewhere."""

    lines: int
    seal: str
    broken_at: int | None
    altered: tuple[str, ...]
    missing: tuple[str, ...]
    kept: int
    unlogged: tuple[str, ...] = ()  # named by findings, kept before there was a log

    @property
    def holds(self) -> bool:
        """Whether log and pictures are as they were."""
        return self.broken_at is None and not self.altered and not self.missing


def proof(store: SqlStore, media: Path) -> Proof:
    """Check every seal of the log and the bytes of every picture that is still kept."""
    with reading(store.engine) as connection:
        lines, seal = 0, evidence_log.FIRST_SEAL
        for line in evidence_log.lines(connection):
            lines, seal = lines + 1, line["seal"]
        broken = evidence_log.broken_at(evidence_log.lines(connection))
        pictures = kept_pictures(connection)
        older = tuple(sorted({note.sha256 for note in unlogged(connection)}))
    altered, missing = [], []
    for picture in pictures:
        try:
            content = path_of(media, picture.sha256).read_bytes()
        except OSError:
            missing.append(picture.sha256)
            continue
        if not is_intact(content, picture.sha256):
            altered.append(picture.sha256)
    return Proof(lines, seal, broken, tuple(altered), tuple(missing), len(pictures), older)


def adopt(store: SqlStore, media: Path) -> tuple[int, list[str]]:
    """Take pictures that are older than the log into it: how many, and those that are not whole.

    A picture is named by the hash of its bytes, so that what was changed before shows itself; it is
    left out, and named. From now on it is proved and expires like every other.
    """
    with reading(store.engine) as connection:
        notes = unlogged(connection)
    whole = {n.sha256: _is_whole(media, n.sha256) for n in notes}
    chosen = [note for note in notes if whole[note.sha256]]
    for start in range(0, len(chosen), BATCH):
        with store.transaction() as transaction:
            transaction.note_pictures(chosen[start : start + BATCH])
    return sum(whole.values()), sorted(name for name, intact in whole.items() if not intact)


def _is_whole(media: Path, sha256: str) -> bool:
    try:
        return is_intact(path_of(media, sha256).read_bytes(), sha256)
    except OSError:
        return False


def path_of(media: Path, sha256: str) -> Path:
    """Where a picture of this hash lies."""
    return media / "evidence" / sha256[:2] / f"{sha256}.jpg"


def overdue(
    pictures: Sequence[KeptPicture],
    wanted: Sequence[Sequence[Claim]],
    rules: Sequence[Keeping],
    now: datetime,
) -> Iterator[KeptPicture]:
    """The pictures that nothing wants any more: each is kept as long as its last claim lasts."""
    for picture, found in zip(pictures, wanted, strict=True):
        bare = [Claim("*", None, picture.at)]
        until = max(
            claim.since + kept_for(rules, claim.category, claim.state or NO_TICKET)
            for claim in (found or bare)
        )
        if until < now:
            yield picture


def expire(store: SqlStore, media: Path, rules: Sequence[Keeping], now: datetime) -> int:
    """Delete the pictures whose time is over and say so in the evidence log; how many."""
    with reading(store.engine) as connection:
        pictures = kept_pictures(connection)
        wanted = list(claims(connection, pictures))
    old = list(overdue(pictures, wanted, rules, now))
    for start in range(0, len(old), BATCH):
        _let_go(store, media, old[start : start + BATCH], now)
    with store.transaction() as transaction:
        forget_replies(transaction.connection, now - REPLIES_KEPT)
    return len(old)


def _let_go(store: SqlStore, media: Path, old: Sequence[KeptPicture], now: datetime) -> None:
    # The files first: a crash in between leaves the log saying too much, and the next run mends it.
    for picture in old:
        path_of(media, picture.sha256).unlink(missing_ok=True)
    with store.transaction() as transaction:
        for picture in old:
            transaction.note(AuditLine(now, ACTOR, "picture_expired", picture.sha256))
        transaction.note_pictures(
            [
                PictureNote(picture.sha256, "expired", now, subject, ACTOR)
                for picture in old
                for subject in picture.subjects
            ]
        )


def main(args: argparse.Namespace) -> int:
    """Verify or expire, and say in one line what came of it."""
    settings = load_office(args.office) if args.office is not None else OfficeSettings()
    store = wiring.store(args.db, create=False)
    try:
        media = args.media or settings.media or store.folder
        if args.act == "expire":
            gone = expire(store, media, load_retention(settings.table_files), datetime.now(UTC))
            sys.stdout.write(f"{gone} pictures expired\n")
            return EXIT_OK
        if args.act == "adopt":
            return _adopted(*adopt(store, media))
        return _told(proof(store, media))
    finally:
        store.close()


def _told(found: Proof) -> int:
    sys.stdout.write(f"{found.lines} lines, {found.kept} pictures kept, seal {found.seal}\n")
    if found.broken_at is not None:
        sys.stdout.write(f"line {found.broken_at} of the evidence log was changed\n")
    for name in found.altered:
        sys.stdout.write(f"{name}: the picture was changed\n")
    for name in found.missing:
        sys.stdout.write(f"{name}: the picture is missing\n")
    if found.unlogged:
        sys.stdout.write(
            f"{len(found.unlogged)} pictures were kept before there was a log: they are not proved "
            "and never expire, until `patrolvision evidence adopt` takes them in\n"
        )
    return EXIT_OK if found.holds else EXIT_SOME_ITEMS_FAILED


def _adopted(count: int, damaged: Sequence[str]) -> int:
    sys.stdout.write(f"{count} pictures taken into the evidence log\n")
    for name in damaged:
        sys.stdout.write(f"{name}: missing or changed before there was a log, left out\n")
    return EXIT_SOME_ITEMS_FAILED if damaged else EXIT_OK
