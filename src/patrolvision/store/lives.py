"""A ticket's history in one line of its row, as much of it as reports ask for.

A report reads the histories of a year: six million events of a million tickets are read ten times
as fast from the tickets' own rows, where they stand together. The line is written with the ticket
and says no more than its events do; a row without one (written before there was a line) is
answered from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from patrolvision.types.columns import MARKED, STATES, Histories, IntArray, Said
from patrolvision.types.instants import micros_of

# An event is two letters: its state and act, and which of SAID it says. None breaks a line.
FIRST_LETTER = ord("0")
SAID = ("due_at", "assignee", "cause")
DUE, WHO, CAUSE = 1, 2, 4
_LETTER: dict[tuple[str, str], str] = {
    (state, mark): chr(FIRST_LETTER + len(MARKED) * k + n)
    for k, state in enumerate(STATES)
    for n, mark in enumerate(MARKED)
}
Event = tuple[datetime, str, str, Mapping[str, Any]]  # at, state, action, data


def line_of(events: Iterable[Event]) -> str:
    """The line: letters|times|deadlines|texts.

    Times are microseconds since the first event, deadlines since 1970, texts (assignees and causes
    in order of the events) JSON; each separated by commas.
    """
    letters: list[str] = []
    times: list[int] = []
    dues: list[str] = []
    texts: list[str] = []
    for at, state, action, data in events:
        due, who, why = (data.get(name) for name in SAID) if data else (None, None, None)
        if due:
            dues.append(str(micros_of(datetime.fromisoformat(str(due)))))
        texts += [orjson.dumps(str(text)).decode() for text in (who, why) if text]
        says = DUE * bool(due) + WHO * bool(who) + CAUSE * bool(why)
        letters += (_LETTER[state, action if action in MARKED else ""], str(says))
        times.append(micros_of(at))
    since = ",".join([str(at - times[0]) for at in times])
    return f"{''.join(letters)}|{since}|{','.join(dues)}|{','.join(texts)}"


def kept_line(events: Iterable[Event]) -> str | None:
    """The line for the row; None where a deadline is no instant, which a report then says."""
    try:
        return line_of(events)
    except (TypeError, ValueError):
        return None


def event_of(row: Mapping[str, Any]) -> Event:
    """An event as line_of takes it, of a row of ticket_events."""
    return row["at"], row["state"], row["action"], row["data"]


def histories(
    columns: Mapping[str, Sequence[Any]],
    *,
    due_us: Sequence[int],
    opened_us: Sequence[int],
    lines: Sequence[str],
) -> Histories:
    """Tickets with their histories; columns are those of Histories that stand in the row."""
    parts = zip(*(line.split("|", 3) for line in lines), strict=True)
    letters, times, dues, texts = parts
    codes = np.frombuffer("".join(letters).encode(), np.uint8).astype(np.int64) - FIRST_LETTER
    state, says = codes[::2], codes[1::2]
    of = np.repeat(np.arange(len(lines)), np.array([len(word) // 2 for word in letters]))
    told: list[str] = orjson.loads(f"[{_joined(texts)}]")
    # Of an event that says both, the assignee stands before the cause.
    text_of = np.cumsum(((says & WHO) > 0) * 1 + ((says & CAUSE) > 0)) - 1
    who, why = (np.flatnonzero(says & which) for which in (WHO, CAUSE))
    both = np.asarray((says[who] & CAUSE) > 0, np.int64)
    return Histories(
        **columns,
        due_us=np.array(due_us, np.int64),
        of=of,
        at_us=_numbers(times) + np.array(opened_us, np.int64)[of],
        state=state // len(MARKED),
        mark=state % len(MARKED),
        said_due_us=Said(np.flatnonzero(says & DUE), _numbers(dues).tolist()),
        said_assignee=Said(who, [told[k] for k in (text_of[who] - both).tolist()]),
        said_cause=Said(why, [told[k] for k in text_of[why].tolist()]),
    )


def _joined(texts: Iterable[str]) -> str:
    return ",".join([text for text in texts if text])


def _numbers(texts: Iterable[str]) -> IntArray:
    joined = _joined(texts)
    return np.fromstring(joined, np.int64, sep=",") if joined else np.zeros(0, np.int64)
