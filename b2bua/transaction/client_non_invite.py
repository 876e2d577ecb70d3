"""Non-INVITE client transaction: RFC 3261 §17.1.2, figure 6."""

from __future__ import annotations

from typing import ClassVar, Final

from b2bua.sip.message import Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.timers import NEVER, T1, T2, T4, TIMEOUT


class NonInviteClient(ClientTransaction):
    """Sends any request but INVITE and ACK."""

    __slots__ = ()

    resends: ClassVar[str] = "E"

    def start(self) -> None:
        """Send the request; timers E (not on a reliable transport) and F run from now."""
        request, flow, timers = self.request, self.flow, self._owner.timers
        assert request is not None
        if not flow.reliable:
            self._interval = T1
            self._retransmit = timers.start(T1, self._timer_e)
        self.due = _TIMER_F
        timers.put(self, TIMEOUT)
        self.send_first(request)

    def _timer_e(self) -> None:
        self.fire(Event.TIMER_E)

    # -- actions ------------------------------------------------------------------------------------------------

    def double_timer_e(self, _: object) -> None:
        self._interval = min(self._interval * 2, T2)
        self._retransmit = self._owner.timers.start(self._interval, self._timer_e)

    def restart_timer_e_at_t2(self, _: object) -> None:
        self._interval = T2
        self._retransmit = self._owner.timers.start(T2, self._timer_e)

    def complete(self, response: Response) -> None:
        """No timer runs any more, the request is let go, the response goes up; then K, 0 s on a reliable transport.

        If the user raises, the transaction still ends: on a reliable transport it was removed before the call.
        """
        if self.flow.reliable:
            user, self.user = self.user, None
            self.state = _TERMINATED
            self.tick, self.due = NEVER, None  # timer F; no other has run
            self.request = None
            self._owner.client_ended(self)
            if user is not None:
                user.response_received(self, response)
            return
        self.stop_timers(None)
        self.request = None
        self._data = b""
        try:
            self.pass_up(response)
        finally:
            self.due = _TIMER_K
            self._owner.timers.put(self, T4)


_C = NonInviteClient
_TERMINATED: Final = State.TERMINATED
_TIMER_F: Final = Event.TIMER_F
_TIMER_K: Final = Event.TIMER_K
_on_final: Final = to(State.COMPLETED, _C.complete)

TABLE: Final[Table] = {
    (State.TRYING, Event.TIMER_E): to(State.TRYING, _C.resend, _C.double_timer_e),
    (State.TRYING, Event.TIMER_F): to(State.TERMINATED, _C.timed_out, _C.end),
    (State.TRYING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _C.transport_failed, _C.end),
    (State.TRYING, Event.PROVISIONAL): to(State.PROCEEDING, _C.pass_up),
    (State.TRYING, Event.SUCCESS): _on_final,
    (State.TRYING, Event.FAILURE): _on_final,
    (State.PROCEEDING, Event.TIMER_E): to(State.PROCEEDING, _C.resend, _C.restart_timer_e_at_t2),
    (State.PROCEEDING, Event.TIMER_F): to(State.TERMINATED, _C.timed_out, _C.end),
    (State.PROCEEDING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _C.transport_failed, _C.end),
    (State.PROCEEDING, Event.PROVISIONAL): to(State.PROCEEDING, _C.pass_up),
    (State.PROCEEDING, Event.SUCCESS): _on_final,
    (State.PROCEEDING, Event.FAILURE): _on_final,
    (State.COMPLETED, Event.TIMER_K): to(State.TERMINATED, _C.end),
}

STATES: Final = (State.TRYING, State.PROCEEDING, State.COMPLETED, State.TERMINATED)
EVENTS: Final = (
    Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_E, Event.TIMER_F, Event.TIMER_K, Event.TRANSPORT_ERROR,
)  # fmt: skip

IGNORED: Final = frozenset(
    [(State.TRYING, Event.TIMER_K), (State.PROCEEDING, Event.TIMER_K)]
    + [(State.COMPLETED, event) for event in EVENTS if event is not Event.TIMER_K]
    + [(State.TERMINATED, event) for event in EVENTS]
)
"""Pairs in which nothing happens: late timers, repeated responses."""

NonInviteClient.table = TABLE
