"""What stands on a transaction layer, as the layer sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from b2bua.sip.flow import Flow
from b2bua.sip.message import Message, Request, Response
from b2bua.transaction.server import ServerTransaction


class TransactionUser(Protocol):
    """A proxy core or a user agent core (RFC 3261 §5)."""

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """A new request. Raising SipError answers it so."""

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The INVITE of this transaction is cancelled; the CANCEL itself has been answered 200 (§9.2)."""

    def ack_received(self, ack: Request, flow: Flow) -> None:
        """An ACK that belongs to no failed INVITE: for a 2xx, or a stray."""

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """A response that matches no transaction; RFC 6026 §8.9 forbids forwarding it."""

    def internal_error(self, error: BaseException, message: Message) -> None:
        """A mistake of ours came up while handling this message; it has been answered 500 where it could be."""


Verdict = Response | Literal[True] | None
"""True: pass. Response: refuse with it. None: drop silently."""
Gate = Callable[[Request, Flow], Verdict]
"""Asked of each new request from a network."""
