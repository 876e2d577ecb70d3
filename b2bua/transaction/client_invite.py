"""INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026 §7.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientOwner, ClientTransaction, ClientUser
from b2bua.transaction.machine import Event, State, Table, to
from b2bua.transaction.requests import ack_for_failure, cancel_for
from b2bua.transaction.timers import T1, TIMEOUT


class InviteClient(ClientTransaction):
    """Sends an INVITE, acknowledges its failure responses itself, passes every 2xx up (each needs the user's own ACK)."""

    __slots__ = ("failed", "moved", "_acked_to", "_cancel", "_cancel_why")

    initial: ClassVar[State] = State.CALLING
    resends: ClassVar[str] = "A"

    def __init__(self, request: Request, flow: Flow, user: ClientUser, owner: ClientOwner, branch: str) -> None:
        super().__init__(request, flow, user, owner, branch)
        self.failed: Callable[[], None] | None = None
        """Called once when there will be no 2xx, before the user hears of it: the called phone rings no more."""
        self.moved: Callable[[ClientTransaction], None] | None = None
        """Called, with this transaction, when it has been sent by another flow. A function that knows it would hold it up to the
        garbage collector."""
        self._acked_to = ""
        self._cancel: tuple[tuple[str, str], ...] | None = None
        self._cancel_why: Why | None = None

    def start(self) -> None:
        """Send the request; timers A (not on a reliable transport) and B run from now."""
        request, flow, timers = self.request, self.flow, self._owner.timers
        assert request is not None
        if not flow.reliable:
            self._interval = T1
            self._retransmit = timers.start(T1, self._timer_a)
        self.due = _TIMER_B
        timers.put(self, TIMEOUT)
        self.send_first(request)

    def adopt(self) -> None:
        """Begin where an earlier process left off: the request is out, the phone rings. Timer B runs from now."""
        self.state = State.PROCEEDING
        self.due = _TIMER_B
        self._owner.timers.put(self, TIMEOUT)

    def start_again(self, request: Request, flow: Flow) -> None:
        super().start_again(request, flow)
        if self.moved is not None:
            self.moved(self)

    def cancel(self, *headers: tuple[str, str], why: Why | None = None) -> None:
        """Ask the far end to give up: a CANCEL leaves once a 1xx came, at once if it did (RFC 3261 §9.1).

        `headers` (Reason) are put into it. Without a final response within 64·T1 of the CANCEL the user is told 408.
        """
        if self._cancel is not None or self.state not in _UNANSWERED:
            return
        self._cancel, self._cancel_why = headers, why
        if self.state is State.PROCEEDING:
            self._cancel_now()

    def _cancel_now(self) -> None:
        if self._cancel is None or self.request is None:
            return
        cancel = cancel_for(self.request, self._cancel)
        cancel.why = self._cancel_why
        self._owner.send_cancel(cancel, self.flow)
        self.due = _TIMER_B
        self._owner.timers.put(self, TIMEOUT)

    def _timer_a(self) -> None:
        self.fire(Event.TIMER_A)

    # -- actions ------------------------------------------------------------------------------------------------

    def double_timer_a(self, _: object) -> None:
        self._interval *= 2
        self._retransmit = self._owner.timers.start(self._interval, self._timer_a)

    def cancel_if_wanted(self, _: object) -> None:
        if self._cancel is not None:
            self._cancel_now()

    def acknowledge(self, response: Response) -> None:
        """The ACK of a failure response goes out once and is kept as bytes for its retransmissions (§17.1.1.3)."""
        assert self.request is not None
        self._acked_to = response.to.tag
        ack = ack_for_failure(self.request, response)
        ack.why = ACKED
        self._data = self.flow.send(ack)
        self._tell_failed()

    def acknowledge_again(self, _: object) -> None:
        if self._data:
            self._owner.retransmitted("ACK", ACKED_AGAIN)
            self.flow.resend(self._data)

    def timed_out(self, _: object) -> None:
        self._tell_failed()
        super().timed_out(None)

    def transport_failed(self, _: object) -> None:
        self._tell_failed()
        super().transport_failed(None)

    def _tell_failed(self) -> None:
        told, self.failed = self.failed, None
        if told is not None:
            told()

    def start_timer_d(self, _: object) -> None:
        if self.flow.reliable:
            self.fire(_TIMER_D)  # D is 0 s on reliable transports
        else:
            self.due = _TIMER_D
            self._owner.timers.put(self, TIMEOUT)

    def accept(self, response: Response) -> None:
        """The first 2xx: M runs in place of all other timers, the request is let go, the response goes up."""
        self.stop_timers(None)
        self.request = None
        self._data = b""
        self.due = _TIMER_M
        self._owner.timers.put(self, TIMEOUT)
        self.pass_up(response)


ACKED: Final[Why] = (None, "transaction: the final answer is acknowledged hop by hop (RFC 3261 §17.1.1.3)")
ACKED_AGAIN: Final[Why] = (None, "transaction: the final answer came again, so does its ACK (RFC 3261 §17.1.1.2)")
_UNANSWERED: Final = (State.CALLING, State.PROCEEDING)

_C = InviteClient
_TIMER_B: Final = Event.TIMER_B
_TIMER_D: Final = Event.TIMER_D
_TIMER_M: Final = Event.TIMER_M
_on_success: Final = to(State.ACCEPTED, _C.accept)
_on_failure: Final = to(
    State.COMPLETED, _C.stop_timers, _C.acknowledge, _C.forget_request, _C.pass_up, _C.start_timer_d
)

TABLE: Final[Table] = {
    (State.CALLING, Event.TIMER_A): to(State.CALLING, _C.resend, _C.double_timer_a),
    (State.CALLING, Event.TIMER_B): to(State.TERMINATED, _C.timed_out, _C.end),
    (State.CALLING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _C.transport_failed, _C.end),
    (State.CALLING, Event.PROVISIONAL): to(State.PROCEEDING, _C.stop_timers, _C.cancel_if_wanted, _C.pass_up),
    (State.CALLING, Event.SUCCESS): _on_success,
    (State.CALLING, Event.FAILURE): _on_failure,
    (State.PROCEEDING, Event.PROVISIONAL): to(State.PROCEEDING, _C.pass_up),
    (State.PROCEEDING, Event.SUCCESS): _on_success,
    (State.PROCEEDING, Event.FAILURE): _on_failure,
    # Not in the figure: the 64·T1 that a CANCEL is waited for (RFC 3261 §9.1) runs as timer B again.
    (State.PROCEEDING, Event.TIMER_B): to(State.TERMINATED, _C.timed_out, _C.end),
    (State.PROCEEDING, Event.TRANSPORT_ERROR): to(State.TERMINATED, _C.transport_failed, _C.end),
    (State.COMPLETED, Event.FAILURE): to(State.COMPLETED, _C.acknowledge_again),
    (State.COMPLETED, Event.TIMER_D): to(State.TERMINATED, _C.end),
    # The figure's "inform TU" is left out: it has its final response, and that the ACK got lost changes nothing for it.
    (State.COMPLETED, Event.TRANSPORT_ERROR): to(State.TERMINATED, _C.end),
    # RFC 6026 §7.2: each 2xx, repeated or from another branch, goes up, for 64·T1.
    (State.ACCEPTED, Event.SUCCESS): to(State.ACCEPTED, _C.pass_up),
    (State.ACCEPTED, Event.TIMER_M): to(State.TERMINATED, _C.end),
}

STATES: Final = (State.CALLING, State.PROCEEDING, State.COMPLETED, State.ACCEPTED, State.TERMINATED)
EVENTS: Final = (
    Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE, Event.TIMER_A, Event.TIMER_B, Event.TIMER_D, Event.TIMER_M,
    Event.TRANSPORT_ERROR,
)  # fmt: skip

IGNORED: Final = frozenset(
    [(State.CALLING, event) for event in (Event.TIMER_D, Event.TIMER_M)]
    + [(State.PROCEEDING, event) for event in (Event.TIMER_A, Event.TIMER_D, Event.TIMER_M)]
    + [(State.COMPLETED, event) for event in (Event.PROVISIONAL, Event.SUCCESS, Event.TIMER_A, Event.TIMER_B, Event.TIMER_M)]
    + [(State.ACCEPTED, event) for event in (Event.PROVISIONAL, Event.FAILURE, Event.TIMER_A, Event.TIMER_B, Event.TIMER_D,
                                             Event.TRANSPORT_ERROR)]
    + [(State.TERMINATED, event) for event in EVENTS]
)  # fmt: skip
"""Pairs in which nothing happens: late timers, late responses."""

InviteClient.table = TABLE
