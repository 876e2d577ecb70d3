"""INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026 §7.1."""

from __future__ import annotations

from typing import ClassVar, Final

from b2bua.sip.message import Response
from b2bua.sip.why import Why
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import NEVER, T1, T2, T4, TIMEOUT


class InviteServer(ServerTransaction):
    """Answers an INVITE: repeats failure responses until their ACK; repeating a 2xx is its user's work (§13.3.1.4)."""

    __slots__ = ()

    initial: ClassVar[State] = State.PROCEEDING

    # -- actions ------------------------------------------------------------------------------------------------

    def start_timers_g_and_h(self, _: object) -> None:
        if not self.flow.reliable:
            self._interval = T1
            self._retransmit = self._owner.timers.start(T1, self._timer_g)
        self.due = _TIMER_H
        self._owner.timers.put(self, TIMEOUT)

    def _timer_g(self) -> None:
        self.fire(Event.TIMER_G)

    def double_timer_g(self, _: object) -> None:
        self._interval = min(self._interval * 2, T2)
        self._retransmit = self._owner.timers.start(self._interval, self._timer_g)

    def tell_no_ack(self, _: object) -> None:
        self._owner.gave_up(self._data, NEVER_ACKED)

    def start_timer_i(self, _: object) -> None:
        if self._retransmit is not None:
            self._retransmit.cancel()
        self._data = b""
        if self.flow.reliable:
            self.tick, self.due = NEVER, None
            self.fire(_TIMER_I)  # I is 0 s on reliable transports
        else:
            self.due = _TIMER_I  # in place of H
            self._owner.timers.put(self, T4)

    def accept(self, response: Response) -> None:
        """The first 2xx; L runs. The 2xx is its user's to repeat, and a repeated INVITE is absorbed: no bytes are kept."""
        self.flow.send(response)
        self.request = self.attached = None
        self._data = b""
        self.due = _TIMER_L
        self._owner.timers.put(self, TIMEOUT)


NEVER_ACKED: Final[Why] = (None, "timer H: no ACK within 64·T1 (32 s), given up (RFC 3261 §17.2.1)")

_S = InviteServer
_TIMER_H: Final = Event.TIMER_H
_TIMER_I: Final = Event.TIMER_I
_TIMER_L: Final = Event.TIMER_L

TABLE: Final[Table] = {
    (State.PROCEEDING, Event.REQUEST): to(State.PROCEEDING, _S.resend),
    (State.PROCEEDING, Event.PROVISIONAL): to(State.PROCEEDING, _S.send),
    (State.PROCEEDING, Event.SUCCESS): to(State.ACCEPTED, _S.accept),
    (State.PROCEEDING, Event.FAILURE): to(State.COMPLETED, _S.send, _S.forget_request, _S.start_timers_g_and_h),
    (State.COMPLETED, Event.REQUEST): to(State.COMPLETED, _S.resend),
    (State.COMPLETED, Event.ACK): to(State.CONFIRMED, _S.start_timer_i, _S.tell_acknowledged),
    (State.COMPLETED, Event.TIMER_G): to(State.COMPLETED, _S.resend, _S.double_timer_g),
    (State.COMPLETED, Event.TIMER_H): to(State.TERMINATED, _S.tell_no_ack, _S.tell_acknowledged, _S.end),
    # RFC 6026 §7.1: a transport error ends nothing; who waits for the ACK is told, and timer H runs on.
    (State.COMPLETED, Event.TRANSPORT_ERROR): to(State.COMPLETED, _S.tell_acknowledged),
    (State.CONFIRMED, Event.TIMER_I): to(State.TERMINATED, _S.end),
    (State.ACCEPTED, Event.SUCCESS): to(State.ACCEPTED, _S.send),
    (State.ACCEPTED, Event.TIMER_L): to(State.TERMINATED, _S.end),
}

STATES: Final = (State.PROCEEDING, State.COMPLETED, State.CONFIRMED, State.ACCEPTED, State.TERMINATED)
EVENTS: Final = (
    Event.REQUEST, Event.ACK, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_G, Event.TIMER_H, Event.TIMER_I,
    Event.TIMER_L, Event.TRANSPORT_ERROR,
)  # fmt: skip

IGNORED: Final = frozenset(
    # Of a transport error before the final answer the user is not told (§8.8: SHOULD): what it still says goes by another
    # connection or is lost, and its own timers (C, the wait for an ACK) end what comes of that.
    [(State.PROCEEDING, event) for event in (Event.ACK, Event.TIMER_G, Event.TIMER_H, Event.TIMER_I, Event.TIMER_L,
                                             Event.TRANSPORT_ERROR)]
    + [(State.COMPLETED, event) for event in (Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_I, Event.TIMER_L)]
    + [(State.CONFIRMED, event) for event in EVENTS if event is not Event.TIMER_I]
    # An ACK that reaches an Accepted transaction is passed to the user by the layer (RFC 6026 §7.1).
    + [(State.ACCEPTED, event) for event in EVENTS if event not in (Event.SUCCESS, Event.TIMER_L)]
    + [(State.TERMINATED, event) for event in EVENTS]
)  # fmt: skip
"""Pairs in which nothing happens: late timers, repeated requests, responses that came too late."""

InviteServer.table = TABLE
