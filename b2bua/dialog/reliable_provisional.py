"""Reliable provisional responses (RFC 3262): those that we send, until each has its PRACK, and those that we get, in order.

    clear ── sent ──► open ── PRACK ──► clear            the next one that waits goes out
                       │ │ └─ due ────► open             once more, after T1, 2·T1, 4·T1 …
                       │ └─── 64·T1 ──► over             5xx to the INVITE
                       └───── final ──► answered         not repeated any more; its PRACK may still come
    answered ── PRACK ──► over

Pure machines: time is handed in, and `wake` says when the sender wants to hear of it again.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from b2bua.sip.message import Request
from b2bua.sip.rack import RAck
from b2bua.sip.rseq import RELIABLE
from b2bua.transaction.timers import T1, TICK, TIMEOUT

FIRST_BOUNDS: Final = (1, 2**31 - 1)
"""Where the first RSeq of a transaction is drawn from (§3)."""


class State(StrEnum):
    """Where the reliable responses to one INVITE stand, on one early dialog."""

    CLEAR = "clear"
    """All that were sent are acknowledged."""
    OPEN = "open"
    """One is repeated until its PRACK comes; no other leaves before (§3)."""
    ANSWERED = "answered"
    """The INVITE has its final response, and one that was sent before has no PRACK yet."""
    OVER = "over"
    """Nothing is sent or awaited any more."""


class Event(StrEnum):
    SENT = "sent"
    """There is a response to send."""
    ACKNOWLEDGED = "acknowledged"
    """The PRACK of the open one."""
    DUE = "due"
    EXPIRED = "expired"
    """64·T1 without a PRACK."""
    FINAL = "final"
    """The INVITE is answered."""


class Action(StrEnum):
    """What the owner is to do."""

    NOTHING = "nothing"
    SEND = "send"
    QUEUE = "queue"
    """Keep it until the open one is acknowledged."""
    NEXT = "next"
    """Send the oldest that was kept."""
    REPEAT = "repeat"
    REJECT = "reject"
    """5xx to the INVITE (§3)."""


class Transition(NamedTuple):
    state: State
    action: Action


TABLE: Final[dict[tuple[State, Event], Transition]] = {
    (State.CLEAR, Event.SENT): Transition(State.OPEN, Action.SEND),
    (State.CLEAR, Event.FINAL): Transition(State.OVER, Action.NOTHING),
    (State.OPEN, Event.SENT): Transition(State.OPEN, Action.QUEUE),
    (State.OPEN, Event.ACKNOWLEDGED): Transition(State.CLEAR, Action.NEXT),
    (State.OPEN, Event.DUE): Transition(State.OPEN, Action.REPEAT),
    (State.OPEN, Event.EXPIRED): Transition(State.OVER, Action.REJECT),
    (State.OPEN, Event.FINAL): Transition(State.ANSWERED, Action.NOTHING),
    (State.ANSWERED, Event.ACKNOWLEDGED): Transition(State.OVER, Action.NOTHING),
}

IGNORED: Final = frozenset(
    # A PRACK is matched before: without an open response there is none.
    [(State.CLEAR, event) for event in (Event.ACKNOWLEDGED, Event.DUE, Event.EXPIRED)]
    # §3: no new reliable response after the final one, and no repetition.
    + [(State.ANSWERED, event) for event in (Event.SENT, Event.DUE, Event.EXPIRED, Event.FINAL)]
    + [(State.OVER, event) for event in Event]
)
"""Pairs in which nothing happens."""


class ReliableSender:
    """As UAS (§3): the numbers, what is open, and when it is repeated. `first` is the first RSeq."""

    __slots__ = ("state", "rseq", "wake", "_first", "_interval", "_limit")

    def __init__(self, first: int) -> None:
        self.state = State.CLEAR
        self.rseq = 0
        """Of the newest response that was sent; 0 before the first."""
        self.wake = inf
        """When to call `due`, on the clock of the `now`s handed in."""
        self._first = first
        self._interval = T1
        self._limit = inf

    def send(self, now: float) -> Action:
        """A response is to be sent: SEND with `rseq`, QUEUE, or nothing at all."""
        action = self._fire(Event.SENT)
        if action is Action.SEND:
            self.rseq = self.rseq + 1 if self.rseq else self._first
            self._interval, self._limit = T1, now + TIMEOUT
            self.wake = now + T1
        return action

    def matches(self, rack: RAck, cseq: int) -> bool:
        """Whether a PRACK acknowledges what is open; `cseq` is the INVITE's. Else it is 481 (§3)."""
        return self.state in _AWAITING and rack == (self.rseq, cseq, "INVITE")

    def acknowledged(self) -> Action:
        """The PRACK that matches came: NEXT when more may be sent."""
        self.wake = inf
        return self._fire(Event.ACKNOWLEDGED)

    def due(self, now: float) -> Action:
        """The time of `wake` has come."""
        if now > self._limit - TICK / 2:
            self.wake = inf
            return self._fire(Event.EXPIRED)
        self._interval *= 2  # no bound of T2 here: each PRACK travels by itself (§3)
        self.wake = min(now + self._interval, self._limit)
        return self._fire(Event.DUE)

    def final(self) -> Action:
        """The INVITE has its final response: nothing is to be done, but that nothing is repeated any more."""
        self.wake = inf
        return self._fire(Event.FINAL)

    def _fire(self, event: Event) -> Action:
        transition = TABLE.get((self.state, event))
        if transition is None:
            return Action.NOTHING
        self.state = transition.state
        return transition.action


_AWAITING: Final = (State.OPEN, State.ANSWERED)


class Order(StrEnum):
    """What a reliable response is, next to those that came before on its early dialog (§4)."""

    NEXT = "next"
    REPEATED = "repeated"
    GAP = "gap"
    """One before it is missing: neither acknowledged nor looked at."""


class ReliableReceiver:
    """As UAC (§4): takes the responses of one early dialog in order."""

    __slots__ = ("rseq",)

    def __init__(self) -> None:
        self.rseq = 0
        """Of the newest that came in order; 0 before the first."""

    def take(self, rseq: int) -> Order:
        if self.rseq and rseq <= self.rseq:
            return Order.REPEATED
        if self.rseq and rseq != self.rseq + 1:
            return Order.GAP
        self.rseq = rseq
        return Order.NEXT


def supports(request: Request) -> bool:
    """Whether the sender of an INVITE understands reliable responses."""
    names = request.names
    if "Supported" in names and RELIABLE in request.tokens("Supported"):
        return True
    return "Require" in names and RELIABLE in request.tokens("Require")


def demands(request: Request) -> bool:
    """Whether every provisional response above 100 has to be reliable."""
    return "Require" in request.names and RELIABLE in request.tokens("Require")
