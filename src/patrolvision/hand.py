"""`patrolvision incidents merge | split | undo | decisions`: put right what was counted wrong."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from patrolvision import wiring
from patrolvision.config import settings_on
from patrolvision.errors import EXIT_OK, EXIT_SOME_ITEMS_FAILED, ConfigError
from patrolvision.incidents import hand
from patrolvision.pipeline import decide
from patrolvision.rules.rulebook import Rulebook
from patrolvision.store.sql_store import SqlStore
from patrolvision.types import HandDecision, Incident

USAGE = {
    "merge": "merge INCIDENT INCIDENT",
    "split": "split INCIDENT --observations ID …",
    "undo": "undo DECISION",
    "decisions": "decisions",
}


def main(args: argparse.Namespace) -> int:
    """One merge or split, its undoing, or the list of them."""
    act, *named = args.words
    wanted = {"merge": 2, "split": 1, "undo": 1, "decisions": 0}
    if act not in wanted:
        raise ConfigError(f"incidents: expected one of {', '.join(USAGE)}, found {act!r}")
    if len(named) != wanted[act] or (act == "split") != bool(args.observations):
        raise ConfigError(f"incidents: expected {USAGE[act]}")
    store = wiring.store(args.db, create=False)
    try:
        if act == "decisions":
            _print([_record(decision) for decision in store.hand_decisions()])
            return EXIT_OK
        return _decided(store, act, named, args)
    finally:
        store.close()


def _decided(store: SqlStore, act: str, named: list[str], args: argparse.Namespace) -> int:
    failed: dict[str, str] = {}
    at = datetime.now(UTC)
    with store.transaction() as transaction:
        transaction.claim_all()
        incidents = [_known(transaction.incident(id), id) for id in named if act != "undo"]
        if act == "merge":
            decision = hand.merge(*incidents, actor=args.actor, at=at, note=args.note)
        elif act == "split":
            chosen = args.observations
            decision = hand.split(incidents[0], chosen, actor=args.actor, at=at, note=args.note)
        else:
            decision = _taken_back(transaction.hand_decisions(), named[0], args.actor, at)
        rules = _rules(decision, args, failed)
        grids = wiring.grids(args.grids)
        settled = decide(transaction, decision, rules=rules, grids=grids)
        held = transaction.incidents_with(hand.named(decision))
    for error in failed.values():
        sys.stderr.write(f"patrolvision: {error}\n")
    of_it = sorted(i.id for i in held if i.category == decision.category)
    _print([_record(decision) | {"incidents": of_it, "changed_tickets": settled.tickets}])
    return EXIT_SOME_ITEMS_FAILED if failed else EXIT_OK


def _known(incident: Incident | None, id: str) -> Incident:
    if incident is None:
        raise ConfigError(f"incidents: there is no incident {id}")
    return incident


def _taken_back(decisions: list[HandDecision], id: str, actor: str, at: datetime) -> HandDecision:
    for decision in decisions:
        if decision.id == id:
            return hand.undone(decision, actor=actor, at=at)
    raise ConfigError(
        f"undo: there is no decision {id} that holds; `incidents decisions` lists them"
    )


def _rules(
    decision: HandDecision, args: argparse.Namespace, failed: dict[str, str]
) -> Rulebook | None:
    if decision.category != "illegal_parking":
        return None
    if args.zones is None:
        raise ConfigError("--zones: expected the zones by which the vehicles are judged anew")
    settings = settings_on(args.timezone)
    return wiring.rulebook(args.zones, settings, failed)


def _record(decision: HandDecision) -> dict[str, Any]:
    undone_at = decision.undone_at
    return {
        "decision_id": decision.id,
        "kind": "merge" if len(decision.groups) == 1 else "split",
        "category": decision.category,
        "groups": [list(group) for group in decision.groups],
        "actor": decision.actor,
        "at": decision.at.isoformat(),
        "note": decision.note,
        "undone_at": None if undone_at is None else undone_at.isoformat(),
        "undone_by": decision.undone_by,
    }


def _print(records: list[dict[str, Any]]) -> None:
    for record in records:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
