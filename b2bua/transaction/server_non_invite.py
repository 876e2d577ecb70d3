"""Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8, with the late 100 of RFC 4320 §4.1."""

from __future__ import annotations

from typing import Final

from b2bua.sip.message import Response
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import T1, TIMEOUT

TRYING_AFTER: Final = 7 * T1
"""Seconds after which the sender's Timer E is T2: it hears 100 then, so that it repeats its request no more than it has to."""


class NonInviteServer(ServerTransaction):
    """Answers any request but INVITE and ACK."""

    __slots__ = ()

    def wait(self) -> None:
        """Nobody has answered at once: say 100 when that goes on, and never before (RFC 4320 §4.1)."""
        if self.state is _TRYING:
            self.due = _TIMER_100
            self._owner.timers.put(self, TRYING_AFTER)

    # -- actions ------------------------------------------------------------------------------------------------

    def say_trying(self, _: object) -> None:
        self._owner.unanswered(self)

    def answer(self, response: Response) -> None:
        """The final response: nothing is kept but its bytes; then J, 0 s on a reliable transport."""
        flow = self.flow
        self._data = flow.send(response)
        self.request = self.attached = None
        if flow.reliable:
            self.state = _TERMINATED
            if self.key is not None:
                self.end(None)
        else:
            self.due = _TIMER_J
            self._owner.timers.put(self, TIMEOUT)


_S = NonInviteServer
_TRYING: Final = State.TRYING
_TERMINATED: Final = State.TERMINATED
_TIMER_100: Final = Event.TIMER_100
_TIMER_J: Final = Event.TIMER_J
_final: Final = to(State.COMPLETED, _S.answer)

TABLE: Final[Table] = {
    (State.TRYING, Event.PROVISIONAL): to(State.PROCEEDING, _S.send),
    (State.TRYING, Event.SUCCESS): _final,
    (State.TRYING, Event.FAILURE): _final,
    (State.TRYING, Event.TIMER_100): to(State.PROCEEDING, _S.say_trying),
    (State.PROCEEDING, Event.REQUEST): to(State.PROCEEDING, _S.resend),
    (State.PROCEEDING, Event.PROVISIONAL): to(State.PROCEEDING, _S.send),
    (State.PROCEEDING, Event.SUCCESS): _final,
    (State.PROCEEDING, Event.FAILURE): _final,
    (State.COMPLETED, Event.REQUEST): to(State.COMPLETED, _S.resend),
    (State.COMPLETED, Event.TIMER_J): to(State.TERMINATED, _S.end),
}

STATES: Final = (State.TRYING, State.PROCEEDING, State.COMPLETED, State.TERMINATED)
EVENTS: Final = (
    Event.REQUEST, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_100, Event.TIMER_J,
    Event.TRANSPORT_ERROR,
)  # fmt: skip

IGNORED: Final = frozenset(
    [(State.TRYING, Event.REQUEST), (State.TRYING, Event.TIMER_J), (State.PROCEEDING, Event.TIMER_J)]
    + [(State.PROCEEDING, Event.TIMER_100)]
    # RFC 6026 §8.8 in place of the figure's arrows: a transport error ends nothing, so that a repeated request is known.
    + [(state, Event.TRANSPORT_ERROR) for state in (State.TRYING, State.PROCEEDING, State.COMPLETED)]
    + [(State.COMPLETED, event) for event in (Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_100)]
    + [(State.TERMINATED, event) for event in EVENTS]
)
"""Pairs in which nothing happens: a repeated request before any response, a second final response, late timers."""

NonInviteServer.table = TABLE
