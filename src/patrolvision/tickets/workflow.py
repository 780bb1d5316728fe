"""The seven steps of a ticket and the legal moves between them, as data.

受理 reported, 立案 filed, 派遣 dispatched, 处置 handling,
反馈 feedback, 核查 verified, 结案 closed.

A move is one row: from which states, to which, by whom, what the one who moves has to give, and
what must be true already. `done` makes the ticket one move on or says why not; nothing else in the
program changes a ticket's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from patrolvision.errors import CallError
from patrolvision.tickets.roles import covers, has_role
from patrolvision.types import Ticket, TicketEvent, TicketState

Need = Literal["note", "cause", "assignee", "into", "parts"]
OPEN: tuple[TicketState, ...] = (
    "reported", "filed", "dispatched", "handling", "feedback", "verified",
)  # fmt: skip
OVER = frozenset({"closed", "rejected"})
OFFICE = ("reviewer", "dispatcher")
EVERYBODY = ("reviewer", "dispatcher", "crew")
MAX_PARTS = 10
NEW_ROUND = frozenset({"send_back", "reopen"})  # what was shown before proves nothing any more


class MoveError(CallError):
    """A move that is not made; reason says of what kind the obstacle is."""

    def __init__(self, reason: Literal["state", "role", "gate", "input"], message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table; to_state None: the ticket stays where it is. No roles: automatic."""

    action: str
    label_en: str
    label_zh: str
    from_states: tuple[TicketState, ...]
    to_state: TicketState | None
    roles: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    gates: tuple[str, ...] = ()
    is_automatic: bool = False  # may also be made by the program itself


TABLE: tuple[Move, ...] = (
    Move("confirm", "Confirm", "核实", ("reported",), None, ("reviewer",), gates=("unconfirmed",)),
    Move("file", "File", "立案", ("reported",), "filed", ("dispatcher",), gates=("confirmed",)),
    Move("reject", "Reject", "不予立案", ("reported", "filed", "dispatched"), "rejected", OFFICE,
         ("cause",), is_automatic=True),
    Move("dispatch", "Dispatch", "派遣", ("filed",), "dispatched", ("dispatcher",), ("assignee",)),
    Move("take", "Take", "接单", ("dispatched",), "handling", ("dispatcher", "crew"),
         gates=("own_ticket",)),
    Move("report_back", "Report back", "反馈", ("handling",), "feedback", ("dispatcher", "crew"),
         gates=("own_ticket",)),
    Move("verify", "Verify", "核查", ("feedback",), "verified", ("reviewer",),
         gates=("proof", "other_eyes")),
    Move("verify", "Verify", "核查", ("filed", "dispatched", "handling"), "verified",
         ("reviewer",), gates=("gone", "other_eyes")),
    Move("send_back", "Send back", "退回", ("feedback", "verified"), "handling", ("reviewer",),
         ("note",), is_automatic=True),
    Move("close", "Close", "结案", ("verified",), "closed", ("reviewer",),
         gates=("proof", "other_eyes")),
    Move("reopen", "Reopen", "重新立案", ("closed",), "filed", OFFICE, ("note",),
         is_automatic=True),
    Move("reopen", "Reopen", "重新受理", ("rejected",), "reported", OFFICE, ("note",),
         is_automatic=True),
    Move("urge", "Urge", "督办", OPEN, None, OFFICE, ("note",)),
    Move("hand_over", "Hand over", "移交", ("dispatched", "handling"), "dispatched",
         ("dispatcher", "crew"), ("assignee", "note"), gates=("own_ticket", "other_crew")),
    Move("merge", "Merge", "合并", ("reported", "filed", "dispatched"), "rejected", OFFICE,
         ("into",), gates=("mergeable",), is_automatic=True),
    Move("split", "Split", "拆分", ("reported", "filed", "dispatched"), None, OFFICE, ("parts",)),
    Move("attach", "Add a picture", "上传照片", OPEN, None, EVERYBODY, gates=("own_ticket",)),
    Move("absorb", "Take in", "并入", OPEN, None, is_automatic=True),
    Move("propose", "Propose", "建议", OPEN, None, is_automatic=True),
    Move("hear", "Neighbour's answer", "外部回复", OPEN, None, is_automatic=True),
    Move("relocate", "Correct the place", "位置更新", OPEN, None, is_automatic=True),
    Move("escalate", "Escalate", "升级", ("filed", "dispatched", "handling"), None,
         is_automatic=True),
)  # fmt: skip
MOVES: Mapping[tuple[str, TicketState], Move] = {
    (move.action, state): move for move in TABLE for state in move.from_states
}
ACTIONS = tuple(dict.fromkeys(move.action for move in TABLE))


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody wants to do; role None: the program itself does it."""

    action: str
    actor: str
    at: datetime
    role: str | None = None
    crew: str | None = None  # the crew he belongs to
    areas: tuple[str, ...] = ()  # prefixes of the grid codes where he works; none: everywhere
    note: str = ""
    cause: str | None = None
    assignee: str | None = None
    into: str | None = None  # id of the ticket that goes on
    parts: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the ticket when it is moved."""

    verify_first: bool = False  # the category asks for a person's word before there is a number
    removed_at: datetime | None = None  # later looks prove that the hazard is gone
    into: Ticket | None = None  # the ticket of Act.into
    number: str | None = None  # for the ticket if it is filed now
    due_at: datetime | None = None  # if it is filed now


def done(ticket: Ticket, act: Act, facts: Facts | None = None) -> Ticket:
    """The ticket one move on, with the move in its history; raises MoveError."""
    facts = facts or Facts()
    move = _move_of(ticket, act.action)
    for check in (_role_refusal, _gate_refusal, _input_refusal, _time_refusal):
        if (refusal := check(ticket, move, act, facts)) is not None:
            raise refusal
    state = move.to_state or ticket.state
    event = TicketEvent(act.at, state, act.actor, act.note, act.action, _event_data(act))
    changed = replace(ticket, state=state, history=(*ticket.history, event))
    effect = EFFECTS.get(act.action)
    return changed if effect is None else effect(changed, act, facts)


def why_not(ticket: Ticket, move: Move, act: Act, facts: Facts) -> str | None:
    """Why this person cannot make the move now, whatever he gives; None if he can."""
    for check in (_role_refusal, _gate_refusal):
        if (refusal := check(ticket, move, act, facts)) is not None:
            return str(refusal)
    return None


def moves_from(state: TicketState) -> list[Move]:
    """The rows that lead on from a state, in the order of the table, automatic ones left out."""
    return [move for move in TABLE if state in move.from_states and move.roles]


def _move_of(ticket: Ticket, action: str) -> Move:
    if action not in ACTIONS:
        raise MoveError("input", f"action must be one of {', '.join(ACTIONS)}, found {action!r}")
    move = MOVES.get((action, ticket.state))
    if move is None:
        legal = ", ".join(m.action for m in moves_from(ticket.state)) or "nothing"
        raise MoveError(
            "state", f"ticket {ticket.id} is {ticket.state}: {action} is not possible, only {legal}"
        )
    return move


def _role_refusal(ticket: Ticket, move: Move, act: Act, facts: Facts) -> MoveError | None:
    if act.role is None:
        allowed = move.is_automatic
    else:
        allowed = bool(move.roles) and has_role(act.role, move.roles)
    if not allowed:
        who = " or ".join(move.roles) or "the program itself"
        return MoveError("role", f"{move.action} is for {who}")
    for place in (ticket, facts.into):
        if place is not None and not covers(act.areas, place.grid):
            return MoveError("role", f"{act.actor} works in {', '.join(act.areas)}, not there")
    return None


def _gate_refusal(ticket: Ticket, move: Move, act: Act, facts: Facts) -> MoveError | None:
    if act.role is None:
        return None
    for gate in move.gates:
        if (text := GATES[gate](ticket, act, facts)) is not None:
            return MoveError("gate", f"ticket {ticket.id}: {text}")
    return None


def _input_refusal(ticket: Ticket, move: Move, act: Act, facts: Facts) -> MoveError | None:
    given: Mapping[str, Any] = {
        "note": act.note.strip(), "cause": act.cause, "assignee": act.assignee, "into": act.into,
        "parts": act.parts,
    }  # fmt: skip
    for need in move.needs if act.role is not None else ():
        if not given[need]:
            return MoveError("input", f"{need}: {move.action} needs it")
    if "parts" in move.needs and not 2 <= (act.parts or 0) <= MAX_PARTS:
        return MoveError("input", f"parts must be 2 to {MAX_PARTS}, found {act.parts}")
    return None


def _time_refusal(ticket: Ticket, move: Move, act: Act, facts: Facts) -> MoveError | None:
    if act.at.tzinfo is None:
        return MoveError("input", f"ticket {ticket.id}: at needs an offset from UTC")
    if ticket.history and act.at < ticket.history[-1].at:
        last = ticket.history[-1].at.isoformat()
        return MoveError(
            "input", f"ticket {ticket.id}: {act.at.isoformat()} is before its last move, {last}"
        )
    return None


def this_round(ticket: Ticket) -> tuple[TicketEvent, ...]:
    """The history since the ticket was last sent back or reopened, that event left out."""
    starts = [k for k, event in enumerate(ticket.history) if event.action in NEW_ROUND]
    return ticket.history[starts[-1] + 1 :] if starts else ticket.history


def is_confirmed(ticket: Ticket) -> bool:
    """Whether a person has confirmed the ticket since it was last reopened."""
    return any(event.action == "confirm" for event in this_round(ticket))


def after_pictures(ticket: Ticket) -> list[TicketEvent]:
    """The events of this round that added a picture of the place as it was left."""
    return [e for e in this_round(ticket) if e.action == "attach" and e.data.get("kind") == "after"]


def is_proved_gone(ticket: Ticket, facts: Facts) -> bool:
    """Whether looks of this round prove the hazard gone."""
    restart = next((e.at for e in reversed(ticket.history) if e.action in NEW_ROUND), None)
    return facts.removed_at is not None and (restart is None or facts.removed_at > restart)


def _unconfirmed(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    return "it is confirmed already" if is_confirmed(ticket) else None


def _confirmed(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    if not facts.verify_first or is_confirmed(ticket):
        return None
    return f"{ticket.category} must be confirmed by a reviewer before it gets a number"


def _proof(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    if after_pictures(ticket) or is_proved_gone(ticket, facts):
        return None
    return "an after-picture or a later look that proves removal is needed first"


def _gone(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    return None if is_proved_gone(ticket, facts) else "no later look proves that it is gone"


def _other_eyes(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    shown = {e.actor for e in this_round(ticket) if e.action == "report_back"}
    shown |= {e.actor for e in after_pictures(ticket)}
    return "nobody checks what he reported himself" if act.actor in shown else None


def _own_ticket(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    if act.role != "crew" or ticket.assignee in (act.actor, act.crew or act.actor):
        return None
    return f"it is given to {ticket.assignee or 'nobody'}, not to {act.crew or act.actor}"


def _other_crew(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    if act.assignee is not None and act.assignee == ticket.assignee:
        return f"it is {ticket.assignee}'s already"
    return None


def _mergeable(ticket: Ticket, act: Act, facts: Facts) -> str | None:
    if act.into is None:
        return None  # not named yet: the input is asked for
    into = facts.into
    if into is None or into.id == ticket.id:
        return f"into must name another ticket, found {act.into!r}"
    if into.category != ticket.category:
        return f"{into.id} is {into.category}, not {ticket.category}"
    return f"{into.id} is {into.state}" if into.state in OVER else None


GATES: Mapping[str, Callable[[Ticket, Act, Facts], str | None]] = {
    "unconfirmed": _unconfirmed,
    "confirmed": _confirmed,
    "proof": _proof,
    "gone": _gone,
    "other_eyes": _other_eyes,
    "own_ticket": _own_ticket,
    "other_crew": _other_crew,
    "mergeable": _mergeable,
}


def _event_data(act: Act) -> dict[str, Any]:
    given = {"cause": act.cause, "assignee": act.assignee, "into": act.into, "parts": act.parts}
    return {**{k: v for k, v in given.items() if v is not None}, **act.data}


def _numbered(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    number, due_at = ticket.number or facts.number, facts.due_at or ticket.due_at
    return replace(ticket, number=number, due_at=due_at)


def _assigned(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    return replace(ticket, assignee=act.assignee)


def _reopened(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    return replace(ticket, assignee=None, merged_into=None, due_at=facts.due_at)


def _merged(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    return replace(ticket, merged_into=act.into)


def _urged(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    return replace(ticket, urged=ticket.urged + 1)


def _raised(ticket: Ticket, act: Act, facts: Facts) -> Ticket:
    return replace(ticket, level=int(act.data["level"]))


EFFECTS: Mapping[str, Callable[[Ticket, Act, Facts], Ticket]] = {
    "file": _numbered,
    "dispatch": _assigned,
    "hand_over": _assigned,
    "reopen": _reopened,
    "merge": _merged,
    "urge": _urged,
    "escalate": _raised,
}


def parts_of(ticket: Ticket, act: Act, known: Iterable[str] = ()) -> list[Ticket]:
    """The further tickets that a split makes of one, reported, with ids that are not known yet."""
    taken, k = set(known), 2
    parts: list[Ticket] = []
    while len(parts) < (act.parts or 0) - 1:
        name = f"{ticket.id}-{k}"
        k += 1
        if name in taken:
            continue
        data = {"parent": ticket.id}
        birth = TicketEvent(act.at, "reported", act.actor, act.note, "split", data)
        history = [birth]
        if is_confirmed(ticket):
            history.append(TicketEvent(act.at, "reported", act.actor, "", "confirm", data))
        parts.append(
            replace(
                ticket,
                id=name,
                state="reported",
                history=tuple(history),
                assignee=None,
                due_at=None,
                number=None,
                level=0,
                urged=0,
                merged_into=None,
                parent=ticket.id,
            )
        )
    return parts
