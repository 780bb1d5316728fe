"""Tickets as they stood at an instant, read from their append-only histories.

Nothing that happened later shows, so that a report of a past period gives the same figures however
often it is made. What a history does not record (the place) is not used here. Columns, not
objects: a report of a year reads a million tickets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from patrolvision.types import TicketState
from patrolvision.types.columns import MARKED, STATES, UNKNOWN, Histories, IntArray, Said

BoolArray = NDArray[np.bool_]
UNNAMED_CAUSE = "not stated"
NONE = -1  # no event, no state before the first


def code_of(state: TicketState) -> int:
    """The number of a state in the columns."""
    return STATES.index(state)


CLOSED, REJECTED = code_of("closed"), code_of("rejected")
FEEDBACK, VERIFIED = code_of("feedback"), code_of("verified")
MERGE = MARKED.index("merge")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known of N tickets at an instant; histories are their events before it.

    before (E,) is the state before each event, NONE before the first; state is NONE for a ticket
    that was not there yet. handled_us is when the crew last reported back; without that, when it
    was verified or closed. cause is of the rejected.
    """

    histories: Histories
    before: IntArray
    state: IntArray
    assignee: Sequence[str | None]
    due_us: IntArray
    found_us: IntArray
    filed_us: IntArray
    dispatched_us: IntArray
    handled_us: IntArray
    over_us: IntArray
    cause: Sequence[str | None]
    is_duplicate: BoolArray
    is_false_alarm: BoolArray  # rejected, and not for a cause that says otherwise

    def __len__(self) -> int:
        return len(self.state)


def facts_of(
    histories: Histories, as_of_us: int, true_causes: Collection[tuple[str, str]] = ()
) -> Facts:
    """The tickets as they stood just before the instant.

    true_causes are (category or `*`, code) of rejections that do not call the detection wrong.
    """
    told = _until(histories, as_of_us)
    every = np.ones(len(told.of), np.bool_)
    state = _picked(told.state, _last(told, every), NONE)
    is_first = np.diff(told.of, prepend=NONE) != 0
    before = np.where(is_first, NONE, np.roll(told.state, 1))
    turns = told.state != before
    over = _last(told, turns & is_over(told.state) & (told.state == state[told.of]))
    over[~is_over(state)] = NONE
    filed, sent = (_first(told, told.state == code_of(name)) for name in ("filed", "dispatched"))
    cause = _causes(told, over, state)
    is_merged = (state == REJECTED) & (_picked(told.mark, over, NONE) == MERGE)
    return Facts(
        histories=told,
        before=before,
        state=state,
        assignee=_assignees(told, histories, sent),
        due_us=_dues(told, histories, filed),
        found_us=_picked(told.at_us, _first(told, every), UNKNOWN),
        filed_us=_picked(told.at_us, filed, UNKNOWN),
        dispatched_us=_picked(told.at_us, sent, UNKNOWN),
        handled_us=_picked(told.at_us, _handled(told, before, over), UNKNOWN),
        over_us=_picked(told.at_us, over, UNKNOWN),
        cause=cause,
        is_duplicate=is_merged,
        is_false_alarm=(state == REJECTED) & ~is_merged & ~_is_true(told, cause, true_causes),
    )


def state_before(histories: Histories, at_us: int) -> IntArray:
    """The state that each ticket had just before the instant; NONE before it was there."""
    return _picked(histories.state, _last(histories, histories.at_us < at_us), NONE)


def is_over(state: IntArray) -> BoolArray:
    """Whether nothing is left to do in each of the states."""
    return np.asarray((state == CLOSED) | (state == REJECTED))


def _until(histories: Histories, as_of_us: int) -> Histories:
    """The histories without what came at or after the instant."""
    keep = histories.at_us < as_of_us
    if keep.all():
        return histories
    number = np.cumsum(keep) - 1

    def kept(said: Said) -> Said:
        chosen = keep[said.event]
        values = [value for value, is_kept in zip(said.values, chosen, strict=True) if is_kept]
        return Said(number[said.event[chosen]], values)

    return replace(
        histories,
        of=histories.of[keep],
        at_us=histories.at_us[keep],
        state=histories.state[keep],
        mark=histories.mark[keep],
        said_due_us=kept(histories.said_due_us),
        said_assignee=kept(histories.said_assignee),
        said_cause=kept(histories.said_cause),
    )


def _picked(values: IntArray, index: IntArray, missing: int) -> IntArray:
    """The values at the places; missing where the place is NONE."""
    return np.append(values, missing)[index]


def _first(histories: Histories, wanted: BoolArray) -> IntArray:
    """(N,) the first event of each ticket that is wanted; NONE without one."""
    event = np.flatnonzero(wanted)
    of = histories.of[event]
    return _placed(len(histories), of, event, np.diff(of, prepend=NONE) != 0)


def _last(histories: Histories, wanted: BoolArray) -> IntArray:
    event = np.flatnonzero(wanted)
    of = histories.of[event]
    return _placed(len(histories), of, event, np.diff(of, append=NONE) != 0)


def _last_said(histories: Histories, said: Said) -> IntArray:
    """(N,) which of the values was said last of each ticket; NONE without one."""
    of = histories.of[said.event]
    return _placed(len(histories), of, np.arange(len(of)), np.diff(of, append=NONE) != 0)


def _placed(count: int, of: IntArray, values: IntArray, chosen: BoolArray) -> IntArray:
    found = np.full(count, NONE)
    found[of[chosen]] = values[chosen]
    return found


def _handled(told: Histories, before: IntArray, over: IntArray) -> IntArray:
    """When the crew last reported back in this round, else when somebody saw that it was done."""
    turns = told.state != before
    again = _last(told, turns & is_over(before))
    back, seen = (_last(told, turns & (told.state == state)) for state in (FEEDBACK, VERIFIED))
    back, seen = (np.where(event >= again, event, NONE) for event in (back, seen))
    return np.where(back != NONE, back, np.where(seen != NONE, seen, over))


def _assignees(told: Histories, whole: Histories, sent: IntArray) -> list[str | None]:
    # Histories that are older than the actions do not say who was sent.
    is_silent = _last_said(whole, whole.said_assignee) == NONE
    now = [
        name if is_meant else None
        for name, is_meant in zip(told.assignee, is_silent & (sent != NONE), strict=True)
    ]
    said, last = told.said_assignee.values, _last_said(told, told.said_assignee)
    return [name if k == NONE else said[k] for name, k in zip(now, last.tolist(), strict=True)]


def _dues(told: Histories, whole: Histories, filed: IntArray) -> IntArray:
    is_silent = _last_said(whole, whole.said_due_us) == NONE
    now = np.where(is_silent & (filed != NONE), told.due_us, UNKNOWN)
    last = _last_said(told, told.said_due_us)
    said = _picked(np.array(told.said_due_us.values, np.int64), last, UNKNOWN)
    return np.where(last == NONE, now, said)


def _causes(told: Histories, over: IntArray, state: IntArray) -> list[str | None]:
    said = dict(zip(told.said_cause.event.tolist(), told.said_cause.values, strict=True))
    causes: list[str | None] = [None] * len(told)
    for k in np.flatnonzero(state == REJECTED).tolist():
        causes[k] = said.get(int(over[k]), UNNAMED_CAUSE)
    return causes


def _is_true(
    told: Histories, causes: Sequence[str | None], true_causes: Collection[tuple[str, str]]
) -> BoolArray:
    found = np.zeros(len(told), np.bool_)
    for k, cause in enumerate(causes):
        if cause is not None:
            found[k] = any((kind, cause) in true_causes for kind in ("*", told.category[k]))
    return found
