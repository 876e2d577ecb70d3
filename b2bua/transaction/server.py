"""What both server transactions share: the last response as bytes, and how an event runs through the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Request, Response
from b2bua.sip.private_networks import is_behind_nat
from b2bua.sip.why import Why
from b2bua.transaction.machine import FAILURE, PROVISIONAL, SUCCESS, Machine, State
from b2bua.transaction.timers import NEVER, Timer, Timers

_UNANSWERED: Final = (State.TRYING, State.PROCEEDING)
_SPEAKING: Final = (*_UNANSWERED, State.ACCEPTED)

ASKED_AGAIN: Final[Why] = (None, "transaction: the request came again, so does its last answer (RFC 3261 §17.2)")
NO_ACK: Final = "timer G: no ACK within {:g} s, sent again (RFC 3261 §17.2.1)"

Key = tuple[object, ...]
"""What the retransmissions of one request have in common (RFC 3261 §17.2.3)."""


class ServerOwner(Protocol):
    """Who keeps the transaction: the layer."""

    timers: Timers

    def server_ended(self, transaction: ServerTransaction) -> None:
        """It is over: called once."""

    def retransmitted(self, method: str, why: Why) -> None:
        """The transaction sends something again."""

    def gave_up(self, data: bytes, why: Why) -> None:
        """Nobody acknowledged these bytes."""

    def unanswered(self, transaction: ServerTransaction) -> None:
        """The transaction has been without a response for so long that a 100 is due (RFC 4320 §4.1)."""


class ServerTransaction(Machine):
    """One request received, up to its final response and the retransmissions after it."""

    __slots__ = (
        "request", "method", "source", "started", "acknowledged", "flow", "key", "attached", "_owner", "_data", "_interval",
        "_retransmit",
    )  # fmt: skip

    def __init__(self, request: Request, flow: Flow, key: Key | None, owner: ServerOwner) -> None:
        self.request: Request | None = request
        """The request; dropped with the final response."""
        self.method = request.method
        self.source = flow
        """The flow that the request came in on."""
        self.flow = flow if flow.reliable else answer_flow(request, flow)
        """The flow that responses leave on."""
        self.started = owner.timers.now() if flow.transport != "memory" else None
        """When the request came over a network, on the clock of the timers; None on the link in process."""
        self.key = key
        """None on the link in process where nothing refers to the request."""
        self.state = self.initial
        self.attached: object = None
        """Whatever its user works on for this transaction (a proxy's response context, a leg); dropped with the request."""
        self.acknowledged: Callable[[], None] | None = None
        """Called once when the failure response that was sent to an INVITE is acknowledged, or given up."""
        self._owner = owner
        self._data = b""
        self._retransmit: Timer | None = None
        self._interval = 0.0
        self.tick = NEVER
        self.due = None

    def respond(self, response: Response) -> None:
        """Send a response through the machine; one that its state no longer allows is dropped."""
        status = response.status
        self.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    @property
    def answered(self) -> bool:
        """Whether a final response has gone out."""
        return self.state not in _UNANSWERED

    # -- actions ------------------------------------------------------------------------------------------------

    def send(self, response: Response) -> None:
        self._data = self.flow.send(response)

    def resend(self, asked: object) -> None:
        """`asked`: the request that came again; None when Timer G has fired."""
        if self._data:
            why = ASKED_AGAIN if asked is not None else (None, NO_ACK, self._interval)
            self._owner.retransmitted(self.method, why)
            self.flow.resend(self._data)

    def forget_request(self, _: object) -> None:
        """After the final response nothing is kept but its bytes and the flow."""
        self.request = self.attached = None

    def tell_acknowledged(self, _: object) -> None:
        told, self.acknowledged = self.acknowledged, None
        if told is not None:
            told()

    def end(self, _: object) -> None:
        if self._retransmit is not None:
            self._retransmit.cancel()
            self._retransmit = None
        if self.due is not None:
            self.tick, self.due = NEVER, None
        self._owner.server_ended(self)
        self.request = None
        self.attached = None
        self._data = b""


def answer_flow(request: Request, source: Flow) -> Flow:
    """Where responses go (RFC 3261 §18.2.2): back over a connection; over UDP to what the top Via says, rport first."""
    if source.reliable:
        return source
    via = request.top_via
    if via.port == source.remote[1] and "maddr" not in via.parameters:
        return source
    if not via.wants_rport() and via.host.strip("[]") != source.remote[0] and is_behind_nat(via.host):
        # Behind NAT a phone that forgot rport is reached where it wrote from or not at all (RFC 3581 §1).
        return source
    address = via.response_address()
    return source if address == source.remote else source.towards(address)


def _is_of_rfc2543(key: Key) -> bool:
    """Whether a key is of the old rule (matching.py), which alone has more than branch, host, port and method. A plain
    tuple, as one is made of every request: a NamedTuple is dearer to make, and garbage collections walk it for 32 s."""
    return len(key) > 4


def answer_address(transaction: ServerTransaction) -> HostPort | None:
    """Where a response goes whose connection is gone (RFC 3261 §18.2.2): to where the request came from, at the port of its
    Via. None where nothing more leaves but for a repeated request, which brings its connection, and where the port is not
    known: an RFC 2543 peer has to come again."""
    key = transaction.key
    if transaction.state not in _SPEAKING or key is None or _is_of_rfc2543(key):
        return None
    port = key[2]
    return transaction.source.remote[0], port if isinstance(port, int) else 5060
