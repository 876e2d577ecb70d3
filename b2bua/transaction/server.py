"""What both server transactions share: the last response as bytes, and how an event runs through the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.transaction.machine import Event, State, Table, response_event
from b2bua.transaction.timers import Timer, Timers

Key = tuple[str, ...]
"""What the retransmissions of one request have in common (RFC 3261 §17.2.3)."""


class ServerTransaction:
    """One request received, up to its final response and the retransmissions after it."""

    __slots__ = (
        "request", "source", "acknowledged", "flow", "key", "state", "attached", "_data", "_timers",
        "_interval", "_retransmit", "_timeout", "_end", "_retransmitted",
    )  # fmt: skip

    table: ClassVar[Table] = {}

    def __init__(
        self,
        request: Request,
        flow: Flow,
        key: Key,
        timers: Timers,
        ended: Callable[[ServerTransaction], None],
        retransmitted: Callable[[str], None],
    ) -> None:
        self.request: Request | None = request
        """The request; dropped with the final response."""
        self.source = flow
        """The flow it came in on: who asks."""
        self.flow = answer_flow(request, flow)
        """The flow that responses leave on."""
        self.key = key
        self.state = State.TRYING
        self.attached: object = None
        """Whatever its user works on for this transaction (a proxy's response context, a leg); dropped at the end."""
        self.acknowledged: Callable[[], None] | None = None
        """Called once when the failure response that was sent to an INVITE is acknowledged, or given up."""
        self._data = b""
        self._timers = timers
        self._interval = 0.0
        self._retransmit: Timer | None = None
        self._timeout: Timer | None = None
        self._end: Callable[[ServerTransaction], None] | None = ended
        self._retransmitted = retransmitted

    def respond(self, response: Response) -> None:
        """Send a response through the machine; one that its state no longer allows is dropped."""
        self.fire(response_event(response.status), response)

    @property
    def answered(self) -> bool:
        """Whether a final response has gone out."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    def fire(self, event: Event, message: Request | Response | None = None) -> None:
        """Run one event through the table; a pair that is not in it is ignored (the tests list those)."""
        transition = self.table.get((self.state, event))
        if transition is None:
            return
        self.state = transition.state
        actions = iter(transition.actions)
        try:
            for action in actions:
                action(self, message)
        except Exception:
            # A user that raises must not leave a transaction that never ends: the rest is done all the same.
            for action in actions:
                action(self, message)
            raise

    # -- actions ------------------------------------------------------------------------------------------------

    def send(self, response: Response) -> None:
        self._data = self.flow.send(response)

    def resend(self, _: object) -> None:
        if self._data:
            self._retransmitted(self.method)
            self.flow.resend(self._data)

    def forget_request(self, _: object) -> None:
        """After the final response nothing is kept but its bytes and the flow."""
        self.request = None

    def tell_acknowledged(self, _: object) -> None:
        told, self.acknowledged = self.acknowledged, None
        if told is not None:
            told()

    def end(self, _: object) -> None:
        if self._retransmit is not None:
            self._retransmit.cancel()
            self._retransmit = None
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        ended, self._end = self._end, None
        if ended is not None:
            ended(self)
        self.request = None
        self.attached = None
        self._data = b""

    @property
    def method(self) -> str:
        raise NotImplementedError


def answer_flow(request: Request, source: Flow) -> Flow:
    """Where responses go (RFC 3261 §18.2.2): back over a connection; over UDP to what the top Via says, rport first."""
    if source.reliable:
        return source
    via = request.top_via
    if via.port == source.remote[1] and "maddr" not in via.parameters:
        return source
    address = via.response_address()
    return source if address == source.remote else source.towards(address)
