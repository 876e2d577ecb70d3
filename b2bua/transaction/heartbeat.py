"""A heartbeat: asks one peer by OPTIONS whether it lives (RFC 3261 §11), so that no request waits 64·T1 for a dead one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.sip.flow import Flow
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.uri import host_text
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import T1, Timer

SINCE: Final = "since"
"""The parameter of From that tells since when the sender's process lives."""


def since(asked: Request) -> float:
    """Since when the sender of a heartbeat's question lives, in Unix seconds; 0 when it does not say."""
    try:
        return float(asked.from_.parameter(SINCE) or 0)
    except ValueError:
        return 0.0


class Heartbeat:
    """One question at a time. Any final answer means up; none within `interval` seconds means down.

    While the peer is down the question is repeated as RFC 3261 §17.1.2 repeats it, every T2, so it is found again within
    4 s. `changed(up)` is told of each change; before the first answer the peer counts as down. `sender` is our From.
    `interval` 0, for the in-process link: one OPTIONS at start only; that peer cannot go down alone.
    `lives_since`: Unix seconds of our start, told in From: a peer that heard another number before knows that we died meanwhile,
    and have forgotten what was open.
    """

    def __init__(
        self, layer: TransactionLayer, flow: Flow, sender: str, interval: float, changed: Callable[[bool], None],
        lives_since: float | None = None,
    ) -> None:  # fmt: skip
        self.up = False
        self.rtt: float | None = None
        """Round-trip time of the last OPTIONS answered without a retransmission, in seconds; None before."""
        self._layer = layer
        self._flow = flow
        self._sender = sender
        self._since = "" if lives_since is None else f";{SINCE}={lives_since:.3f}"
        self._interval = interval
        self._changed = changed
        self._call_id = ""
        self._cseq = 0
        self._asked_at = 0.0
        self._asked: ClientTransaction | None = None
        """The newest question."""
        self._timer: Timer | None = None
        self._running = False

    def start(self) -> None:
        """Ask now, and then for ever."""
        self._running = True
        self._call_id = self._layer.identifiers.call_id()
        self._ask()

    def stop(self) -> None:
        """Ask no more."""
        self._running = False
        self._stop_timer()

    def heard(self) -> None:
        """The peer showed by itself that it lives. It is asked anew: the repetitions of a question that it missed come so
        seldom that its next death would go unnoticed meanwhile."""
        if not self.up:
            self._found(True)
            self.ask_now()

    def lost(self) -> None:
        """The connection to the peer is gone."""
        self._found(False)

    def ask_now(self) -> None:
        """There is a connection again: use it at once."""
        if self._running:
            self._stop_timer()
            self._ask()

    # -- asking ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._cseq += 1
        host, port = self._flow.remote
        target = f"sip:{host_text(host)}:{port}"
        request = Request("OPTIONS", target, [], [])
        request.extend(
            (
                ("Max-Forwards", MAX_FORWARDS),
                ("From", f"{self._sender};tag={self._layer.identifiers.tag()}{self._since}"),
                ("To", f"<{target}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} OPTIONS"),
                ("Accept", "application/sdp"),
                ("Content-Length", "0"),
            )
        )
        self._asked_at = self._layer.timers.now()
        if self._interval:
            self._timer = self._layer.timers.start(self._interval, self._overdue)
        self._asked = self._layer.send_request(request, self._flow, self)

    def _overdue(self) -> None:
        """Nothing yet: down. The transaction goes on asking."""
        self._timer = None
        self._found(False)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """From the transaction layer."""
        if response.status < 200 or not self._running or transaction is not self._asked:
            return
        took = self._layer.timers.now() - self._asked_at
        if self._flow.reliable or took < T1:  # of a question that was repeated nobody knows which one is answered
            self.rtt = took
        self._found(True)
        self._ask_in(self._interval)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """From the transaction layer: 64·T1 without an answer, or no connection."""
        if transaction is not self._asked:
            return  # a question that was overtaken by a newer one
        self._found(False)
        self._ask_in(self._interval if status == 503 else 0)

    def _ask_in(self, seconds: float) -> None:
        self._stop_timer()
        if self._running and self._interval:
            self._timer = self._layer.timers.start(seconds, self._ask)

    def _found(self, up: bool) -> None:
        if up is not self.up:
            self.up = up
            self._changed(up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
