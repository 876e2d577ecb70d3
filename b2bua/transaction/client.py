"""What both client transactions share: their user, and what is kept to retransmit."""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.machine import Machine
from b2bua.transaction.timers import NEVER, Timer, Timers


class ClientUser(Protocol):
    """The sender of a request: called for each response that is no retransmission, and once when none will come."""

    def response_received(self, transaction: ClientTransaction, response: Response) -> None: ...

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """No final response: 408 for a time-out, 503 for a transport error (RFC 3261 §8.1.3.1)."""


class Nobody:
    """The user of a request whose answer changes nothing: it is sent as often as its transaction wants."""

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        return

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        return


NOBODY: Final[ClientUser] = Nobody()

SENT_AGAIN: Final = "timer {}: no answer within {:g} s, sent again (RFC 3261 §17.1)"


class ClientOwner(Protocol):
    """Who keeps the transaction: the layer."""

    timers: Timers

    def client_ended(self, transaction: ClientTransaction) -> None:
        """It is over: called once."""

    def unsendable(self, transaction: ClientTransaction, request: Request, error: Exception) -> None:
        """By a mistake of ours its request could not be sent: it has a transport error, in a turn of its own."""

    def retransmitted(self, method: str, why: Why) -> None:
        """The transaction sends something again."""

    def send_cancel(self, cancel: Request, flow: Flow) -> None:
        """Send the CANCEL of an INVITE, which has the INVITE's Via."""


class ClientTransaction(Machine):
    """One request sent, up to its final response and the retransmissions after it."""

    __slots__ = ("request", "method", "flow", "fallback", "user", "branch", "_owner", "_data", "_interval", "_retransmit")

    def __init__(self, request: Request, flow: Flow, user: ClientUser, owner: ClientOwner, branch: str) -> None:
        self.request: Request | None = request
        """The request as sent; dropped with the final response, what must be repeated is kept as bytes."""
        self.method = request.method
        self.flow = flow
        self.fallback: Flow | None = None
        """Where the request would have gone but for its length, until the connection it went to instead has answered."""
        self.user: ClientUser | None = user
        self.branch = branch
        self.state = self.initial
        self._owner = owner
        self._data = b""
        self._retransmit: Timer | None = None
        self._interval = 0.0
        self.tick = NEVER
        self.due = None

    resends: ClassVar[str] = ""
    """The timer that has the request sent again."""

    def send_first(self, request: Request) -> None:
        """Send the request, its timers running: what fails at once stops them."""
        try:
            self._data = self.flow.send(request)
        except Exception as error:
            self._owner.unsendable(self, request, error)

    # -- actions ------------------------------------------------------------------------------------------------

    def resend(self, _: object) -> None:
        self._owner.retransmitted(self.method, (None, SENT_AGAIN, self.resends, self._interval))
        self.flow.resend(self._data)

    def pass_up(self, response: Response) -> None:
        if self.user is not None:
            self.user.response_received(self, response)

    def stop_timers(self, _: object) -> None:
        if self._retransmit is not None:
            self._retransmit.cancel()
            self._retransmit = None
        if self.due is not None:
            self.tick, self.due = NEVER, None

    def forget_request(self, _: object) -> None:
        """After a final response nothing is kept but the bytes to repeat: objects kept 32 s long cost a quarter of the CPU."""
        self.request = None

    def timed_out(self, _: object) -> None:
        if self.user is not None:
            self.user.transaction_failed(self, 408)

    def transport_failed(self, _: object) -> None:
        if self.user is not None:
            self.user.transaction_failed(self, 503)

    def end(self, _: object) -> None:
        if self._retransmit is not None or self.due is not None:
            self.stop_timers(None)
        self._owner.client_ended(self)
        self.user = self.request = None

    def start(self) -> None:
        raise NotImplementedError

    def start_again(self, request: Request, flow: Flow) -> None:
        """Send the request, with another Via, over another flow: nothing of it has arrived on the first."""
        self.stop_timers(None)
        self.request = request
        self.flow = flow
        self.fallback = None
        self.start()
