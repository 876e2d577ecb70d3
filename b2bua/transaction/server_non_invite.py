"""Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8."""

from __future__ import annotations

from typing import Final

from b2bua.sip.message import Response
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT


class NonInviteServer(ServerTransaction):
    """Answers any request but INVITE and ACK."""

    __slots__ = ()

    # -- actions ------------------------------------------------------------------------------------------------

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
_TERMINATED: Final = State.TERMINATED
_TIMER_J: Final = Event.TIMER_J
_final: Final = to(State.COMPLETED, _S.answer)

TABLE: Final[Table] = {
    (State.TRYING, Event.PROVISIONAL): to(State.PROCEEDING, _S.send),
    (State.TRYING, Event.SUCCESS): _final,
    (State.TRYING, Event.FAILURE): _final,
    (State.TRYING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _S.end),
    (State.PROCEEDING, Event.REQUEST): to(State.PROCEEDING, _S.resend),
    (State.PROCEEDING, Event.PROVISIONAL): to(State.PROCEEDING, _S.send),
    (State.PROCEEDING, Event.SUCCESS): _final,
    (State.PROCEEDING, Event.FAILURE): _final,
    (State.PROCEEDING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _S.end),
    (State.COMPLETED, Event.REQUEST): to(State.COMPLETED, _S.resend),
    (State.COMPLETED, Event.TIMER_J): to(State.TERMINATED, _S.end),
    (State.COMPLETED, Event.TRANSPORT_ERROR): to(State.TERMINATED, _S.end),
}

STATES: Final = (State.TRYING, State.PROCEEDING, State.COMPLETED, State.TERMINATED)
EVENTS: Final = (
    Event.REQUEST, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_J, Event.TRANSPORT_ERROR,
)  # fmt: skip

IGNORED: Final = frozenset(
    [(State.TRYING, Event.REQUEST), (State.TRYING, Event.TIMER_J), (State.PROCEEDING, Event.TIMER_J)]
    + [(State.COMPLETED, event) for event in (Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE)]
    + [(State.TERMINATED, event) for event in EVENTS]
)
"""Pairs in which nothing happens: a repeated request before any response, a second final response, late timers."""

NonInviteServer.table = TABLE
