"""How well incidents and tickets agree with the truth of a simulated city."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CountingScore:
    """How a partition of observations into incidents compares with the things they show.

    Pairwise precision and recall over pairs of observations; B-cubed F1 (Bagga and Baldwin, 1998):
    an observation in no incident stands alone. An incident belongs to the thing that most of its
    observations show. duplicates: incidents beyond the first of each thing; false merges: seen
    things that own no incident, because theirs went into another's; both per 100 things.
    """

    pairwise_precision: float
    pairwise_recall: float
    b_cubed_f1: float
    duplicates_per_100: float
    false_merges_per_100: float
    held: float  # share of the things' observations that are in an incident


def counting(found: Mapping[str, str], truth: Mapping[str, str | None]) -> CountingScore:
    """The score of found (observation id -> incident) against truth (observation id -> thing).

    Observations that show no thing (None) and those that truth does not name do not count.
    """
    real = {o: thing for o, thing in truth.items() if thing is not None}
    both = Counter((found.get(o, f"alone {o}"), thing) for o, thing in real.items())
    of_found, of_real = Counter[str](), Counter[str]()
    for (incident, thing), n in both.items():
        of_found[incident] += n
        of_real[thing] += n
    pairs = sum(n * (n - 1) for n in both.values())
    said = sum(n * (n - 1) for n in of_found.values())
    meant = sum(n * (n - 1) for n in of_real.values())
    precision = sum(n * n / of_found[i] for (i, _), n in both.items()) / max(len(real), 1)
    recall = sum(n * n / of_real[t] for (_, t), n in both.items()) / max(len(real), 1)
    held = {o: thing for o, thing in real.items() if o in found}
    owner = _owners(found, held)
    things = len(set(held.values()))
    per = 100 / max(things, 1)
    return CountingScore(
        pairs / said if said else 1.0,
        pairs / meant if meant else 1.0,
        2 * precision * recall / max(precision + recall, 1e-12),
        (len(owner) - len(set(owner.values()))) * per,
        (things - len(set(owner.values()))) * per,
        len(held) / max(len(real), 1),
    )


def _owners(found: Mapping[str, str], real: Mapping[str, str]) -> dict[str, str]:
    """incident -> the thing that most of its observations show."""
    both = Counter((found[o], thing) for o, thing in real.items())
    in_order = sorted(both.items(), key=lambda item: (item[1], item[0]))
    return {incident: thing for (incident, thing), _ in in_order}


@dataclass(frozen=True, slots=True)
class ParkingScore:
    """How tickets agree with which vehicles stood illegally, and which of them it can be proved."""

    precision: float
    recall: float  # of what is provable
    tickets: int
    duplicates: int
    traps: Mapping[str, int]  # rule that was no offence -> tickets for it


def parking(
    tickets: Mapping[str, Collection[str]],
    truth: Mapping[str, str | None],
    verdicts: Mapping[str, Mapping[str, Any]],
) -> ParkingScore:
    """The score of tickets (id -> observations) against verdicts (thing -> illegal, provable)."""
    found = {o: ticket for ticket, ids in tickets.items() for o in ids}
    real = {o: thing for o in found if (thing := truth.get(o)) is not None}
    owner = _owners(found, real)
    right = [thing for thing in owner.values() if verdicts[thing]["illegal"]]
    provable = {thing for thing, verdict in verdicts.items() if verdict["provable"]}
    wrong = Counter(str(verdicts[t]["rule"]) for t in owner.values() if not verdicts[t]["illegal"])
    wrong["nothing"] += len(tickets) - len(owner)
    return ParkingScore(
        len(right) / len(tickets) if tickets else 1.0,
        len(provable & set(right)) / len(provable) if provable else 1.0,
        len(tickets),
        len(owner) - len(set(owner.values())),
        {rule: n for rule, n in sorted(wrong.items()) if n},
    )
