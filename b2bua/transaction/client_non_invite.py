"""Non-INVITE client transaction: RFC 3261 §17.1.2, figure 6."""

from __future__ import annotations

from typing import Final

from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.timers import T1, T2, T4, TIMEOUT


class NonInviteClient(ClientTransaction):
    """Sends any request but INVITE and ACK."""

    __slots__ = ()

    def start(self) -> None:
        """Send the request; timers E (not on a reliable transport) and F run from now."""
        request, flow, timers = self.request, self.flow, self._owner.timers
        assert request is not None
        self._timeout = timers.start(TIMEOUT, self._timer_f)
        if not flow.reliable:
            self._interval = T1
            self._retransmit = timers.start(T1, self._timer_e)
        self._data = flow.send(request)

    def _timer_e(self) -> None:
        self.fire(Event.TIMER_E)

    def _timer_f(self) -> None:
        self.fire(Event.TIMER_F)

    # -- actions ------------------------------------------------------------------------------------------------

    def double_timer_e(self, _: object) -> None:
        self._interval = min(self._interval * 2, T2)
        self._retransmit = self._owner.timers.start(self._interval, self._timer_e)

    def restart_timer_e_at_t2(self, _: object) -> None:
        self._interval = T2
        self._retransmit = self._owner.timers.start(T2, self._timer_e)

    def start_timer_k(self, _: object) -> None:
        self._data = b""
        if self.flow.reliable:
            self.fire(_TIMER_K)  # K is 0 s on reliable transports
        else:
            self._owner.timers.start(T4, self._timer_k)

    def _timer_k(self) -> None:
        self.fire(Event.TIMER_K)


_C = NonInviteClient
_TIMER_K: Final = Event.TIMER_K
_on_final: Final = to(State.COMPLETED, _C.stop_timers, _C.forget_request, _C.pass_up, _C.start_timer_k)

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
