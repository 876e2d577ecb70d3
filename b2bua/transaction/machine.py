"""What the four figures of RFC 3261 §17 have in common: states and events are names, a figure is a table."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from b2bua.sip.message import Message
from b2bua.transaction.timers import NEVER


class State(StrEnum):
    """The states of the figures, by their names there; ACCEPTED is RFC 6026's."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class Event(StrEnum):
    """What can happen to a transaction: a message from the wire or from the user, a timer (100 is of RFC 4320), the transport."""

    REQUEST = "request again"
    ACK = "ACK"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TIMER_100 = "timer 100"
    TRANSPORT_ERROR = "transport error"


Action = Callable[[Any, Any], None]
"""Called with the transaction and the message of the event (None for timers)."""


# Looked up once: an attribute of an enumeration costs as much as a call.
PROVISIONAL: Final = Event.PROVISIONAL
SUCCESS: Final = Event.SUCCESS
FAILURE: Final = Event.FAILURE


class Transition(NamedTuple):
    """One arrow of a figure: where it leads, and what is done on the way, in order."""

    state: State
    actions: tuple[Action, ...]


Table = dict[tuple[State, Event], Transition]


class Machine:
    """A transaction as one of the figures: its state, and the table that says what an event does in it.

    On a reliable transport the timers D, I, J and K are 0 s: each is over within the action that would start it. Those of
    INVITE fire there, through the table; those of other requests, of which a call has most, end the transaction in the action
    itself, which spares 1.4 % of the bytecodes of a hold call.

    It stands on the wheel itself for the one long timer that runs at a time (B, D, F, H to M), which spares a timer object
    for each transaction of the last 32 s.
    """

    __slots__ = ("state", "tick", "due")

    table: ClassVar[Table] = {}
    initial: ClassVar[State] = State.TRYING
    state: State
    tick: int
    """Of the wheel (`timers.Waiting`)."""
    due: Event | None
    """The timer that runs."""

    def expire(self) -> None:
        """From the wheel: the timer has run out."""
        due = self.due
        self.tick, self.due = NEVER, None
        if due is not None:
            self.fire(due)

    def fire(self, event: Event, message: Message | None = None) -> None:
        """Run one event through the table; a pair that is not in it is ignored (the tests list those)."""
        transition = self.table.get((self.state, event))
        if transition is None:
            return
        self.state, actions = transition
        try:
            for action in actions:
                action(self, message)
        except Exception:
            # A user that raises must not leave a transaction that never ends: the rest is done all the same.
            for later in actions[actions.index(action) + 1 :]:
                later(self, message)
            raise


def to(state: State, *actions: Action) -> Transition:
    return Transition(state, actions)

